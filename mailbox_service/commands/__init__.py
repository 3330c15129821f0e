"""What can be typed behind `mailbox`, a file a command."""
