"""`/mcp` over HTTP: who calls, from where, and one exchange of the protocol (sending-api §13)."""

from __future__ import annotations

import asyncio
from importlib import import_module
from types import ModuleType
from urllib.parse import urlsplit

from mailbox_service.config import Config
from mailbox_service.core.errors import BadCredential, MailError
from mailbox_service.services.agents import Agent
from mailbox_service.web.agents.tool import Visit
from mailbox_service.web.agents.toolbox import PERMISSIONS, Toolbox
from mailbox_service.web.answers import Answer, Headers, json_answer
from mailbox_service.web.errors import Refused, code_of, more_headers, status_of
from mailbox_service.web.request import Call, too_big
from mailbox_service.web.sending.door import check_place, shown_key

PATHS = ("/mcp", "/mcp/")
# A mail with some files in base64, inside JSON. Larger ones go through the other doors.
LARGEST_BODY = 16 << 20
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
CHALLENGE: Headers = ((b"www-authenticate", b'Bearer realm="mailbox-service"'),)
ALLOWED: Headers = ((b"allow", b"POST"),)


class AgentDoor:
    """Answers `/mcp`."""

    permissions = PERMISSIONS

    def __init__(self, config: Config) -> None:
        self._on = config.enable_mcp
        self._toolbox = Toolbox(config.mcp_budgets)
        self._origins = frozenset(
            origin_of(one) for one in (config.frontend_url, *config.mcp_origins) if one
        )
        self._protocol: ModuleType | None = None

    def is_for(self, path: str) -> bool:
        """Whether a path is ours."""
        return self._on and path in PATHS

    async def answer(self, call: Call) -> Answer:
        """Answer one request. Raises Refused and ClientGone."""
        self._check_origin(call)
        if call.method != "POST":
            return told("Only POST is answered here: there are no sessions", "", 405, ALLOWED)
        try:
            agent = await prove(call)
        except BadCredential as error:
            return told(error.detail, code_of(error), 401, CHALLENGE)
        except MailError as error:
            return told(error.detail, code_of(error), status_of(error), more_headers(error))
        body = await whole_body(call)
        headers = tuple(pair for pair in call.headers.items() if pair[0].startswith(b"mcp-"))
        if self._protocol is None:
            name = "mailbox_service.web.agents.protocol"
            self._protocol = await asyncio.to_thread(import_module, name)
        visit = Visit(
            agent,
            call.services,
            call.services.agents,
            call.config,
            call.streams,
            call.client_ip,
            until_left=call.until_left,
        )
        answer: Answer = await self._protocol.exchange(self._toolbox, visit, body, headers)
        return answer

    def _check_origin(self, call: Call) -> None:
        """Refuse pages of other sites: a name of theirs may lead to us (DNS rebinding)."""
        shown = call.header(b"origin")
        if not shown:
            return
        host = urlsplit(shown).hostname if "://" in shown else None
        if host in LOOPBACK or shown.lower() in self._origins:
            return
        words = "Pages of this origin may not call here; mcp_origins names those that may"
        raise Refused(told(words, "Origin", 403, ()))


async def prove(call: Call) -> Agent:
    """Who calls, by `Authorization: Bearer` or `X-Smtp2go-Api-Key`. Raises BadCredential, and
    EndpointDenied for a key from a place where it does not count."""
    shown = shown_key(call)
    if not shown:
        raise BadCredential("A key or the token of an address is needed, as a bearer token")
    agent = await call.services.agents.prove(shown)
    if agent.credential is not None:
        await check_place(call.services.sending_api, agent.credential, call.client_ip)
    return agent


async def whole_body(call: Call) -> bytes:
    """The body. Raises Refused when it is too large (hazard 36)."""
    call.body_limit = LARGEST_BODY
    declared = call.headers.get(b"content-length", b"")
    if declared and (not declared.isdigit() or int(declared[:20]) > LARGEST_BODY):
        raise Refused(too_big(LARGEST_BODY))
    return await call.body()


def origin_of(url: str) -> str:
    """`https://host[:port]` of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def told(words: str, code: str, status: int, headers: Headers) -> Answer:
    """A refusal before the protocol begins."""
    body = {"error": words} | ({"error_code": code} if code else {})
    return json_answer(body, status, headers)
