"""What make runs: npm, documentation, generated files."""
