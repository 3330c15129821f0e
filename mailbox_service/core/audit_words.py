"""The audit log in words: what each action is called, and who may have done it."""

from __future__ import annotations

from collections.abc import Sequence

from mailbox_service.core.told import Told, Words

# Actions by their names in the log. The part before the dot says what they are about.
ACTIONS = Words(
    "audit",
    {
        "address.open": "Address opened",
        "address.delete": "Address deleted",
        "address.show_token": "Key of an address shown",
        "address.revoke_tokens": "All keys of an address ended",
        "address.password": "Password of an address set",
        "address.lifetime": "End of an address changed",
        "address.clear_inbox": "Inbox emptied",
        "address.clear_sent": "Sent box emptied",
        "mail.read": "Somebody's mail read",
        "mail.send": "Mail sent in the name of an address",
        "mail.delete": "Mail deleted",
        "sent.read": "Somebody's sent mail read",
        "sent.delete": "Sent mail deleted",
        "allowance.change": "Permission to send changed",
        "allowance.delete": "Permission to send deleted",
        "queue.retry": "Waiting mail tried again",
        "queue.drop": "Waiting mail given up",
        "user.open": "Account opened",
        "user.delete": "Account deleted",
        "user.password": "Password of an account set",
        "user.role": "Role of an account changed",
        "user.role_limits": "Limits of roles changed",
        "user.bind_address": "Address given to an account",
        "settings.change": "Rules for addresses and mail changed",
        "settings.overrule": "Settings of the file overruled",
        "settings.accounts": "Rules for accounts changed",
        "settings.sign_in": "Sign-in providers changed",
        "settings.access": "Access rules changed",
        "settings.codes": "Rules for finding codes changed",
        "settings.webhooks": "Rules for webhooks changed",
        "settings.mail_webhook": "Webhook for all mail changed",
        "settings.telegram": "Telegram settings changed",
        "settings.cleanup": "Nightly cleanup changed",
        "settings.kept_value": "Value kept for another client changed",
        "cleanup.run": "Cleanup run by hand",
        "webhook.test": "Test sent to a webhook",
        "webhook.replay": "Webhook post sent again",
        "webhook.cancel": "Webhook post cancelled",
        "domain.rotate_dkim": "New signing key made",
        "sending.keys": "API keys changed",
        "sending.users": "SMTP users changed",
        "sending.servers": "SMTP servers of programs changed",
        "sending.places": "Network addresses of the sending API changed",
        "sending.templates": "Templates changed",
        "sending.suppressions": "Suppressions changed",
        "sending.webhooks": "Webhooks of the sending API changed",
        "sending.lists": "Allowed senders or recipients changed",
        "sending.senders": "Single senders changed",
        "sending.domains": "Sender domains changed",
        "sending.subaccounts": "Subaccounts changed",
        "sending.scheduled": "Scheduled mail cancelled",
        "telegram.register": "Telegram bot registered",
        "apikey.new": "API key made",
        "apikey.trust": "Network address allowed for sending",
        "import.mail": "Mail imported",
        "import.deployment": "Another service moved in",
        "login.failed": "Wrong admin password",
    },
)
# Who did it, as the log has it.
ADMIN_PASSWORD = "admin password"  # noqa: S105
ANYBODY = "anybody (no password is asked for)"
COMMAND_LINE = "command line"
NOBODY = "nobody"
ACTORS = Words(
    "actor",
    {
        "password": ADMIN_PASSWORD,
        "anybody": ANYBODY,
        "command-line": COMMAND_LINE,
        "nobody": NOBODY,
        "account": "user {id} ({email})",
    },
)


def account_actor(user_id: object, email: object) -> str:
    """An account that administrates, as the log names it."""
    return str(ACTORS.say("account", id=str(user_id), email=str(email)))


def account_of(actor: str) -> int | None:
    """The account that an actor of the log is; None for any other."""
    told = ACTORS.recognise(actor)
    if told is None or told.code != "actor.account":
        return None
    number = str(told.values["id"])
    return int(number) if number.isascii() and number.isdigit() and len(number) < 19 else None


def action_words(action: str) -> Told | None:
    """An action in words; None for one that has none."""
    return ACTIONS.say(action) if action in ACTIONS.names else None


def known_actions() -> Sequence[tuple[str, Told]]:
    """Every action that has words, with them, those about the same beside each other."""
    return [(name, ACTIONS.say(name)) for name in ACTIONS.names]
