"""All HTTP doors as one Starlette route: the order of mailbox-api §1.4, from steps 2 to 8."""

from __future__ import annotations

import logging

from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from mailbox_service.core.errors import MailError
from mailbox_service.web.admin.actions import carry_out
from mailbox_service.web.agents.door import AgentDoor
from mailbox_service.web.answers import JSON, Answer, encode_json, write
from mailbox_service.web.errors import (
    ClientGone,
    Refused,
    Uncaught,
    answer_for,
    message,
    refusal,
    uncaught,
)
from mailbox_service.web.framing import framed_by_telegram
from mailbox_service.web.guards import guard_of_unknown, visitor_of_private_site
from mailbox_service.web.log import describe, neutral
from mailbox_service.web.page import Page
from mailbox_service.web.peers import client_network
from mailbox_service.web.rates import LIMITED, RateLimit
from mailbox_service.web.request import Call, Surroundings, too_big
from mailbox_service.web.routing import Operation, Table
from mailbox_service.web.sending.door import SendingDoor

log = logging.getLogger("mailbox.web")

# Everything else belongs to the page when there is one.
API_PREFIXES = (
    *("/api/", "/open_api/", "/user_api/", "/admin/", "/telegram/", "/external/"),
    *("/send-email", "/test-connection", "/smtp-connections"),
)
# `/files/` is fetched by whoever holds a signed address, as from any object store.
# The integration endpoints prove an API key; links that a browser opens prove themselves.
WITHOUT_SITE_PASSWORD = (
    *("/open_api", "/telegram/", "/files/", "/.well-known/"),
    *("/send-email", "/test-connection", "/smtp-connections"),
    *("/confirm-sender/", "/archive/", "/t/", "/sms/"),
)
WEBHOOKS = ("/api/webhook", "/admin/webhook", "/admin/mail_webhook")
# The log has those of the sending API too, which has no switch.
WEBHOOK_LOG = "/admin/webhook_deliveries"
NOT_FOUND = refusal(404, "Not Found", "NotFound")


class Doors(BaseRoute):
    """Finds the route, judges the caller, calls the handler, words the refusal."""

    def __init__(
        self,
        table: Table,
        around: Surroundings,
        page: Page | None,
        sending: SendingDoor,
        agents: AgentDoor,
    ) -> None:
        self._sending = sending
        self._agents = agents
        self._table = table
        self._around = around
        self._page = page
        self._rate = RateLimit(around.config.rate_limit_requests)
        self._private = any(around.config.passwords)
        self._has_bot = bool(around.config.telegram_bot_token)
        self._limited = frozenset(
            operation.path for operation in table.operations if operation.path.startswith(LIMITED)
        )

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Every HTTP request is ours; a WebSocket is nobody's."""
        return (Match.FULL if scope["type"] == "http" else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        call = Call(scope, receive, self._around)
        try:
            if self._sending.is_for(call.path):
                answer: Answer | Response = await self._sending.answer(call)
            elif self._agents.is_for(call.path):
                answer = await self._agents.answer(call)
            else:
                answer = await self._answer(call)
        except Refused as refused:
            answer = refused.answer
        except MailError as error:
            answer = answer_for(error, call.language)
        except Uncaught as error:
            answer = uncaught(error.name, error.message)
        except ClientGone:
            return
        except Exception as error:
            # What went wrong inside is for the log; the client learns that it was not its fault.
            log.error("request-failed %s %s", neutral(call.path), describe(error))
            answer = uncaught("Error", "Internal Server Error")
        finally:
            call.let_go()
        if isinstance(answer, Answer):
            await write(answer, scope, send)
        else:
            await answer(scope, receive, send)

    async def _answer(self, call: Call) -> Answer | Response:
        method = "GET" if call.method == "HEAD" else call.method
        found = self._table.find(method, call.path)
        if found is None and self._page is not None and not call.path.startswith(API_PREFIXES):
            asset = self._page.answer(call) if method == "GET" else None
            if asset is not None and self._has_bot:
                asset = framed_by_telegram(call.path, asset)
            return asset or NOT_FOUND
        if self._private and not call.path.startswith(WITHOUT_SITE_PASSWORD):
            await visitor_of_private_site(call)
        if found is None:
            return await self._unknown(call)
        operation, call.path_values = found
        if operation.path in self._limited:
            if self._rate.on:
                await self._rate.check(operation.path, call.client_ip)
            await check_access(call)
        self._check_webhooks(call)
        self._check_secret(call)
        await operation.guard.check(call)
        check_size(call, operation)
        if operation.guard.administers:
            answer = await carry_out(call, operation)
        else:
            answer = await operation.handler(call)
        if isinstance(answer, Answer | Response):
            return answer
        return Answer(encode_json(answer), JSON)

    async def _unknown(self, call: Call) -> Answer:
        """401 where the group asks for a credential, else 404."""
        if call.path.startswith(LIMITED):
            await check_access(call)
        self._check_webhooks(call)
        self._check_secret(call)
        await guard_of_unknown(call.path).check(call)
        return NOT_FOUND

    def _check_webhooks(self, call: Call) -> None:
        """Where webhooks are off, that is said before anybody is asked who they are."""
        switched = call.path.startswith(WEBHOOKS) and not call.path.startswith(WEBHOOK_LOG)
        if switched and not call.config.enable_webhook:
            raise Refused(message(403, "WebhookNotEnabledMsg", call.language))

    def _check_secret(self, call: Call) -> None:
        if not call.config.jwt_secret:
            raise Refused(message(400, "JWTSecretNotSetMsg", call.language))


async def check_access(call: Call) -> None:
    """The administrator's IP policy (mailbox-api §5.2). Raises NotYours or TooManyRequests."""
    access = call.services.access
    if access.is_open:
        return
    ip = call.client_ip
    await access.check(
        ip,
        client=client_network(ip) if ip else "",
        fingerprint=call.header(b"x-fingerprint") or "",
        organisation=call.organisation,
    )


def check_size(call: Call, operation: Operation) -> None:
    """Refuse what is too large before it is read (hazard 36). Raises Refused."""
    call.body_limit = operation.body_limit
    declared = call.headers.get(b"content-length")
    if declared and (not declared.isdigit() or int(declared[:20]) > operation.body_limit):
        raise Refused(too_big(operation.body_limit))
