"""HTTP doors: read a request, call one service, write the answer."""
