"""The sending API's door, `/v3`: field names, envelopes and codes of its world, and no rule of
ours. Each operation is a row: path, reader, service method, writer."""
