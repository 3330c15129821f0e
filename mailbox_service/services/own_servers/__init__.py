"""Mail through servers that users name (sending-api §12)."""
