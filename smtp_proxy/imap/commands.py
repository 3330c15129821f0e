"""Reading one command from the wire, and understanding it with pymap's grammar."""

from __future__ import annotations

import re

from pymap.parsing import Params
from pymap.parsing.command import Command, auth
from pymap.parsing.commands import Commands, InvalidCommand
from pymap.parsing.exceptions import NotParseable
from pymap.parsing.specials import mailbox
from pymap.parsing.state import ParsingInterrupt

from smtp_proxy.imap.names import decoded_name
from smtp_proxy.wire import Wire

# A command with all its literals. RFC 9051 leaves it open; RFC 7162 §4 asks for 8,192 octets
# at least, and Dovecot takes 65,536. Lists of UIDs are what gets long.
COMMAND_OCTETS = 65_536
# RFC 7888 §5 (LITERAL-): longer ones may not come unasked.
UNASKED_LITERAL = 4_096
# A literal that came unasked and is not wanted is read and forgotten up to here; beyond, the
# connection ends. A message is that long at most.
SKIPPED_LITERAL = 64 << 20
# Literals in one command: a login has two.
LITERALS = 32
# Items of a list: a header has less kinds of fields.
LIST_ITEMS = 200

_LITERAL = re.compile(rb"\{([0-9]{1,10})(\+?)\}$")
_TAG = re.compile(rb"[!#-$&'+-\[^-z|}~]{1,64}")

# Where pymap reads a name, whether of somebody who has logged in or not.
vars(auth)["modutf7_decode"] = vars(mailbox)["modutf7_decode"] = decoded_name
_commands = Commands()
_params = Params(list_limit=LIST_ITEMS, allow_continuations=False, max_append_len=0)


class Unreadable(Exception):
    """A command that is no IMAP; the text says why."""

    def __init__(self, reason: bytes) -> None:
        super().__init__()
        self.reason = reason


class No(Exception):
    """A command that is understood and cannot be done; the text is the answer."""

    def __init__(self, answer: bytes) -> None:
        super().__init__()
        self.answer = answer


class NotTaken(Exception):
    """A command with a literal that this server does not want; the text is the answer."""

    def __init__(self, tag: bytes, answer: bytes) -> None:
        super().__init__()
        self.tag = tag
        self.answer = answer


class Line:
    """One whole command as it came: its tag, its name in capitals, and all its octets."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        words = octets.split(None, 2)
        self.tag = tag_of(octets)
        self.name = words[1].upper() if len(words) > 1 else b""
        self.arguments = words[2].rstrip(b"\r\n") if len(words) > 2 else b""


def tag_of(line: bytes | bytearray) -> bytes:
    """What answers begin with; a star when the line has no tag that could be repeated."""
    first = line.split(b" ", 1)[0]
    return bytes(first) if _TAG.fullmatch(first) else b"*"


async def read_line(wire: Wire, seconds: float) -> Line:
    """Read one command with its literals.

    Raises NotTaken for a literal that is too long or belongs to APPEND, before it comes where
    the client asks first. Raises TooLong, Gone, TimeoutError.
    """
    octets = bytearray()
    for _ in range(LITERALS):
        line = await wire.line(COMMAND_OCTETS, seconds)
        octets += line
        literal = _LITERAL.search(line)
        if literal is None:
            return Line(bytes(octets) + b"\r\n")
        count, unasked = int(literal[1]), bool(literal[2])
        refusal = _refusal(bytes(octets), count, unasked)
        if refusal is not None:
            if unasked:
                await _skip(wire, count, seconds)
            raise NotTaken(tag_of(octets), refusal)
        if not unasked:
            wire.write(b"+ Go on\r\n")
            del octets[-1:]
            octets += b"+}"
        octets += b"\r\n" + await wire.octets(count, seconds)
    raise NotTaken(tag_of(octets), b"BAD Too many literals")


def _refusal(octets: bytes, count: int, unasked: bool) -> bytes | None:
    if octets.split(None, 2)[1:2] and octets.split(None, 2)[1].upper() == b"APPEND":
        return b"NO [CANNOT] Nothing can be put into these mailboxes"
    if len(octets) + count > COMMAND_OCTETS or (unasked and count > UNASKED_LITERAL):
        return b"BAD [TOOBIG] Literal too long"
    return None


async def _skip(wire: Wire, count: int, seconds: float) -> None:
    """Let the rest of a command go by whose literals came unasked."""
    for _ in range(LITERALS):
        if count > SKIPPED_LITERAL:
            raise TimeoutError
        await wire.skip(count, seconds)
        literal = _LITERAL.search(await wire.line(COMMAND_OCTETS, seconds))
        if literal is None or not literal[2]:
            return
        count = int(literal[1])


def understand(line: Line) -> Command:
    """What a command says. Raises Unreadable, or No for a search in a foreign character set.

    The grammar is not ours and what comes is hostile: whatever it raises means that the command
    cannot be understood.
    """
    try:
        command, _ = _commands.parse(memoryview(line.octets), _params.copy())
    except (NotParseable, ParsingInterrupt, ValueError, TypeError, LookupError, RecursionError):
        raise Unreadable(b"The command cannot be understood") from None
    if isinstance(command, InvalidCommand):
        code = command.parse_exc.code if command.parse_exc is not None else None
        if code is not None and bytes(code).upper() == b"[BADCHARSET]":
            # RFC 9051 §6.4.4: the command is understood, and may come again in another one.
            raise No(b"NO [BADCHARSET (US-ASCII UTF-8)] Not in that character set")
        words = (bytes(code) + b" " if code is not None else b"") + (
            b"The arguments cannot be understood" if command.command_type else b"Unknown command"
        )
        raise Unreadable(words)
    return command
