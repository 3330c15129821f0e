"""How we call the world: next hops, name servers, HTTP hooks."""
