"""The HTTP application: every area's routes behind one front."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from starlette.applications import Starlette
from starlette.types import ASGIApp

from mailbox_service.config import Config
from mailbox_service.services.administering import Administering
from mailbox_service.services.overruling import Overruling
from mailbox_service.web import (
    external,
    health,
    integration,
    mta_sts,
    open_api,
    sms,
    smtp_submission,
    tracking,
)
from mailbox_service.web.admin import address_export as admin_address_export
from mailbox_service.web.admin import addresses as admin_addresses
from mailbox_service.web.admin import audit as admin_audit
from mailbox_service.web.admin import binding as admin_binding
from mailbox_service.web.admin import cleanup as admin_cleanup
from mailbox_service.web.admin import configuration as admin_configuration
from mailbox_service.web.admin import deliveries as admin_deliveries
from mailbox_service.web.admin import domains as admin_domains
from mailbox_service.web.admin import figures as admin_figures
from mailbox_service.web.admin import file_settings as admin_file_settings
from mailbox_service.web.admin import first_steps as admin_first_steps
from mailbox_service.web.admin import mails as admin_mails
from mailbox_service.web.admin import oauth2 as admin_oauth2
from mailbox_service.web.admin import overrides as admin_overrides
from mailbox_service.web.admin import policies as admin_policies
from mailbox_service.web.admin import queue as admin_queue
from mailbox_service.web.admin import sending as admin_sending
from mailbox_service.web.admin import sending_api as admin_sending_api
from mailbox_service.web.admin import settings as admin_settings
from mailbox_service.web.admin import statistics as admin_statistics
from mailbox_service.web.admin import telegram as admin_telegram
from mailbox_service.web.admin import testing as admin_testing
from mailbox_service.web.admin import users as admin_users
from mailbox_service.web.admin import webhooks as admin_webhooks
from mailbox_service.web.agents.door import AgentDoor
from mailbox_service.web.answers import encode_json
from mailbox_service.web.document import Carried
from mailbox_service.web.documentation import Documentation
from mailbox_service.web.doors import Doors
from mailbox_service.web.front import Front
from mailbox_service.web.humans import uses_turnstile
from mailbox_service.web.mailbox import (
    address,
    auto_reply,
    events,
    export,
    extracted,
    files,
    forwarding,
    inbox,
    mails,
    opening_way,
    sending,
    sent,
    usage,
    webhook,
)
from mailbox_service.web.page import INDEX, Page
from mailbox_service.web.peers import TrustedProxies
from mailbox_service.web.rates import Guesses
from mailbox_service.web.request import Memory, Surroundings
from mailbox_service.web.routing import WHOLE_FILE, WHOLE_MESSAGE, Operation, Routes, Table
from mailbox_service.web.sending import pages as sending_pages
from mailbox_service.web.sending.door import SendingDoor
from mailbox_service.web.sending.letter_way import LETTERS_TARGET, LetterWay
from mailbox_service.web.sending.table import AREAS as SENDING_AREAS
from mailbox_service.web.services import Services
from mailbox_service.web.streams import Streams
from mailbox_service.web.telegram import bot, mini_app
from mailbox_service.web.user import addresses as user_addresses
from mailbox_service.web.user import mails as user_mails
from mailbox_service.web.user import oauth2, passkeys
from mailbox_service.web.user import registering as user_registering
from mailbox_service.web.user import settings as user_settings

# Names, recipients and header fields beside the content.
ROOM_AROUND_MESSAGE = 1 << 20
PAGE_FOLDER = Path(__file__).parent.parent / "page"

AREAS: tuple[Routes, ...] = (
    health.routes,
    open_api.routes,
    address.routes,
    mails.routes,
    inbox.routes,
    extracted.routes,
    usage.routes,
    export.routes,
    files.routes,
    events.routes,
    sending.routes,
    sent.routes,
    auto_reply.routes,
    forwarding.routes,
    webhook.routes,
    user_settings.routes,
    user_registering.routes,
    user_addresses.routes,
    user_mails.routes,
    external.routes,
    smtp_submission.routes,
    admin_addresses.routes,
    admin_address_export.routes,
    admin_mails.routes,
    admin_sending.routes,
    admin_sending_api.routes,
    admin_settings.routes,
    admin_overrides.routes,
    admin_statistics.routes,
    admin_users.routes,
    admin_webhooks.routes,
    admin_binding.routes,
    admin_policies.routes,
    admin_cleanup.routes,
    admin_configuration.routes,
    admin_file_settings.routes,
    admin_testing.routes,
    admin_figures.routes,
    admin_queue.routes,
    admin_first_steps.routes,
    admin_deliveries.routes,
    admin_domains.routes,
    mta_sts.routes,
    admin_audit.routes,
    oauth2.routes,
    passkeys.routes,
    admin_oauth2.routes,
    bot.routes,
    mini_app.routes,
    admin_telegram.routes,
    sending_pages.routes,
    integration.routes,
    tracking.routes,
    sms.routes,
)


class Application(Starlette):
    """Starlette without its two layers for exceptions: the doors word every failure themselves,
    and each layer is paid for by every request."""

    def build_middleware_stack(self) -> ASGIApp:
        """The front, and behind it the doors, which take every HTTP request: there is nothing
        for a router to choose, and its three steps are paid for by every request too."""
        doors = next(route for route in self.routes if isinstance(route, Doors))
        return Front(doors.handle, otherwise=self.router)


def page_of(
    folder: Path, config: Config, overruling: Overruling, administering: Administering
) -> Page:
    """The built page, for this site."""
    locked = any(config.passwords)
    holds = overruling.now
    settings = encode_json(open_api.settings_of(config, holds, need_auth=locked))

    def settings_now() -> bytes:
        nonlocal holds, settings
        if overruling.now is not holds:
            holds = overruling.now
            settings = encode_json(open_api.settings_of(config, holds, need_auth=locked))
        return settings

    store = config.s3_endpoint if open_api.has_object_store(config) else ""

    def carried() -> Carried:
        return Carried(
            settings_now(), encode_json(user_settings.open_settings_of(administering.rules))
        )

    return Page(folder, turnstile=uses_turnstile(config), store=store, carried=carried)


def create_app(services: Services, config: Config, *, page: Path = PAGE_FOLDER) -> Starlette:
    """The application. `state.streams.close()` ends its open streams; `state.table` is the list
    of its operations, for tests and documentation; `state.short_ways` are for the server."""
    built = None
    if (page / INDEX).is_file():
        built = page_of(page, config, services.overruling, services.administering)
    documentation = Documentation()
    table = Table(all_operations(config, documentation, with_page=built is not None))
    documentation.describe(table.operations)
    streams, memory = Streams(), Memory()
    around = Surroundings(
        services, config, TrustedProxies(config.trusted_proxies), Guesses(), streams, memory
    )
    sending_door = SendingDoor(SENDING_AREAS, rate=config.sending_rate)
    agent_door = AgentDoor(config)
    services.sending_api.api_keys.endpoints = (
        *sending_door.endpoints,
        *integration.ENDPOINTS,
        *agent_door.permissions,
    )
    app = Application(routes=[Doors(table, around, built, sending_door, agent_door)])
    app.router.redirect_slashes = False
    app.state.streams = streams
    app.state.memory = memory
    app.state.table = table
    app.state.short_ways = {
        LETTERS_TARGET: LetterWay(services.sending_api, around.proxies, sending_door.rates),
        opening_way.TARGET: opening_way.OpeningWay(around),
    }
    return app


def all_operations(
    config: Config, documentation: Documentation, *, with_page: bool
) -> Iterable[Operation]:
    """Every operation. Without a page `/` says that the service is well, as the contract has it."""
    areas = [*AREAS, documentation.routes]
    if not with_page:
        areas.append(health.front_page)
    for area in areas:
        for operation in area:
            if operation.body_limit == WHOLE_MESSAGE:
                yield replace(operation, body_limit=message_in_json(config.max_message_size))
            elif operation.body_limit == WHOLE_FILE:
                yield replace(operation, body_limit=config.max_message_size)
            else:
                yield operation


def message_in_json(octets: int) -> int:
    """The size of a request that carries a message of so many octets: files are base64."""
    return octets * 4 // 3 + ROOM_AROUND_MESSAGE
