"""What every change of an administrator is called in the audit log, and whom it is about.

One wrapper around every route that only administrators may call writes the log. The name of an
action stands in the table below; a route without one is written down by method and path, and a
test says which. So a new route cannot be forgotten.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from mailbox_service.core.audit_words import account_of
from mailbox_service.web.answers import Answer
from mailbox_service.web.request import Call, read_id
from mailbox_service.web.routing import Operation

# Method and path, and the action. An empty one changes nothing and is not written down.
ACTIONS: Mapping[tuple[str, str], str] = {
    ("POST", "/admin/new_address"): "address.open",
    ("POST", "/admin/new_addresses"): "address.open",
    ("POST", "/admin/address/{id}/revoke_tokens"): "address.revoke_tokens",
    ("POST", "/admin/address/{id}/lifetime"): "address.lifetime",
    ("POST", "/admin/address/{id}/reset_password"): "address.password",
    ("DELETE", "/admin/delete_address/{id}"): "address.delete",
    ("DELETE", "/admin/clear_inbox/{id}"): "address.clear_inbox",
    ("DELETE", "/admin/clear_sent_items/{id}"): "address.clear_sent",
    # It shows a token, which is as good as a password.
    ("GET", "/admin/show_password/{id}"): "address.show_token",
    # Reading what is somebody else's changes nothing, and they would want to know.
    ("GET", "/admin/inbox/{id}"): "mail.read",
    ("GET", "/admin/mails/{id}"): "mail.read",
    ("GET", "/admin/mails/{id}/raw"): "mail.read",
    ("GET", "/admin/mails/{id}/attachments/{index}"): "mail.read",
    ("GET", "/admin/sent/{id}"): "sent.read",
    ("GET", "/admin/sent/{id}/raw"): "sent.read",
    ("GET", "/admin/sent/{id}/attachments/{index}"): "sent.read",
    ("DELETE", "/admin/mails/{id}"): "mail.delete",
    ("POST", "/admin/address_sender"): "allowance.change",
    ("DELETE", "/admin/address_sender/{id}"): "allowance.delete",
    ("DELETE", "/admin/sendbox/{id}"): "sent.delete",
    ("POST", "/admin/send_mail"): "mail.send",
    ("POST", "/admin/send_mail_by_binding"): "mail.send",
    ("POST", "/admin/account_settings"): "settings.change",
    ("POST", "/admin/overrides"): "settings.overrule",
    ("POST", "/admin/user_settings"): "settings.accounts",
    ("POST", "/admin/ip_blacklist/settings"): "settings.access",
    ("POST", "/admin/ai_extract/settings"): "settings.codes",
    ("POST", "/admin/webhook/settings"): "settings.webhooks",
    ("POST", "/admin/mail_webhook/settings"): "settings.mail_webhook",
    ("POST", "/admin/mail_webhook/test"): "webhook.test",
    ("POST", "/admin/user_oauth2_settings"): "settings.sign_in",
    ("POST", "/admin/telegram/settings"): "settings.telegram",
    ("POST", "/admin/telegram/init"): "telegram.register",
    ("POST", "/admin/auto_cleanup"): "settings.cleanup",
    ("POST", "/admin/config"): "settings.kept_value",
    ("POST", "/admin/cleanup"): "cleanup.run",
    ("POST", "/admin/users"): "user.open",
    ("DELETE", "/admin/users/{user_id}"): "user.delete",
    ("POST", "/admin/users/{user_id}/reset_password"): "user.password",
    ("POST", "/admin/user_roles"): "user.role",
    ("POST", "/admin/role_address_config"): "user.role_limits",
    ("POST", "/admin/users/bind_address"): "user.bind_address",
    ("POST", "/admin/queue/retry"): "queue.retry",
    ("POST", "/admin/queue/drop"): "queue.drop",
    ("POST", "/admin/domains/rotate_dkim"): "domain.rotate_dkim",
    # It asks DNS, and changes nothing.
    ("POST", "/admin/domains/check"): "",
    # It writes down itself what was changed: a third of it only asks.
    ("POST", "/admin/sending/{area}/{act}"): "",
    ("POST", "/admin/webhook_deliveries/{id}/replay"): "webhook.replay",
    ("POST", "/admin/webhook_deliveries/{id}/cancel"): "webhook.cancel",
    # The store is made and brought up to date at the start: there is nothing to be done.
    ("POST", "/admin/db_initialize"): "",
    ("POST", "/admin/db_migration"): "",
    # Hooks for tests, closed otherwise.
    ("POST", "/admin/test/seed_mail"): "",
    ("POST", "/admin/test/receive_mail"): "",
}

# Written down once a mail and a while.
READING = frozenset(("mail.read", "sent.read"))

# Fields of a request that name what it is about, the first that is there.
NAMING = ("address", "user_email", "email", "from_mail", "domain", "role_text", "name", "key")
# Fields of an answer that are worth a word.
TELLING = ("address", "address_id", "changed", "id")
# Of a body that is remembered; no form of settings has more, a mail may.
LARGEST_NOTED = 262_144

Handler = Callable[[Call], Awaitable[Any]]


def action_of(operation: Operation) -> str:
    """What an operation is called in the log; empty when it changes nothing."""
    named = ACTIONS.get((operation.method, operation.path))
    if named is not None:
        return named
    changes = operation.guard.administers and operation.method != "GET"
    return f"{operation.method} {operation.path}" if changes else ""


async def carry_out(call: Call, operation: Operation) -> Any:
    """Call a handler that only administrators may call, and write down what it changed. A
    refusal changed nothing."""
    action = action_of(operation)
    if not action:
        return await operation.handler(call)
    if action in READING:
        return await open_mail(call, operation, action)
    call.body_kept = LARGEST_NOTED
    about = await subject_in_path(call, operation)
    answer = await operation.handler(call)
    if isinstance(answer, Answer) and answer.status >= 400:
        return answer
    detail: dict[str, object] = {**posted(call), **told(answer)}
    subject = about or named(detail)
    await call.services.auditing.note(
        action, actor=call.actor, peer=call.client_ip, subject=subject, detail=detail
    )
    return answer


class Opened(NamedTuple):
    """What a handler gives back that opened a mail: its answer, and which mail of which mailbox
    that was, so that nobody has to look it up again."""

    answer: Any
    number: int
    mailbox: str


async def open_mail(call: Call, operation: Operation, action: str) -> Any:
    """Call a handler that opens a mail, and write down whose was read, unless it is the
    administrator's own. Raises RuntimeError for a handler that does not say what it opened: its
    answer goes nowhere."""
    opened = await operation.handler(call)
    if opened is None:  # nothing was there
        return None
    if not isinstance(opened, Opened):
        raise RuntimeError(f"{operation.path} does not say which mail it opened")
    reader, holds = account_of(call.actor), call.services.account_addresses.holds
    if reader is None or not await holds(reader, opened.mailbox):
        subject = mail_subject(opened.number, opened.mailbox)
        await call.services.auditing.read(
            action, actor=call.actor, peer=call.client_ip, subject=subject
        )
    return opened.answer


def mail_subject(number: int, mailbox: str) -> str:
    """A mail, as the log names it."""
    return f"{number} ({mailbox})" if mailbox else str(number)


async def subject_in_path(call: Call, operation: Operation) -> str:
    """Whom the path names: an address or an account by its name while it is still there, a mail
    by the mailbox that it is in besides, and everything else by its number."""
    if not call.path_values:
        return ""
    name, value = next(iter(call.path_values.items()))
    number = read_id(value)
    if number is None:
        return value
    if operation.area == "admin addresses":
        address = await call.services.registering.find(number)
        return f"{number} ({address.name})" if address else value
    mailbox = await mailbox_in_path(call, operation, number)
    if mailbox:
        return mail_subject(number, mailbox)
    if name == "user_id":
        account = await call.services.accounts.by_id(number)
        return f"{number} ({account.email})" if account else value
    return value


async def mailbox_in_path(call: Call, operation: Operation, number: int) -> str:
    """The mailbox of the mail that a path names; empty when it names none, or one that is gone."""
    if operation.path.startswith("/admin/mails/"):
        mail = await call.services.reading.one(None, number)
        return mail.address if mail else ""
    if operation.path.startswith("/admin/sendbox/"):
        return await call.services.sent.sender_of(number) or ""
    return ""


def posted(call: Call) -> dict[str, object]:
    """What was posted, when it is an object of a form's size."""
    if not call.noted_body:
        return {}
    try:
        value = msgspec.json.decode(call.noted_body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {"value": value} if value else {}


def told(answer: Any) -> dict[str, object]:
    """What an answer says beyond success."""
    if not isinstance(answer, Struct):
        return {}
    held = ((name, getattr(answer, name, None)) for name in TELLING)
    return {name: value for name, value in held if value is not None}


def named(detail: Mapping[str, object]) -> str:
    """What the values say whom they are about."""
    found = (detail.get(name) for name in NAMING)
    name = next((value for value in found if isinstance(value, str) and value), "")
    wanted = detail.get("filter")
    if name or not isinstance(wanted, dict):
        return name
    return ", ".join(f"{key}: {value}" for key, value in wanted.items() if value) or "everything"
