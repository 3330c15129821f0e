"""One number for where a mail comes from: the sum of what was found out about it.

The higher, the more speaks against the author that it names; 0 says that nothing is known. The
number is for people and their filters: nothing here is refused or hidden because of it.

A stored message never changes, so the number stands in answers, and in front of a copy that
somebody downloads where an administrator wants it so (`score_header`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from mailbox_service.core.look_alikes import look_alikes
from mailbox_service.core.stored import StoredVerdicts
from mailbox_service.core.verdicts import field_value

FIELD = "X-Mailbox-Score"
LINE = 76  # characters (RFC 5322 §2.1.1)
# What is looked at of a header section, as for trace fields.
SECTION_OCTETS = 262_144

# DMARC alone is about the author whom readers see, so it counts most. A chain of ARC that holds
# says only that some hosts vouch for what they saw, and anybody may be such a host: it counts
# nothing. What is absent, neutral or unanswered counts nothing either.
POINTS: Mapping[str, Mapping[str, int]] = {
    "spf": {"pass": -1, "softfail": 1, "fail": 2, "permerror": 1},
    "dkim": {"pass": -1, "policy": 1, "fail": 1, "permerror": 1},
    "dmarc": {"pass": -2, "fail": 4, "permerror": 1},
    "arc": {"fail": 1},
}
LOOK_ALIKE_POINTS: Mapping[str, int] = {
    "name-shows-other-address": 3,
    "mixed-scripts": 3,
    "looks-like-ours": 4,
}

_blank_line = re.compile(rb"\r?\n\r?\n").search
_score_field = re.compile(
    rb"^x-mailbox-score[ \t]*+:[^\r\n]*+(?:\r?\n[ \t][^\r\n]*+)*+(?:\r?\n|\Z)",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Score:
    """The sum, and what it was made of: (`dmarc=fail`, 4) …"""

    points: int
    signs: tuple[tuple[str, int], ...]


def score(
    verdicts: StoredVerdicts, from_name: str, from_address: str, own_domains: Collection[str]
) -> Score:
    """The score of a mail, by its verdicts and by what its author looks like."""
    signs = (*_of_verdicts(verdicts), *_of_author(from_name, from_address, own_domains))
    return Score(sum(points for _, points in signs), signs)


def _of_verdicts(verdicts: StoredVerdicts) -> Iterable[tuple[str, int]]:
    for method, points in POINTS.items():
        result = getattr(verdicts, method)
        if result in points:
            yield f"{method}={result}", points[result]


def _of_author(name: str, address: str, own: Collection[str]) -> Iterable[tuple[str, int]]:
    for sign in look_alikes(name, address, own):
        yield sign, LOOK_ALIKE_POINTS[sign]


def with_score(
    content: bytes, found: Score | None, verdicts: StoredVerdicts | None, authserv_id: str
) -> bytes:
    """A copy of a message under our fields: the score, and the results as Authentication-Results
    (RFC 8601). Scores that came with the message are taken out, for whoever filters by the field
    would believe them. Without a score yet, nothing is put on top."""
    plain = without_scores(content)
    if found is None or verdicts is None:
        return plain
    signs = ", ".join(f"{name} {points:+d}" for name, points in found.signs)
    value = f"{found.points} ({signs})" if signs else str(found.points)
    results = field_value(authserv_id, verdicts.results)
    return folded(FIELD, value) + folded("Authentication-Results", results) + plain


def without_scores(content: bytes) -> bytes:
    """The message without score fields of others; all else octet for octet."""
    if content.startswith((b"\r\n", b"\n")):
        return content
    blank = _blank_line(content, 0, SECTION_OCTETS)
    end = min(len(content), SECTION_OCTETS) if blank is None else blank.start() + 2
    section = content[:end]
    if FIELD.lower().encode() not in section.lower():
        return content
    return _score_field.sub(b"", section) + content[end:]


def folded(name: str, value: str) -> bytes:
    """A field on lines of at most 76 characters, as far as its words allow it."""
    lines = [f"{name}:"]
    for word in value.split(" "):
        if len(lines[-1]) + 1 + len(word) > LINE and lines[-1] != f"{name}:":
            lines.append("")
        lines[-1] += f" {word}"
    return ("\r\n".join(lines) + "\r\n").encode("utf-8", "replace")
