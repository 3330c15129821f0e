"""Requests to an object store that speaks S3, signed in their address (AWS Signature Version 4,
query form), and the one answer of it that is read.

Only the arithmetic is here. Browsers use such an address as it is; the service itself lists and
deletes with one too, through the guarded client.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

# The longest that a signature may hold.
LONGEST_SECONDS = 604_800
REGION = "auto"  # mailbox-api §3.3
_ALGORITHM = "AWS4-HMAC-SHA256"
_KEPT_IN_PATHS = "/-_.~"
_KEPT_IN_QUERIES = "-_.~"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_ENTRY = re.compile(r"<Contents>(.*?)</Contents>", re.DOTALL)
_KEY = re.compile(r"<Key>([^<]*)</Key>")
_SIZE = re.compile(r"<Size>(\d{1,18})</Size>")
_MODIFIED = re.compile(r"<LastModified>([^<]{1,40})</LastModified>")


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of an object store, and the right to use it."""

    endpoint: str
    name: str
    key_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in a bucket. `modified_at` is microseconds UTC, 0 where that is not told."""

    key: str
    size: int
    modified_at: int


def is_endpoint(url: str) -> bool:
    """Whether a setting names an object store: http or https, a host, perhaps a path."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    return parts.scheme in _DEFAULT_PORTS and bool(parts.hostname) and plain and port != 0


def presigned(
    bucket: Bucket,
    method: str,
    key: str,
    *,
    now: datetime,
    seconds: int,
    query: Sequence[tuple[str, str]] = (),
) -> str:
    """An address under which anybody may make one kind of request for `seconds`."""
    parts = urlsplit(bucket.endpoint)
    default = parts.port in (None, _DEFAULT_PORTS[parts.scheme])
    shown = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    host = shown if default else f"{shown}:{parts.port}"
    tail = f"/{quote(key, safe=_KEPT_IN_PATHS)}" if key else ""
    path = f"{parts.path.rstrip('/')}/{quote(bucket.name, safe='')}{tail}"
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{REGION}/s3/aws4_request"
    fields = [
        *query,
        ("X-Amz-Algorithm", _ALGORITHM),
        ("X-Amz-Credential", f"{bucket.key_id}/{scope}"),
        ("X-Amz-Date", stamp),
        ("X-Amz-Expires", str(max(1, min(seconds, LONGEST_SECONDS)))),
        ("X-Amz-SignedHeaders", "host"),
    ]
    text = "&".join(
        f"{quote(name, safe=_KEPT_IN_QUERIES)}={quote(value, safe=_KEPT_IN_QUERIES)}"
        for name, value in sorted(fields)
    )
    request = "\n".join((method, path, text, f"host:{host}\n", "host", "UNSIGNED-PAYLOAD"))
    digest = hashlib.sha256(request.encode()).hexdigest()
    signature = _mac(
        _signing_key(bucket.secret, stamp[:8]), "\n".join((_ALGORITHM, stamp, scope, digest))
    ).hex()
    return f"{parts.scheme}://{host}{path}?{text}&X-Amz-Signature={signature}"


def _signing_key(secret: str, day: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for word in (day, REGION, "s3", "aws4_request"):
        key = _mac(key, word)
    return key


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def listed(document: str) -> list[StoredObject]:
    """The objects in the answer to a listing (ListObjectsV2). Read by its own few tags: no XML
    reader, and so no entities, ever looks at what a server sends."""
    found = []
    for entry in _ENTRY.findall(document):
        key, size, modified = _KEY.search(entry), _SIZE.search(entry), _MODIFIED.search(entry)
        if key is not None:
            found.append(
                StoredObject(
                    html.unescape(key[1]),
                    int(size[1]) if size else 0,
                    _micros(modified[1]) if modified else 0,
                )
            )
    return found


def _micros(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1_000_000)
    except (ValueError, OverflowError):
        return 0
