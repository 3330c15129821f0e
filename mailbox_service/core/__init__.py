"""The rules of mail: no I/O, no clock, no randomness."""
