"""The steps of the schema, in order; `storage.migrate` runs them."""
