"""Temporary mailboxes and sending mail: one service, many doors."""

__version__ = "0.1.0"
