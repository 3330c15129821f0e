"""Mail doors: speak SMTP, call a Backend."""
