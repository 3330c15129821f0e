"""The sending API with an administrator's rights: its keys, users, templates, lists and numbers.

    POST /admin/sending/suppression/add   {"email_address": "ann@example.net"}

does what `/v3/suppression/add` does for the main account, and answers what stands in `data`
there. Whoever administrates needs no key for it, and no key of theirs stands in a browser. Mail is
sent by credentials alone, since that is who it is counted for.
"""

from __future__ import annotations

from typing import Any

import msgspec

from mailbox_service.core.errors import MailError, NotFound, TemporaryFailure
from mailbox_service.core.sending_api import (
    API_KEY,
    MASTER,
    Caller,
    Credential,
    CredentialSettings,
    Refusal,
)
from mailbox_service.web.answers import json_answer
from mailbox_service.web.guards import ADMIN
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes
from mailbox_service.web.sending.refusals import worded
from mailbox_service.web.sending.rows import Row, read_form
from mailbox_service.web.sending.table import ROWS

routes = Routes("admin sending api")

# A template's texts are the largest that is written here; `/v3` takes as much.
LARGEST = 1 << 20
# Who writes the mail is a credential.
SENDS = frozenset(("email/send", "email/mime", "email/batch", "sms/send"))
# Paths of three parts and of one, by two.
SHORT = {"users/smtp": "smtp_users", "email/scheduled": "scheduled"}
SWITCH = ("ip_allow_list", "ip_allow_list/switch")
# Area -> what a change in it is called in the audit log.
ACTIONS = {
    "api_keys": "sending.keys",
    "smtp_users": "sending.users",
    "ip_auth": "sending.places",
    "ip_allow_list": "sending.places",
    "template": "sending.templates",
    "suppression": "sending.suppressions",
    "webhook": "sending.webhooks",
    "allowed_senders": "sending.lists",
    "allowed_recipients": "sending.lists",
    "single_sender_emails": "sending.senders",
    "domain": "sending.domains",
    "subaccount": "sending.subaccounts",
    "scheduled": "sending.scheduled",
}
# Fields that say what a change is about, the first that is there.
NAMING = (
    *("username", "email_address", "domain", "ip_address", "template_name", "fullname", "id"),
    *("description", "name", "url", "schedule_id", "delivery_id"),
)

_decoder = msgspec.json.Decoder(dict[str, Any])


def reached() -> dict[str, Row]:
    """Path behind `/admin/sending/` -> the row. A change of what is said, and of no more, comes
    before one that replaces."""
    found: dict[str, Row] = {}
    for row in ROWS:
        if row.path in SENDS or row.path.startswith("blocklist/"):
            continue
        area, _, act = row.path.rpartition("/")
        path = SWITCH[1] if row.path == SWITCH[0] else f"{SHORT.get(area, area)}/{act}"
        if path not in found or row.verb == "PATCH":
            found[path] = row
    return found


REACHED = reached()


@routes.post("/admin/sending/{area}/{act}", ADMIN, body=dict[str, Any], returns=Any,
             body_limit=LARGEST)  # fmt: skip
async def ask_sending_api(call: Call) -> Any:
    """What `/v3/{area}/{act}` of the sending API does, with all permissions and without a key;
    `users/smtp` is `smtp_users` here, `email/scheduled` is `scheduled`. `subaccount_id` acts for
    a subaccount. The answer is what stands in `data` there; a refusal has the same shape."""
    area, act = call.path_values["area"], call.path_values["act"]
    row = REACHED.get(f"{area}/{act}")
    if row is None:
        raise NotFound(f"There is nothing at {area}/{act}"[:200])
    fields = await call.own_json(_decoder)
    try:
        caller = await caller_of(call, row, fields)
        ask = row.asks(call.services.sending_api)
        said = row.writes(await ask(caller, read_form(row, dict(fields))))
    except TemporaryFailure:
        raise
    except MailError as error:
        status, data, _ = worded(error)
        return json_answer(data, status)
    if not row.only_asks:
        about = next((str(fields[name]) for name in NAMING if fields.get(name)), "")
        await call.services.auditing.note(
            ACTIONS[area],
            actor=call.actor,
            peer=call.client_ip,
            subject=f"{act} {about}".strip(),
            detail=fields,
        )
    return json_answer(said)


async def caller_of(call: Call, row: Row, fields: dict[str, Any]) -> Caller:
    """Somebody who may do everything, in the main account or the one that is named. Raises
    Refusal."""
    account = fields.get("subaccount_id") or MASTER
    if account != MASTER and row.path != "subaccounts/usage":
        api = call.services.sending_api
        if not isinstance(account, str) or not await api.subaccounts.exists(account):
            raise Refusal("There is no such subaccount")
    everything = Credential(API_KEY, MASTER, "", CredentialSettings(), ("*",))
    return Caller(everything, account, call.client_ip)
