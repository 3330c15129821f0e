"""One strict grammar: what may be an address, and its one spelling."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_service.core.address import (
    MAX_ADDRESS,
    as_written,
    canonical,
    canonical_domain,
    domain_matches,
    parse_path,
    split,
)
from mailbox_service.core.errors import BadAddress, BadRequest

SPELLINGS = [
    ("ann@example.com", "ann@example.com"),
    ("Ann.Lee+Tag@Example.COM", "ann.lee+tag@example.com"),
    ("a@mailbox.localhost", "a@mailbox.localhost"),
    ("a@x.test", "a@x.test"),
    ("a@x.invalid", "a@x.invalid"),
    ("a@x.example", "a@x.example"),
    ("a@ab--cd.example", "a@ab--cd.example"),
    ("user%host@example.com", "user%host@example.com"),
    ("host!user@example.com", "host!user@example.com"),
    ("{!#$&'*/=?^_`|~-}@example.com", "{!#$&'*/=?^_`|~-}@example.com"),
    ("ann@EXÄMPLE.com", "ann@xn--exmple-cua.com"),
    ("ann@XN--EXMPLE-CUA.com", "ann@xn--exmple-cua.com"),
    ("ann@例え.テスト", "ann@xn--r8jz45g.xn--zckzah"),
    ("ann@exämple.localhost", "ann@xn--exmple-cua.localhost"),
    ("ann@example。com", "ann@example.com"),
    ("MÜLLER@example.com", "müller@example.com"),
    ("mu\u0308ller@example.com", "müller@example.com"),
    ("用户@example.com", "用户@example.com"),
    ("\u212aarl@example.com", "karl@example.com"),
    ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
]

REFUSED = [
    "",
    "@",
    "ann",
    "@example.com",
    "ann@",
    "ann@example.com.",
    "ann@.example.com",
    "ann@example..com",
    "ann@-example.com",
    "ann@example-.com",
    "ann@exam_ple.com",
    "ann@localhost",
    "ann@127.0.0.1",
    "ann@[127.0.0.1]",
    "ann@[IPv6:::1]",
    "ann@example.com:25",
    ".ann@example.com",
    "ann.@example.com",
    "a..n@example.com",
    "a nn@example.com",
    " ann@example.com",
    "ann@example.com ",
    "ann@example.com\n",
    "ann@example.com\r\nRCPT TO:<eve@example.com>",
    "a\x00nn@example.com",
    "a\x0bnn@example.com",
    "ann\u2028@example.com",
    "ann\u200b@example.com",
    "ann\u202e@example.com",
    "ann\ud800@example.com",
    "ann＠example.com",
    "a＜n@example.com",
    "a，n@example.com",
    "a≮n@example.com",
    "a\u00a0n@example.com",
    '"ann"@example.com',
    '"a b"@example.com',
    '"a\\"b"@example.com',
    "ann(comment)@example.com",
    "ann@example.com(comment)",
    "ann@(comment)example.com",
    "Ann <ann@example.com>",
    "<ann@example.com>",
    "ann@example.com,bob@example.com",
    "ann@example.com;bob@example.com",
    "ann@bob@example.com",
    "@relay.example:ann@example.com",
    "victim@evil.example(@allowed.example",
    "ann@xn--.com",
    "ann@xn--a.com",
    "ann@exa\u00admple.\u200b",
    "a" * 65 + "@example.com",
    "ü" * 33 + "@example.com",
    "a@" + "b" * 64 + ".com",
    "a@" + "b." * 130 + "com",
    "a" * 100_000,
    "ü@" * 50_000,
]


@pytest.mark.parametrize(("text", "spelling"), SPELLINGS)
def test_an_address_has_one_spelling(text: str, spelling: str) -> None:
    assert canonical(text) == spelling
    assert canonical(spelling) == spelling


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_an_address_is_refused(text: str) -> None:
    """The shapes of hazard 11, and more."""
    with pytest.raises(BadAddress) as refusal:
        canonical(text)
    assert refusal.value.detail.isprintable()
    assert refusal.value.detail.isascii()


def test_a_name_without_dots_is_a_domain_only_when_asked_for() -> None:
    assert canonical("Ann@LocalHost", single_label=True) == "ann@localhost"
    assert canonical("ü@localhost", single_label=True) == "ü@localhost"
    assert canonical_domain("LOCALHOST", single_label=True) == "localhost"
    for text in ("localhost", "local_host", "127"):
        with pytest.raises(BadAddress):
            canonical_domain(text)
    for text in ("127", "a_b", "", ".", "a.", "a@b", "<a>"):
        with pytest.raises(BadAddress):
            canonical_domain(text, single_label=True)


@pytest.mark.parametrize(
    ("text", "spelling"),
    [("Example.COM", "example.com"), ("exämple.com", "xn--exmple-cua.com"), ("a.test", "a.test")],
)
def test_a_domain_has_one_spelling(text: str, spelling: str) -> None:
    assert canonical_domain(text) == spelling


@pytest.mark.parametrize("text", ["", ".", "a..b", "a.b.", "a b.c", "a@b.c", "a.b\n", "ä_b.c"])
def test_what_is_not_a_domain_is_refused(text: str) -> None:
    with pytest.raises(BadAddress):
        canonical_domain(text)


def test_an_address_splits_at_its_at_sign() -> None:
    assert split("ann@example.com") == ("ann", "example.com")


def test_a_subdomain_matches_on_label_boundaries_only() -> None:
    served = {"example.com", "x.test"}
    assert domain_matches("example.com", served)
    assert domain_matches("a.b.example.com", served)
    assert not domain_matches("notexample.com", served)
    assert not domain_matches("com", served)
    assert not domain_matches("example.com.evil.test", served)
    assert not domain_matches("", served)


@pytest.mark.parametrize(
    ("text", "path", "parameters"),
    [
        ("<Ann@Example.com>", "ann@example.com", ""),
        (" <ann@example.com> ", "ann@example.com", ""),
        ("<>", "", ""),
        ("<> SIZE=10", "", "SIZE=10"),
        ("<ann@example.com> SIZE=10 BODY=8BITMIME", "ann@example.com", "SIZE=10 BODY=8BITMIME"),
        ("<ü@example.com> SMTPUTF8", "ü@example.com", "SMTPUTF8"),
    ],
)
def test_a_path_is_an_address_and_its_parameters(text: str, path: str, parameters: str) -> None:
    assert parse_path(text) == (path, parameters)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ann@example.com",
        "<ann@example.com",
        "ann@example.com>",
        "<<ann@example.com>>",
        "<ann@example.com>>",
        "<a<b@example.com>c@example.com>",
        "<ann@example.com>SIZE=1",
        "<ann@example.com>\tSIZE=1",
        "< ann@example.com>",
        "<@relay.example:ann@example.com>",
        "<@relay.example,@second.example:ann@example.com>",
        "<ann@[127.0.0.1]>",
        '<"ann"@example.com>',
        "<ann@example.com.>",
        "<ann(x)@example.com>",
        "<postmaster>",
        "<ann>",
        "<ann@localhost>",
        "< >",
        "<ann@example.com> " + "X" * 3000,
    ],
)
def test_a_path_that_is_none_is_refused(text: str) -> None:
    """Hazard 11: no shape of a path names another mailbox than the one that is written."""
    with pytest.raises(BadAddress):
        parse_path(text)


def test_parameters_with_control_characters_are_refused() -> None:
    with pytest.raises(BadRequest):
        parse_path("<ann@example.com> SIZE=1\x00")


def test_postmaster_without_a_domain_belongs_to_the_host_that_is_named() -> None:
    """RFC 5321 §4.5.1: the special case `RCPT TO:<Postmaster>`."""
    assert parse_path("<PostMaster>", postmaster_domain="x.test") == ("postmaster@x.test", "")


ADDRESS_LIKE = st.text(alphabet=string.ascii_letters + '.-_+@<>(),;:"\\[]%! üßİſ\u212a。Σ\r\n\0')


@given(st.one_of(st.text(), ADDRESS_LIKE, st.emails()))
def test_whatever_passes_is_a_fixed_point_and_safe_on_the_wire(text: str) -> None:
    try:
        address = canonical(text)
    except BadAddress:
        return
    assert canonical(address) == address
    assert parse_path(f"<{address}>") == (address, "")
    assert address.isprintable()
    assert not set(address) & set(' <>,;:"()[]\\\r\n\t\0')
    assert address.count("@") == 1
    assert len(address.encode()) <= MAX_ADDRESS
    local, domain = split(address)
    assert 0 < len(local.encode()) <= 64
    assert domain.isascii()
    assert canonical_domain(domain) == domain


@given(st.characters(exclude_categories=["Cs"]), st.characters(exclude_categories=["Cs"]))
def test_every_character_either_has_one_spelling_or_is_refused(first: str, second: str) -> None:
    for text in (f"a{first}{second}@example.com", f"{second}@a{first}b.example"):
        try:
            address = canonical(text)
        except BadAddress:
            continue
        assert canonical(address) == address


@given(st.text(max_size=60))
def test_reading_a_path_accepts_or_says_why(text: str) -> None:
    for path in (text, f"<{text}>", f"<{text}@example.com> {text}"):
        try:
            address, parameters = parse_path(path)
        except (BadAddress, BadRequest):
            continue
        assert address == "" or canonical(address) == address
        assert parameters.isprintable()


AS_WRITTEN = [
    ("John.Doe@Example.COM", "John.Doe@example.com"),
    ("ann@x.example", "ann@x.example"),
    ("A@XN--BCHER-KVA.example", "A@xn--bcher-kva.example"),
    ("Jürgen@Bücher.example", "jürgen@xn--bcher-kva.example"),
]


@pytest.mark.parametrize(("text", "kept"), AS_WRITTEN)
def test_somebody_elses_local_part_is_kept_as_it_was_written(text: str, kept: str) -> None:
    assert as_written(text) == kept
    assert parse_path(f"<{text}> SIZE=1", local_as_written=True) == (kept, "SIZE=1")
    assert canonical(kept) == canonical(text)


def test_what_is_no_address_is_none_as_written_either() -> None:
    for text in ("", "A", "A@", "A b@x.example", '"A"@x.example', "A@[127.0.0.1]", "A@B@x.example"):
        with pytest.raises(BadAddress):
            as_written(text)
