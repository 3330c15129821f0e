"""DMARC: alignment and policies (RFC 7489)."""

from __future__ import annotations

import pytest

from mailbox_service.core import dmarc
from mailbox_service.core.dmarc import DmarcRecord, DmarcResult
from tests.zones import Zone

pytestmark = pytest.mark.anyio


async def judged(
    record: str | list[str] | None,
    *,
    author: str = "sender.example",
    spf: str | None = None,
    dkim: tuple[str, ...] = (),
    where: str = "_dmarc.sender.example",
    uncertain: bool = False,
    sample: int = 0,
) -> DmarcResult:
    texts = [record] if isinstance(record, str) else record
    zone = Zone({(where, "TXT"): texts} if texts is not None else {})
    return await dmarc.check(
        zone,
        author_domains=[author],
        spf_domain=spf,
        dkim_domains=dkim,
        uncertain=uncertain,
        sample=sample,
    )


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("v=DMARC1; p=none", DmarcRecord("none", "none")),
        ("v=DMARC1;p=reject;sp=quarantine", DmarcRecord("reject", "quarantine")),
        ("v=DMARC1; p=REJECT; adkim=S; aspf=s", DmarcRecord("reject", "reject", True, True)),
        (
            "v=DMARC1; p=quarantine; pct=25; rua=mailto:a@b.example; x=y",
            DmarcRecord("quarantine", "quarantine", percent=25),
        ),
        ("v=DMARC1; p=none; pct=101", DmarcRecord("none", "none")),
        ("v=DMARC1; p=none; pct=-1", DmarcRecord("none", "none")),
        ("v=DMARC1; p=none; adkim=odd", DmarcRecord("none", "none")),
        ("v=DMARC1", None),
        ("v=DMARC1; p=odd", None),
        ("v=DMARC1; p=odd; rua=mailto:a@b.example", DmarcRecord("none", "none")),
        ("v=DMARC1; p=reject; sp=odd", None),
        ("v=DMARC1; p=reject; sp=odd; rua=mailto:a@b.example", DmarcRecord("none", "none")),
    ],
)
def test_a_record_is_read_by_its_tags(record: str, expected: DmarcRecord | None) -> None:
    assert dmarc.read_record(record.encode()) == expected


@pytest.mark.parametrize(
    ("domain", "organisation"),
    [
        ("sender.example", "sender.example"),
        ("a.b.sender.example", "sender.example"),
        ("mail.shop.co.uk", "shop.co.uk"),
        ("shop.co.uk", "shop.co.uk"),
        ("co.uk", "co.uk"),
        ("x.github.io", "x.github.io"),
        ("Mail.Shop.CO.UK.", "shop.co.uk"),
        ("localhost", "localhost"),
    ],
)
def test_an_organisation_is_below_a_public_suffix(domain: str, organisation: str) -> None:
    assert dmarc.organisational_domain(domain) == organisation


@pytest.mark.parametrize(
    ("proved", "author", "relaxed", "strict"),
    [
        ("sender.example", "sender.example", True, True),
        ("Sender.Example.", "sender.example", True, True),
        ("mail.sender.example", "sender.example", True, False),
        ("sender.example", "news.sender.example", True, False),
        ("a.sender.example", "b.sender.example", True, False),
        ("evilsender.example", "sender.example", False, False),
        ("sender.example.evil.example", "sender.example", False, False),
        ("a.co.uk", "b.co.uk", False, False),
        ("co.uk", "b.co.uk", False, False),
        ("x.github.io", "y.github.io", False, False),
    ],
)
def test_which_names_belong_together(proved: str, author: str, relaxed: bool, strict: bool) -> None:
    assert dmarc.aligned(proved, author, strict=False) is relaxed
    assert dmarc.aligned(proved, author, strict=True) is strict


async def test_one_aligned_proof_is_enough() -> None:
    for spf, dkim, expected in (
        ("sender.example", (), "pass"),
        ("bounces.sender.example", (), "pass"),
        (None, ("sender.example",), "pass"),
        (None, ("list.example", "mail.sender.example"), "pass"),
        ("list.example", ("list.example",), "fail"),
        (None, (), "fail"),
    ):
        found = await judged("v=DMARC1; p=reject", spf=spf, dkim=dkim)
        assert found.result == expected, (spf, dkim)
        assert found.policy == "reject"


async def test_strict_policies_want_the_very_name() -> None:
    found = await judged("v=DMARC1; p=none; aspf=s", spf="mail.sender.example")
    assert found.result == "fail"
    found = await judged("v=DMARC1; p=none; adkim=s", dkim=("mail.sender.example",))
    assert found.result == "fail"
    found = await judged("v=DMARC1; p=none; adkim=s; aspf=s", dkim=("sender.example",))
    assert found.result == "pass"


async def test_a_subdomain_has_the_policy_of_its_organisation_or_its_own() -> None:
    record = "v=DMARC1; p=reject; sp=quarantine"
    found = await judged(record, author="news.sender.example")
    assert (found.result, found.policy) == ("fail", "quarantine")
    found = await judged(
        "v=DMARC1; p=none; sp=reject",
        author="news.sender.example",
        where="_dmarc.news.sender.example",
    )
    assert (found.result, found.policy) == ("fail", "none")


@pytest.mark.parametrize(
    "texts",
    [
        None,
        ["something else"],
        ["v=DMARC1"],
        ["v=DMARC1; p=none", "v=DMARC1; p=reject"],
        ["v=dmarc1; p=reject"],
        ["p=reject; v=DMARC1"],
    ],
)
async def test_without_a_policy_there_is_no_verdict(texts: list[str] | None) -> None:
    assert (await judged(texts)).result == "none"


@pytest.mark.parametrize(
    ("policy", "percent", "sample", "disposition"),
    [
        ("reject", 100, 99, "reject"),
        ("reject", 50, 49, "reject"),
        ("reject", 50, 50, "quarantine"),
        ("quarantine", 0, 0, "none"),
        ("none", 100, 0, "none"),
    ],
)
async def test_a_policy_may_be_for_a_part_of_the_mail(
    policy: str, percent: int, sample: int, disposition: str
) -> None:
    found = await judged(f"v=DMARC1; p={policy}; pct={percent}", sample=sample)
    assert (found.result, found.policy, found.disposition) == ("fail", policy, disposition)
    proved = await judged(f"v=DMARC1; p={policy}; pct={percent}", spf="sender.example")
    assert proved.disposition == "none"


async def test_what_is_not_known_now_is_no_failure() -> None:
    assert (await judged("v=DMARC1; p=reject", uncertain=True)).result == "temperror"
    zone = Zone({}, failing=frozenset({"_dmarc.sender.example"}))
    found = await dmarc.check(
        zone,
        author_domains=["sender.example"],
        spf_domain=None,
        dkim_domains=(),
        uncertain=False,
        sample=0,
    )
    assert found.result == "temperror"


@pytest.mark.parametrize("authors", [[], ["a.example", "b.example"]])
async def test_a_mail_has_one_author_domain(authors: list[str]) -> None:
    found = await dmarc.check(
        Zone({}),
        author_domains=authors,
        spf_domain="a.example",
        dkim_domains=["a.example"],
        uncertain=False,
        sample=0,
    )
    assert found.result == "permerror"
