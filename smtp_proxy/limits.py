"""Every limit of the mail doors in one table, each with its reason.

The figures follow what trusted servers ship (Postfix, mox, chasquid, Stalwart). A limit never
means "none": it is a number that honest peers do not meet.
"""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in octets, times in seconds, the rest in counts."""

    # --- one line ---------------------------------------------------------------------------
    # 512 is the least (RFC 5321 §4.5.3.1.4); SIZE, BODY, AUTH and SMTPUTF8 add to it. Postfix
    # takes 2,048 as well, and core.address reads no more than 2,084.
    command_line: int = 2_048
    # RFC 4954 §4 asks for at least 12,288 octets in an AUTH exchange.
    auth_line: int = 12_288 + len("AUTH PLAIN \r\n")
    # RFC 5321 §4.5.3.1.6 says 1,000. Broken senders exceed it, and their mail is stored as it
    # is; what is a thousand times too long is no mail.
    content_line: int = 1 * MIB
    # A peer that sends one line for ever is cut off here; reading it costs only time.
    overrun: int = 32 * MIB

    # --- one message ------------------------------------------------------------------------
    message_size: int = 50 * MIB
    # RFC 5321 §4.5.3.1.8 asks for 100; Postfix and mox take 1,000.
    recipients: int = 1_000
    # Recipients above the limit get 452 each (§4.5.3.1.10); a peer that names ten times as
    # many is not listening to the replies.
    recipient_attempts: int = 10_000
    # All unfinished contents of one door together; then 452 4.3.1 until some have ended.
    held_content: int = 512 * MIB

    # --- one connection ---------------------------------------------------------------------
    # RFC 5321 §4.5.3.2.7: at least 5 minutes between commands. Bytes of an unfinished line
    # do not count, only whole commands do.
    idle: float = 300.0
    # When the door is nearly full, silence is a luxury (Postfix under stress does the same).
    idle_when_busy: float = 10.0
    busy_share: float = 0.8
    # RFC 5321 §4.5.3.2.5: 3 minutes for a piece of content.
    content_pause: float = 180.0
    # A whole message must keep this average once it has had `content_grace`.
    content_rate: float = 500.0
    content_grace: float = 60.0
    # RFC 5321 §4.5.3.2.6: the peer waits 10 minutes for the reply to the final dot. If the
    # service has not answered by then, nobody is listening any more.
    answer: float = 590.0
    tls_handshake: float = 30.0
    proxy_header: float = 5.0
    # Mail servers keep connections, but not for ever; applied between two transactions.
    session: float = 3_600.0
    # How long a peer that was told 421 may go on sending before the connection is reset.
    # Closing at once would let TCP throw the reply away (RFC 1122 §4.2.2.13).
    linger: float = 2.0
    messages: int = 100_000
    # Postfix: smtpd_hard_error_limit. Counted since the last accepted message.
    errors: int = 20
    # An honest list with stale members meets many; a harvester of addresses meets only these.
    refused_recipients: int = 100
    # Commands that move nothing (NOOP, RSET, EHLO, VRFY, HELP) since the last message;
    # Postfix: smtpd_junk_command_limit.
    junk_commands: int = 100
    # Input waiting behind an unfinished answer, before reading pauses.
    unread: int = 64 * 1024

    # --- all connections --------------------------------------------------------------------
    connections: int = 10_000
    # And no more than this share of the file descriptors the process may have: a door that is
    # full says 421, a process without descriptors cannot even open its database.
    descriptor_share: float = 0.5
    # How many from one address, and from the networks around it: prefix length → count.
    # Three times as many for the next wider network, as mox does.
    connections_v4: tuple[tuple[int, int], ...] = ((32, 50), (24, 150), (16, 450))
    connections_v6: tuple[tuple[int, int], ...] = ((64, 50), (48, 150), (32, 450))
    # Programs on this host, and proxies on it, share one address.
    connections_loopback: int = 10_000

    # --- passwords --------------------------------------------------------------------------
    auth_failures_per_connection: int = 5
    # Failures in one minute from an address and the networks around it, until each further
    # attempt from there has to wait its turn.
    auth_failures_v4: tuple[tuple[int, int], ...] = ((32, 10), (24, 30), (16, 90))
    auth_failures_v6: tuple[tuple[int, int], ...] = ((64, 10), (48, 30), (32, 90))
    auth_window: float = 60.0
    # One attempt in this time from a network over its limit ...
    auth_delay: float = 5.0
    # ... and who would have to wait longer than this is sent away with 454.
    auth_longest_delay: float = 60.0

    # --- the watch --------------------------------------------------------------------------
    # How often all connections are looked at for the times above.
    tick: float = 1.0
