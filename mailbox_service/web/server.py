"""The HTTP server: uvicorn with what it lacks against hostile peers.

It bounds the head of a request in octets and in time, and ends open streams when it stops. An
answer that is whole goes out in one step (`answers.WHOLE`), and an idle connection is watched by
one timer instead of one an answer. Otherwise it is uvicorn, with uvloop and httptools.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from typing import Any, cast
from urllib.parse import unquote

import httptools
import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, service_unavailable
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mailbox_service.web.exchange import Exchange, ShortWay
from mailbox_service.web.streams import Streams

# Octets of a request line and its header fields. httptools collects them without any bound.
LARGEST_HEAD = 65_536
# A head must be whole within this time; also how long a new connection may say nothing.
HEAD_SECONDS = 30.0
# How long an idle connection is kept for the next request; proxies reuse within a minute.
KEEP_ALIVE_SECONDS = 75
# Connections at once: an open file each, and most of them idle.
MOST_CONNECTIONS = 10_000
# Targets that are asked for again and again need not be taken apart again; together they are no
# more than 100 KB.
KNOWN_TARGETS = 512
LONGEST_KNOWN_TARGET = 200
# Requests that are under way when the service stops have this long to end.
GRACE_SECONDS = 8

ASGI = {"version": "3.0", "spec_version": "2.3"}
TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class Gathering:
    """A transport that sends the head of an answer together with the body that follows at once.

    uvicorn writes them one after the other: two calls of the kernel, two packets, and two times
    that the client wakes. A head whose body comes later waits for the next turn of the loop.
    """

    __slots__ = ("_held", "_loop", "_transport", "_turn", "is_closing")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self.is_closing = transport.is_closing  # asked for at every request
        self._loop = loop
        self._held = b""
        self._turn: asyncio.Handle | None = None

    def write(self, data: bytes) -> None:
        """Send, or hold what begins an answer."""
        if self._held:
            data = self._held + data
            self._held = b""
        elif data.startswith(b"HTTP/1.1 2"):
            self._held = data
            if self._turn is None:
                self._turn = self._loop.call_soon(self._send_held)
            return
        self._transport.write(data)

    def write_whole(self, data: bytes) -> None:
        """Send a whole answer."""
        if self._held:
            self._send_held()
        self._transport.write(data)

    def _send_held(self) -> None:
        self._turn = None
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

    def close(self) -> None:
        """Close once everything is sent."""
        self._send_held()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class BoundedProtocol(HttpToolsProtocol):
    """One connection whose request heads have a size and a time. `short_ways`: by target, who
    answers many requests without the application's help."""

    def __init__(
        self, *args: Any, short_ways: Mapping[bytes, ShortWay] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._short_ways = short_ways or {}
        # A request that may go a short way, until its body has come.
        self._may_be_short: tuple[Exchange, ShortWay] | None = None
        self._head_octets = 0
        self._in_head = True
        self._head_begun = False
        self._deadline: asyncio.TimerHandle | None = None
        self._idle_since: float | None = None
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, Gathering(transport, self.loop)))
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            # One read may bring a whole head and much of its body: only what is still a head
            # after the parser has seen it counts.
            self._head_octets += len(data)
        super().data_received(data)
        if self._may_be_short is not None:  # it comes in pieces
            exchange, _ = self._may_be_short
            self._may_be_short = None
            exchange.begin(self.app, self.loop)
        if self._in_head and self._head_begun:
            # Nearly every head is whole in one read, and then needs no clock.
            if self._deadline is None:
                self._expect_head()
            if self._head_octets > LARGEST_HEAD and not self.transport.is_closing():
                self.transport.write(TOO_LARGE)
                self.transport.close()

    def on_message_begin(self) -> None:
        self._head_begun = True
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        self._in_head = self._head_begun = False
        head_octets, self._head_octets = self._head_octets, 0
        if self._deadline is not None:
            self._stop_clock()
        parser = self.parser
        version = parser.get_http_version()
        target = known_target if len(self.url) <= LONGEST_KNOWN_TARGET else parts_of_target
        path, raw_path, query = target(self.url)
        scope: Any = {
            "type": "http",
            "asgi": ASGI,
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": "",
            "headers": self.headers,
            "state": {},
            "method": parser.get_method().decode("ascii"),
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
        }
        before = self.cycle
        exchange = Exchange(
            self,
            scope,
            keep_alive=version != "1.0" and parser.should_keep_alive(),
            continues=self.expect_100_continue,
            head_octets=head_octets,
        )
        self.cycle = exchange
        most = self.limit_concurrency or MOST_CONNECTIONS
        app: Any = self.app
        if len(self.connections) >= most or len(self.tasks) >= most:
            app = service_unavailable
        if before is None or before.response_complete:
            short = self._short_ways.get(self.url)
            if short is None or app is not self.app or self.expect_100_continue:
                exchange.begin(app, self.loop)
            else:
                self._may_be_short = (exchange, short)
        else:  # sent before the answer to the request before it
            self.flow.pause_reading()
            self.pipeline.appendleft((exchange, app))

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """Begin with a request that has waited for the answer to the one before it."""
        cycle.begin(app, self.loop)

    def on_body(self, body: bytes) -> None:
        exchange = cast(Exchange, self.cycle)
        if exchange.response_complete:
            return
        exchange.body += body
        if len(exchange.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        exchange.tell_receiver()

    def on_message_complete(self) -> None:
        self._in_head = True
        exchange = cast(Exchange, self.cycle)
        if not exchange.response_complete:
            exchange.more_body = False
            exchange.tell_receiver()
            if self._may_be_short is not None:
                begun, short = self._may_be_short
                self._may_be_short = None
                begun.go(short, cast(ASGIApp, self.app), self.loop)

    def on_response_complete(self) -> None:
        """Go on with what the client has sent already, or wait for its next request."""
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._idle_since = self.loop.time()
        if self._watch is None:
            self._watch = self.loop.call_later(KEEP_ALIVE_SECONDS, self._look)

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None

    def _look(self) -> None:
        """Close a connection that has been idle for too long. One timer a connection, looked at
        seldom, costs a request nothing."""
        since, now = self._idle_since, self.loop.time()
        left = KEEP_ALIVE_SECONDS if since is None else since + KEEP_ALIVE_SECONDS - now
        if left > 0:
            self._watch = self.loop.call_later(left, self._look)
            return
        self._watch = None
        self.timeout_keep_alive_handler()

    def _expect_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if self._in_head and not self.transport.is_closing():
            self.transport.close()


def parts_of_target(target: bytes) -> tuple[str, bytes, bytes]:
    """Path, the same as it was sent, and query of a request's target. Raises ValueError or an
    error of the parser for what is none, which is then answered with 400."""
    url = httptools.parse_url(target)
    raw_path: bytes = url.path
    path = raw_path.decode("ascii")
    return unquote(path) if "%" in path else path, raw_path, url.query or b""


known_target = lru_cache(maxsize=KNOWN_TARGETS)(parts_of_target)


class HttpServer(uvicorn.Server):
    """A server inside somebody else's loop: it takes no signals, tells when it listens, and ends
    its open streams first when it stops, since they would never end by themselves."""

    def __init__(self, config: uvicorn.Config, streams: Streams) -> None:
        super().__init__(config)
        self._streams = streams
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to whoever runs the loop."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets=sockets)
        self.listening.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Refuse new connections, end the streams, let requests end."""
        self._streams.close()
        await super().shutdown(sockets)


def http_server(app: Starlette) -> HttpServer:
    """A server for an application of `web.app`; `await server.serve(sockets=[…])` runs it.

    Client addresses come from the socket, and from proxy headers by our own rule
    (`web.peers`), so uvicorn's is off. The log is ours too: its own has queries in it.
    """
    # The application itself does nothing but name itself in the scope, which nobody asks for.
    config = uvicorn.Config(
        app.build_middleware_stack(),
        loop="uvloop",
        http=cast(
            type[asyncio.Protocol], partial(BoundedProtocol, short_ways=app.state.short_ways)
        ),
        ws="none",
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        date_header=True,
        access_log=False,
        log_config=None,
        log_level="warning",
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return HttpServer(config, app.state.streams)
