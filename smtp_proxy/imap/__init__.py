"""The IMAP door (RFC 3501, with the extensions that `session.CAPABILITIES` names).

pymap reads the commands: its grammar is the part of IMAP that is long. The conversation, the
list that a client has selected, the reading of messages and the search are ours, since pymap's
have no bounds: it answers a whole FETCH into memory, parses MIME by recursion on the event loop,
and reads every message for a search.
"""
