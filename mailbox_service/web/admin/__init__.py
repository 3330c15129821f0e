"""/admin: everything, by the admin password."""
