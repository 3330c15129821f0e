"""SPF by RFC 7208, with another implementation (pyspf) as the judge of our reading."""

from __future__ import annotations

import random
import warnings
from typing import Any

import pytest

from mailbox_service.core import spf
from mailbox_service.outbound.dns import Resolver
from tests.nameserver import NameServer, serving
from tests.zones import Zone

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its regular expressions are older than raw strings
    import spf as pyspf  # type: ignore[import-untyped]  # no stubs exist

pytestmark = pytest.mark.anyio

IP4, IP6, OTHER = "192.0.2.3", "2001:db8::3", "198.51.100.9"
HELO = "mx.sender.example"
SENDER = "strong-bad@sender.example"

HOSTS: dict[tuple[str, str], list[str]] = {
    ("sender.example", "A"): ["192.0.2.3", "192.0.2.10"],
    ("sender.example", "AAAA"): ["2001:db8::3"],
    ("sender.example", "MX"): ["10 mx.sender.example.", "5 mx2.sender.example."],
    ("mx.sender.example", "A"): ["192.0.2.129"],
    ("mx2.sender.example", "A"): ["192.0.2.130"],
    ("mx.sender.example", "AAAA"): ["2001:db8:1::1"],
    ("passes.example", "TXT"): ["v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all"],
    ("fails.example", "TXT"): ["v=spf1 -all"],
    ("neutral.example", "TXT"): ["v=spf1 ?all"],
    ("broken.example", "TXT"): ["v=spf1 nonsense"],
    ("two.example", "TXT"): ["v=spf1 -all", "v=spf1 +all"],
    ("silent.example", "TXT"): ["something else"],
    ("3.2.0.192.in-addr.arpa", "PTR"): ["host.sender.example.", "liar.example."],
    ("host.sender.example", "A"): ["192.0.2.3"],
    ("liar.example", "A"): ["198.51.100.1"],
    ("strong-bad.lp.sender.example", "A"): ["127.0.0.2"],
    ("192.0.2.3._spf.sender.example", "A"): ["127.0.0.2"],
    ("3.2.0.192.in-addr._spf.sender.example", "A"): ["127.0.0.2"],
    ("bad.strong.x.sender.example", "A"): ["127.0.0.2"],
    ("host.sender.example.p.example", "A"): ["127.0.0.2"],
    ("mx.sender.example.h.example", "A"): ["127.0.0.2"],
}
for number in range(12):
    HOSTS[f"chain{number}.example", "TXT"] = [f"v=spf1 include:chain{number + 1}.example -all"]
    HOSTS["many.example", "MX"] = [f"{n} m{n}.many.example." for n in range(number)]
    HOSTS[f"m{number}.many.example", "A"] = ["198.51.100.77"]
HOSTS["loop.example", "TXT"] = ["v=spf1 redirect=loop.example"]

# The record of sender.example, the peer's address, the result.
CASES: list[tuple[str, str, str]] = [
    # The words of §4.6 and §8.
    ("v=spf1", IP4, "neutral"),
    ("v=spf1 ", IP4, "neutral"),
    ("v=spf10 -all", IP4, "none"),
    ("v=SPF1 -all", IP4, "fail"),
    ("v=spf1 -ALL", IP4, "fail"),
    ("v=spf1  ~all  ", IP4, "softfail"),
    ("v=spf1 ?all", IP4, "neutral"),
    ("v=spf1 all", OTHER, "pass"),
    ("v=spf1 -all:x", IP4, "permerror"),
    ("v=spf1 -all/8", IP4, "permerror"),
    ("v=spf1 nonsense", IP4, "permerror"),
    ("v=spf1 +all nonsense", IP4, "permerror"),
    ("v=spf1 ip4:192.0.2.3 unknown=words -all", IP4, "pass"),
    ("v=spf1 -all exp=exp.%{d}", IP4, "fail"),
    ("v=spf1 exp=a.example exp=b.example -all", IP4, "permerror"),
    ("v=spf1 redirect=passes.example redirect=passes.example", IP4, "permerror"),
    ("v=spf1 mo\x7fre=x -all", IP4, "permerror"),
    # Networks (§5.6).
    ("v=spf1 ip4:192.0.2.0/24 -all", IP4, "pass"),
    ("v=spf1 ip4:192.0.2.99/24 -all", IP4, "pass"),
    ("v=spf1 ip4:192.0.2.0/24 -all", OTHER, "fail"),
    ("v=spf1 ip4:192.0.2.3 -all", f"::ffff:{IP4}", "pass"),
    ("v=spf1 ip4:192.0.2.3/32 -all", IP4, "pass"),
    ("v=spf1 ip4:1.1.1.1/0 -all", IP4, "pass"),
    ("v=spf1 ip4:192.0.2.3/33 -all", IP4, "permerror"),
    ("v=spf1 ip4:192.0.2.3/032 -all", IP4, "permerror"),
    ("v=spf1 ip4:192.0.2 -all", IP4, "permerror"),
    ("v=spf1 ip4 -all", IP4, "permerror"),
    ("v=spf1 ip4: -all", IP4, "permerror"),
    ("v=spf1 ip6:2001:db8::/32 -all", IP6, "pass"),
    ("v=spf1 ip6:2001:db8::/32 -all", IP4, "fail"),
    ("v=spf1 ip6:2001:db8::/129 -all", IP6, "permerror"),
    ("v=spf1 ip6:::1%eth0 -all", IP6, "permerror"),
    # Hosts (§5.3, §5.4).
    ("v=spf1 a -all", IP4, "pass"),
    ("v=spf1 a -all", IP6, "pass"),
    ("v=spf1 a -all", OTHER, "fail"),
    ("v=spf1 -a", IP4, "fail"),
    ("v=spf1 a/24 -all", "192.0.2.77", "pass"),
    ("v=spf1 a//64 -all", "2001:db8::77", "pass"),
    ("v=spf1 a/24//64 -all", "2001:db8::77", "pass"),
    ("v=spf1 a:mx.sender.example -all", "192.0.2.129", "pass"),
    ("v=spf1 a:mx.sender.example/24 -all", IP4, "pass"),
    ("v=spf1 a: -all", IP4, "permerror"),
    ("v=spf1 a:/24 -all", IP4, "permerror"),
    ("v=spf1 a/33 -all", IP4, "permerror"),
    ("v=spf1 a:localhost -all", IP4, "permerror"),
    ("v=spf1 a:1.2.3.4 -all", IP4, "permerror"),
    ("v=spf1 a:nowhere.example -all", IP4, "fail"),
    ("v=spf1 mx -all", "192.0.2.129", "pass"),
    ("v=spf1 mx -all", IP4, "fail"),
    ("v=spf1 mx/24 -all", IP4, "pass"),
    ("v=spf1 mx:many.example -all", IP4, "permerror"),
    # Other policies (§5.2, §6.1).
    ("v=spf1 include:passes.example -all", IP4, "pass"),
    ("v=spf1 -include:passes.example", IP4, "fail"),
    ("v=spf1 include:fails.example ?all", IP4, "neutral"),
    ("v=spf1 include:neutral.example -all", IP4, "fail"),
    ("v=spf1 include:broken.example +all", IP4, "permerror"),
    ("v=spf1 include:two.example +all", IP4, "permerror"),
    ("v=spf1 include:silent.example +all", IP4, "permerror"),
    ("v=spf1 include:nowhere.example +all", IP4, "permerror"),
    ("v=spf1 include -all", IP4, "permerror"),
    ("v=spf1 redirect=passes.example", IP4, "pass"),
    ("v=spf1 redirect=fails.example", IP4, "fail"),
    ("v=spf1 redirect=silent.example", IP4, "permerror"),
    ("v=spf1 redirect=nowhere.example", IP4, "permerror"),
    ("v=spf1 ?all redirect=fails.example", IP4, "neutral"),
    # Macros and lists of names (§5.5, §5.7, §7).
    ("v=spf1 exists:%{l}.lp.%{d} -all", IP4, "pass"),
    ("v=spf1 exists:%{l}.lp.%{d} -all", IP6, "pass"),
    ("v=spf1 exists:%{i}._spf.%{o} -all", IP4, "pass"),
    ("v=spf1 exists:%{ir}.%{v}._spf.%{d2} -all", IP4, "pass"),
    ("v=spf1 exists:%{lr-}.x.%{d} -all", IP4, "pass"),
    ("v=spf1 exists:%{h}.h.example -all", IP4, "pass"),
    ("v=spf1 exists:%{p}.p.example -all", IP4, "pass"),
    ("v=spf1 exists:%{l}.none.%{d} -all", IP4, "fail"),
    ("v=spf1 exists:%{d0}.x.example -all", IP4, "permerror"),
    ("v=spf1 exists:%{x}.example -all", IP4, "permerror"),
    ("v=spf1 exists:%(d).example -all", IP4, "permerror"),
    ("v=spf1 exists -all", IP4, "permerror"),
    ("v=spf1 exists: -all", IP4, "permerror"),
    ("v=spf1 ptr -all", IP4, "pass"),
    ("v=spf1 ptr:sender.example -all", IP4, "pass"),
    ("v=spf1 ptr:host.sender.example -all", IP4, "pass"),
    ("v=spf1 ptr:other.example -all", IP4, "fail"),
    ("v=spf1 ptr:liar.example -all", IP4, "fail"),
    ("v=spf1 ptr -all", OTHER, "fail"),
    # Limits (§4.6.4).
    ("v=spf1 include:chain2.example -all", IP4, "permerror"),
    ("v=spf1 redirect=loop.example", IP4, "permerror"),
    ("v=spf1" + " a:host.sender.example" * 10 + " -all", OTHER, "fail"),
    ("v=spf1" + " a:host.sender.example" * 11 + " -all", OTHER, "permerror"),
    ("v=spf1 a:n1.example a:n2.example -all", IP4, "fail"),
    ("v=spf1 a:n1.example a:n2.example a:n3.example -all", IP4, "permerror"),
]


def zone_of(record: str) -> Zone:
    return Zone({**HOSTS, ("sender.example", "TXT"): ["v=other", record]})


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch) -> Zone:
    """pyspf, asking a zone of ours."""
    zone = Zone({})

    def look_up(name: str, kind: str, *_: Any) -> list[tuple[tuple[str, str], Any]]:
        if name.lower() in zone.failing:
            raise pyspf.TempError("no answer")
        found = zone.records.get((name.lower(), kind), ())
        if kind == "TXT":
            return [((name, kind), [text.encode()]) for text in found]
        if kind == "MX":
            pairs = [text.split() for text in found]
            return [((name, kind), (int(best), host.rstrip("."))) for best, host in pairs]
        if kind == "AAAA":
            return [((name, kind), pyspf.ipaddress.ip_address(text).packed) for text in found]
        return [((name, kind), text.rstrip(".")) for text in found]

    monkeypatch.setattr(pyspf, "DNSLookup", look_up)
    return zone


def judged(oracle: Zone, ip: str, sender: str = SENDER, helo: str = HELO) -> str:
    return str(pyspf.check2(i=ip, s=sender, h=helo)[0])


async def result_of(zone: Zone, ip: str, sender: str = SENDER, helo: str = HELO) -> str:
    return (await spf.check(zone, ip=ip, helo=helo, reverse_path=sender)).result


# Where pyspf and the standard part.
NOT_AS_PYSPF = {
    "v=spf1 exists:%{d0}.x.example -all",  # it takes no label of a name for all
}


@pytest.mark.parametrize(("record", "ip", "expected"), CASES)
async def test_a_record_decides_as_the_standard_says(
    oracle: Zone, record: str, ip: str, expected: str
) -> None:
    zone = zone_of(record)
    assert await result_of(zone, ip) == expected
    if record not in NOT_AS_PYSPF:
        oracle.records = zone.records
        assert judged(oracle, ip.removeprefix("::ffff:")) == expected, "pyspf reads it otherwise"


@pytest.mark.parametrize(
    ("sender", "helo", "expected"),
    [
        ("x@nowhere.example", HELO, "none"),
        ("x@silent.example", HELO, "none"),
        ("x@two.example", HELO, "permerror"),
        ("x@localhost", HELO, "none"),
        (f"x@{'a' * 64}.example", HELO, "none"),
        (f"x@{'a.' * 130}example", HELO, "none"),
        ("", "passes.example", "pass"),
        ("", "fails.example", "fail"),
        ("", "unknown", "none"),
        ("", "", "none"),
        ("@passes.example", HELO, "pass"),
    ],
)
async def test_whose_policy_it_is(sender: str, helo: str, expected: str) -> None:
    """With the null reverse-path the name of the peer is judged (RFC 7208 §2.4)."""
    found = await spf.check(Zone(HOSTS), ip=IP4, helo=helo, reverse_path=sender)
    assert found.result == expected
    assert found.identity == ("mailfrom" if sender else "helo")


async def test_a_peer_without_an_address_is_not_judged() -> None:
    assert await result_of(zone_of("v=spf1 -all"), "unknown") == "none"


@pytest.mark.parametrize(
    ("record", "failing", "expected"),
    [
        ("v=spf1 a:gone.example -all", "gone.example", "temperror"),
        ("v=spf1 include:gone.example -all", "gone.example", "temperror"),
        ("v=spf1 mx -all", "mx2.sender.example", "temperror"),
        ("v=spf1 ip4:192.0.2.3 a:gone.example -all", "gone.example", "pass"),
        ("v=spf1 ptr -all", "3.2.0.192.in-addr.arpa", "fail"),
        ("v=spf1 ptr -all", "host.sender.example", "fail"),
        ("v=spf1 -all", "sender.example", "temperror"),
    ],
)
async def test_no_answer_now_is_no_verdict(record: str, failing: str, expected: str) -> None:
    zone = zone_of(record)
    zone.failing = frozenset({failing})
    assert await result_of(zone, IP4) == expected


async def test_no_policy_makes_us_ask_without_end() -> None:
    """Ten terms with eleven mail hosts each would be a hundred questions; there is a bound."""
    records = dict(HOSTS)
    for one in range(10):
        records[f"big{one}.example", "MX"] = [f"1 h{n}.big{one}.example." for n in range(10)]
        for n in range(10):
            records[f"h{n}.big{one}.example", "A"] = ["198.51.100.1"]
    text = "v=spf1 " + " ".join(f"mx:big{one}.example" for one in range(10)) + " -all"
    zone = Zone({**records, ("sender.example", "TXT"): [text]})
    assert await result_of(zone, IP4) == "fail"
    assert len(zone.asked) <= 1 + 10 * 11


@pytest.mark.parametrize(
    "text",
    [
        "v=spf1 " + "a" * 4000,
        "v=spf1 exists:" + "%{l" * 1000,
        "v=spf1 a:" + "%{d}." * 800 + "example",
        "v=spf1 " + "ip4:1.2.3.4 " * 400,
        "v=spf1 exists:%{s" + "." * 3000 + "}.example",
        "v=spf1 include:" + "%" * 3000,
    ],
)
async def test_hostile_records_cost_little(text: str) -> None:
    """Each comes back; a pattern that tried all ways would not."""
    assert await result_of(zone_of(text), IP4) in ("permerror", "neutral", "temperror")


TERMS = [
    *("a", "mx", "ptr", "a/24", "mx//64", "a:host.sender.example", "mx:many.example"),
    *("ip4:192.0.2.0/24", "ip4:198.51.100.0/25", "ip6:2001:db8::/48", "include:passes.example"),
    *("include:fails.example", "include:neutral.example", "include:silent.example"),
    *("include:chain7.example", "exists:%{l}.lp.%{d}", "exists:%{ir}.nowhere.%{d}"),
    *("a:nowhere.example", "redirect=passes.example", "exp=x.example", "all", "a:", "word"),
]


@pytest.mark.parametrize("seed", range(8))
async def test_policies_put_together_at_random_are_read_alike(oracle: Zone, seed: int) -> None:
    """Differential: forty policies a seed, both readers, three peers."""
    chance = random.Random(seed)
    for _ in range(40):
        count = chance.randrange(1, 6)
        words = [chance.choice(["", "-", "~", "?"]) + chance.choice(TERMS) for _ in range(count)]
        record = "v=spf1 " + " ".join(word.lstrip("-~?") if "=" in word else word for word in words)
        zone = zone_of(record)
        oracle.records = zone.records
        for ip in (IP4, IP6, OTHER):
            assert await result_of(zone, ip) == judged(oracle, ip), (record, ip)


async def test_it_asks_real_name_servers() -> None:
    records = {
        **HOSTS,
        ("sender.example", "TXT"): ['"v=spf1 mx ptr" " include:fails.example -all"'],
    }
    records["fails.example", "TXT"] = ['"v=spf1 -all"']
    async with serving(
        NameServer(records={key: list(value) for key, value in records.items()})
    ) as server:
        resolver = Resolver([server.address], server_seconds=5, question_seconds=10)
        for ip, expected in ((IP4, "pass"), ("192.0.2.129", "pass"), (OTHER, "fail")):
            found = await spf.check(resolver, ip=ip, helo=HELO, reverse_path=SENDER)
            assert (found.result, found.domain) == (expected, "sender.example")
        server.failing.add("late.example")
        found = await spf.check(resolver, ip=IP4, helo=HELO, reverse_path="x@late.example")
        assert found.result == "temperror"
