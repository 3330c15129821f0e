"""SQL and nothing else: each function takes a transaction."""
