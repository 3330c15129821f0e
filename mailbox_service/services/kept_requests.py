"""Requests that come again, and what is remembered of them: keys, fingerprints, records."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

import msgspec

from mailbox_service.core.address import split
from mailbox_service.core.compose import Draft
from mailbox_service.core.envelope import Envelope, Principal
from mailbox_service.core.errors import BadRequest
from mailbox_service.services.queueing import Key

# A key is a UUID or a hash; longer ones are not.
LONGEST_KEY = 256


def new_message_id(queue_id: str, reverse_path: str) -> str:
    """A Message-ID of ours (RFC 5322 §3.6.4), at the sender's domain."""
    return f"<{queue_id.lower()}@{split(reverse_path)[1]}>"


def key_of(principal: Principal, key: str | None, fingerprint: str) -> Key | None:
    """A client's key, tied to its principal and its request."""
    if not key:
        return None
    if len(key) > LONGEST_KEY:
        raise BadRequest(f"The idempotency key is longer than {LONGEST_KEY} characters")
    return Key(principal.key, key, fingerprint)


def envelope_fingerprint(envelope: Envelope, content: bytes) -> str:
    """What makes one submission the same as another."""
    digest = hashlib.sha256("\n".join((envelope.reverse_path, *envelope.recipients)).encode())
    digest.update(b"\n\n" + content)
    return digest.hexdigest()


def draft_fingerprint(draft: Draft) -> str:
    """What makes one draft the same as another: everything in it, files included."""
    digest = hashlib.sha256(repr(replace(draft, attachments=())).encode(errors="replace"))
    for file in draft.attachments:
        digest.update(repr(replace(file, content=b"")).encode(errors="replace"))
        digest.update(hashlib.sha256(file.content).digest())
    return digest.hexdigest()


def json_text(value: Mapping[str, object]) -> str:
    """A record as it is kept."""
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:  # a lone surrogate is kept as its escape
        return json.dumps(value)


def record_of(request: Mapping[str, object], ip: str) -> dict[str, object]:
    """The contract's record of a request (mailbox API §10.8): without the token, and without
    the bytes of files, which are in the message."""
    kept = {name: value for name, value in request.items() if name != "token"}
    files = kept.get("attachments")
    if isinstance(files, list):
        kept["attachments"] = [
            {name: value for name, value in file.items() if name != "content"}
            for file in files
            if isinstance(file, dict)
        ]
    return {"version": "v2", **kept, "geoData": {"ip": ip or "unknown"}}
