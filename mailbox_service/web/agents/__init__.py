"""The door of AI agents: mailboxes as tools (MCP)."""
