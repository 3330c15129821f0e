"""Accounts of people who hold several addresses (mailbox-api §3.5)."""
