"""What was found out about where a mail comes from, as one set of words, and as the field in which
mail programs tell each other (Authentication-Results, RFC 8601)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mailbox_service.core.arc import ArcResult
from mailbox_service.core.dkim_verification import DkimResult, overall
from mailbox_service.core.dmarc import DmarcResult
from mailbox_service.core.errors import BadContent
from mailbox_service.core.header_words import first_mailbox
from mailbox_service.core.mime_parts import read_header
from mailbox_service.core.spf import SpfResult
from mailbox_service.core.stored import StoredVerdicts
from mailbox_service.core.submission_fields import author_addresses

# Characters of one value: addresses are shorter, and nobody reads more.
LONGEST_VALUE = 320

_is_token = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]+").fullmatch
_is_value = re.compile(r"(?:[A-Za-z0-9!#$%&'*+./^_`{|}~-]*@)?[A-Za-z0-9._-]+").fullmatch


@dataclass(frozen=True, slots=True)
class Findings:
    """Every result about one message."""

    spf: SpfResult
    dkim: Sequence[DkimResult]
    dmarc: DmarcResult
    arc: ArcResult

    @property
    def verdicts(self) -> StoredVerdicts:
        """One word a method, and the results as they stand in a field."""
        return StoredVerdicts(
            self.spf.result,
            overall(self.dkim),
            self.dmarc.result,
            self.arc.result,
            "; ".join(self._results()),
        )

    def _results(self) -> Iterable[str]:
        spf = self.spf
        identity = "smtp.mailfrom" if spf.identity == "mailfrom" else "smtp.helo"
        yield _result("spf", spf.result, spf.reason, {identity: spf.value})
        for one in self.dkim:
            yield _result(
                "dkim",
                one.result,
                one.reason,
                {
                    "header.d": one.domain,
                    "header.s": one.selector,
                    "header.a": one.algorithm,
                    "header.b": one.start,
                },
            )
        if not self.dkim:
            yield "dkim=none"
        dmarc = self.dmarc
        asked = {"policy.dmarc": dmarc.policy} if dmarc.policy else {}
        author = {"header.from": dmarc.domain} if dmarc.domain else {}
        yield _result("dmarc", dmarc.result, dmarc.reason, author | asked)
        yield _result("arc", self.arc.result, self.arc.reason, {"header.d": self.arc.domain})


def _result(method: str, result: str, reason: str, properties: dict[str, str]) -> str:
    words = [f"{method}={result}"]
    if reason:
        words.append(f"reason={_quoted(reason)}")
    words += [f"{name}={_value(value)}" for name, value in properties.items() if value]
    return " ".join(words)


def _value(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE and _is_value(text) else _quoted(text)


def _quoted(text: str) -> str:
    """A quoted string (RFC 5322 §3.2.4) that ends no line and no field."""
    plain = "".join(letter for letter in text[:LONGEST_VALUE] if letter.isprintable())
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def field_value(authserv_id: str, results: str) -> str:
    """The value of an Authentication-Results field under our name (RFC 8601 §2.2)."""
    return f"{authserv_id}; {results}"


def author_domains(content: bytes) -> list[str]:
    """The domains of From: as it is read strictly, and else as readers are shown it. None when
    there is no author, or more than one field says who it is."""
    try:
        addresses = author_addresses(content)
    except BadContent:
        header = read_header(content)
        if len(header.all("from")) != 1:
            return []
        addresses = [first_mailbox(header.text("from"))[1]]
    domains = [address.rpartition("@")[2].lower().rstrip(".") for address in addresses]
    return list(dict.fromkeys(filter(None, domains)))
