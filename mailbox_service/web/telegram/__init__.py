"""/telegram: the bot's updates and the mini app (mailbox-api §3.7)."""
