"""The use cases; only here do rules meet storage."""
