"""What the values of an audit entry are called, and the values that are words themselves.

Settings have their names in the forms of the page; here is what else administrators set.
"""

from __future__ import annotations

from collections.abc import Mapping

from mailbox_service.core.audit import COUNTS
from mailbox_service.core.told import Told, Words

FIELDS = Words(
    "field",
    {
        "address": "Address",
        "address-number": "Number of the address",
        "account": "Account",
        "account-number": "Number of the account",
        "role": "Role",
        "configs": "By role",
        "password": "Password",
        "name": "Name",
        "names": "Names",
        "count": "How many",
        "domain": "Domain",
        "with-prefix": "With the prefix",
        "random-subdomain": "Random subdomain",
        "ends": "Ends after (seconds)",
        "balance": "Mails left",
        "enabled": "Turned on",
        "from": "From",
        "from-name": "Name of the sender",
        "to": "To",
        "to-name": "Name of the recipient",
        "cc": "Copies (Cc)",
        "bcc": "Hidden copies (Bcc)",
        "reply-to": "Answers go to",
        "subject": "Subject",
        "text": "Text",
        "as-html": "As HTML",
        "attachments": "Attachments",
        "answer-to": "Answer to",
        "headers": "Headers",
        "url": "Web address",
        "method": "Method",
        "body": "Body",
        "conditions": "Conditions",
        "kind": "What is deleted",
        "days": "Older than (days)",
        "statements": "Statements",
        "key": "Name of the value",
        "value": "Value",
        "chosen": "Chosen",
        "filter": "Filter",
        "state": "State",
        "reason": "Reason",
        "changed": "Changed",
        "number": "Number",
        "creation": "New addresses",
        "receiving": "Receiving",
        "limits": "Limits",
        "tries-before": "Tries before",
        "fields": "Fields",
        "silent": "Without telling the senders",
        "files": "Files",
        "added": "Added",
        "known": "Already there",
    },
)
# Names of values in requests and answers, and the words for them.
WORDS_OF: Mapping[str, str] = {
    "address": "address",
    "address_id": "address-number",
    "email": "account",
    "user_email": "account",
    "user_id": "account-number",
    "role_text": "role",
    "configs": "configs",
    "password": "password",
    "name": "name",
    "names": "names",
    "count": "count",
    "domain": "domain",
    "enablePrefix": "with-prefix",
    "enableRandomSubdomain": "random-subdomain",
    "expires_in": "ends",
    "balance": "balance",
    "enabled": "enabled",
    "from": "from",
    "from_mail": "from",
    "from_name": "from-name",
    "to": "to",
    "to_mail": "to",
    "to_name": "to-name",
    "cc": "cc",
    "bcc": "bcc",
    "reply_to": "reply-to",
    "replyTo": "reply-to",
    "subject": "subject",
    "content": "text",
    "text": "text",
    "html": "text",
    "is_html": "as-html",
    "attachments": "attachments",
    "in_reply_to": "answer-to",
    "references": "answer-to",
    "headers": "headers",
    "url": "url",
    "method": "method",
    "body": "body",
    "conditions": "conditions",
    "cleanType": "kind",
    "cleanDays": "days",
    "customSqlCleanupList": "statements",
    "key": "key",
    "value": "value",
    "ids": "chosen",
    "filter": "filter",
    "state": "state",
    "recipient": "to",
    "sender": "from",
    "reason": "reason",
    "queue_id": "number",
    "changed": "changed",
    "id": "number",
    "addressCreationSettings": "creation",
    "emailRuleSettings": "receiving",
    "sendMailLimitConfig": "limits",
    "more_tries_before": "tries-before",
    "fields": "fields",
    "silent": "silent",
    "files": "files",
    "added": "added",
    "known": "known",
}


def field_words(name: str) -> Told | None:
    """What a value is called; None for a setting, and for what has no words."""
    word = WORDS_OF.get(name)
    return None if word is None else FIELDS.say(word)


def value_words(value: object) -> Told | None:
    """A value in words, when it stands for what is not kept; None for any other."""
    return COUNTS.recognise(value) if isinstance(value, str) else None
