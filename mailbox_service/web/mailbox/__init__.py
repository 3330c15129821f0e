"""/api: one mailbox, by its token."""
