"""Who may call a route. Every route names its guard; unknown paths have that of their group.

A guard proves the caller and puts what it proved into the call, or refuses. Refusals come
before the 404 of an unknown path (mailbox-api §1.1), so the group of such a path is judged too;
but no route is ever opened by its path: what is matched has the guard written beside it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mailbox_service.core.audit_words import ADMIN_PASSWORD, ANYBODY, account_actor
from mailbox_service.core.envelope import Principal
from mailbox_service.core.errors import BadCredential, BadRequest
from mailbox_service.core.texts import text
from mailbox_service.services.accounts import ExpiredAccess
from mailbox_service.web.answers import Answer, json_answer
from mailbox_service.web.errors import FAILED_TO_SEND, Refused, Uncaught, message, wrapped
from mailbox_service.web.request import Call

Check = Callable[[Call], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Guard:
    """A way to prove who calls. `scheme` is its name in the OpenAPI document. `administers`:
    what is changed behind it is written into the audit log."""

    name: str
    check: Check
    scheme: str | None = None
    administers: bool = False


def bearer_token(call: Call) -> str:
    """The token of `Authorization: Bearer <token>`: two words, the first in any case."""
    words = (call.header(b"authorization") or "").split()
    if len(words) != 2 or words[0].lower() != "bearer":
        raise bad_token()
    return words[1]


def bad_token() -> BadCredential:
    key = "InvalidAddressCredentialMsg"
    return BadCredential(text(key), message_key=key)


async def anybody(call: Call) -> None:
    """No credential is asked for."""


async def mailbox_owner(call: Call) -> None:
    """An address token whose address is still open."""
    call.principal = await call.services.authenticating.address_token(bearer_token(call))


def owner_or(nameless: Callable[[Call], Answer]) -> Check:
    """As `mailbox_owner`; a good token that names no address is told so as the contract words it
    for the route."""

    async def check(call: Call) -> None:
        token = bearer_token(call)
        try:
            call.principal = await call.services.authenticating.address_token(token)
        except BadCredential:
            if call.services.authenticating.claims(token).get("address"):
                raise
            raise Refused(nameless(call)) from None

    return check


def no_address_in_json(_: Call) -> Answer:
    """The one refusal that is JSON (mailbox-api §1.1)."""
    return json_answer({"error": "No address"}, 400)


def address_not_found(call: Call) -> Answer:
    """Who asks for an allowance must have an address (mailbox-api §3.3)."""
    return message(400, "AddressNotFoundMsg", call.language)


def nobody_sends(call: Call) -> Answer:
    """The same where a mail is handed over (mailbox-api §10.2)."""
    key = "AddressNotFoundMsg"
    return wrapped(BadRequest(text(key), message_key=key), FAILED_TO_SEND, call.language)


def no_address_to_change(call: Call) -> Answer:
    """A password belongs to an address (mailbox-api §3.3)."""
    return message(400, "InvalidAddressTokenMsg", call.language)


async def token_holder(call: Call) -> None:
    """An address token of ours, whether or not its address is still open. Only for routes that
    say so: what they touch is looked up by the claims."""
    call.claims = call.services.authenticating.claims(bearer_token(call))


async def administrator(call: Call) -> None:
    """The admin password in `x-admin-auth`, wrong ones being counted; or the access token of an
    account with the administrators' role (mailbox-api §2.2)."""
    shown = call.header(b"x-admin-auth") or ""
    known = call.services.authenticating.admin_password
    call.actor = ADMIN_PASSWORD
    proved = await call.guesses.prove(call.client_ip, "admin", shown, known)
    proved = proved or await has_admin_role(call)
    if not proved:
        call.actor = ANYBODY
        if not call.config.disable_admin_password_check:
            if shown:
                await call.services.auditing.login_failed(call.client_ip)
            raise Refused(message(401, "NeedAdminPasswordMsg", call.language))
    call.principal = ADMINISTRATOR


async def has_admin_role(call: Call) -> bool:
    """Whether an access token gives the role that may administer. One of ours that has ended, or
    gives another role, is refused with words of its own; any other counts as not shown."""
    wanted, shown = call.config.admin_user_role, call.header(b"x-user-access-token")
    if not wanted or not shown:
        return False
    try:
        role = await call.services.accounts.proved_role(shown)
    except BadCredential:
        return False
    except ExpiredAccess:
        raise Refused(message(401, "UserAcceesTokenExpiredMsg", call.language)) from None
    if role != wanted:
        raise Refused(message(401, "UserRoleIsNotAdminMsg", call.language))
    claims = call.services.authenticating.signed_claims(shown)
    call.actor = account_actor(claims.get("user_id"), claims.get("user_email"))
    return True


async def visitor_of_private_site(call: Call) -> None:
    """The site's password in `x-custom-auth`, when the site has one (mailbox-api §1.4, step 4)."""
    shown = call.header(b"x-custom-auth") or ""
    known = call.services.authenticating.site_password
    if not await call.guesses.prove(call.client_ip, "site", shown, known):
        raise Refused(message(401, "CustomAuthPasswordMsg", call.language))


async def account(call: Call) -> None:
    """A user token in `x-user-token`. It outlives a deleted account: whoever needs the account
    looks it up by `call.account.user_id`."""
    shown = call.header(b"x-user-token") or ""
    call.account = await call.services.accounts.principal_of(shown)


async def account_with_mailbox(call: Call) -> None:
    """A user token; and where something is posted, an address token of ours besides. What is
    wrong with that one is an uncaught failure by the contract (mailbox-api §2.2)."""
    await account(call)
    if call.method != "POST":
        return
    words = (call.header(b"authorization") or "").split()
    if not words:
        raise Uncaught("Error", "no authorization included in request")
    if len(words) != 2 or words[0].lower() != "bearer":
        raise Uncaught("Error", "invalid credentials structure")
    try:
        call.claims = call.services.authenticating.claims(words[1])
    except BadCredential:
        raise Uncaught("Error", "Unauthorized") from None


async def needs_bot(call: Call) -> None:
    """A bot token is configured; said before anything else about Telegram (mailbox-api §3.7)."""
    if not call.config.telegram_bot_token:
        raise Refused(message(400, "TgBotTokenRequiredMsg", call.language))


async def administrator_of_bot(call: Call) -> None:
    """An administrator, and then a bot token."""
    await administrator(call)
    await needs_bot(call)


ADMINISTRATOR = Principal("admin", "", unlimited=True)

OPEN = Guard("anybody", anybody)
MAILBOX = Guard("mailbox", mailbox_owner, "addressToken")
MAILBOX_LIST = Guard("mailbox list", owner_or(no_address_in_json), "addressToken")
MAILBOX_ASKING = Guard("mailbox asking", owner_or(address_not_found), "addressToken")
MAILBOX_SENDING = Guard("mailbox sending", owner_or(nobody_sends), "addressToken")
MAILBOX_PASSWORD = Guard("mailbox password", owner_or(no_address_to_change), "addressToken")
TOKEN = Guard("token", token_holder, "addressToken")
ADMIN = Guard("administrator", administrator, "adminPassword", administers=True)
ACCOUNT = Guard("account", account, "userToken")
ACCOUNT_AND_MAILBOX = Guard("account with mailbox", account_with_mailbox, "userToken")
# Of unknown paths about Telegram; the routes themselves ask in their handlers.
BOT = Guard("bot", needs_bot)
ADMIN_OF_BOT = Guard(
    "administrator of the bot", administrator_of_bot, "adminPassword", administers=True
)

# The first prefix that fits decides; paths outside of every group need nothing and find nothing.
GROUPS: tuple[tuple[str, Guard], ...] = (
    ("/api/new_address", OPEN),
    ("/api/address_login", OPEN),
    ("/api/", MAILBOX),
    ("/user_api/open_settings", OPEN),
    ("/user_api/register", OPEN),
    ("/user_api/login", OPEN),
    ("/user_api/verify_code", OPEN),
    ("/user_api/passkey/authenticate_", OPEN),
    ("/user_api/oauth2", OPEN),
    ("/user_api/bind_address", ACCOUNT_AND_MAILBOX),
    ("/user_api/", ACCOUNT),
    ("/admin/telegram/", ADMIN_OF_BOT),
    ("/admin/", ADMIN),
    ("/telegram/", BOT),
)


def guard_of_unknown(path: str) -> Guard:
    """The guard of a path that no route has (mailbox-api §2.2)."""
    return next((guard for prefix, guard in GROUPS if path.startswith(prefix)), OPEN)
