"""The use cases of the sending API, a file an area, as `web/sending` has them."""
