"""Everything of an existing deployment, taken over: addresses, accounts, settings, mail."""
