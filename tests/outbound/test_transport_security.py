"""What domains demand of those who bring them mail, over real TLS, HTTPS and name servers."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256, sha512
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mailbox_service.outbound.connections import Connections
from mailbox_service.outbound.dns import Resolver, TlsaRecord
from mailbox_service.outbound.opening import Opener
from mailbox_service.outbound.routing import Router
from mailbox_service.outbound.sender import Outbound
from mailbox_service.outbound.transport_security import (
    AGAIN_SECONDS,
    LONGEST_AGE,
    StsPolicy,
    TransportSecurity,
    is_usable,
    matches,
    read_policy,
)
from mailbox_service.outbound.webhook import HttpOut
from tests.nameserver import NameServer, serving
from tests.nexthop import Certificate, NextHop, certificate, running
from tests.outbound.wires import LETTER, SHORT

pytestmark = pytest.mark.anyio

POLICY = "version: STSv1\nmode: enforce\nmx: mx.n.test\nmx: *.mx.n.test\nmax_age: 86400\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (POLICY, StsPolicy("enforce", ("mx.n.test", "*.mx.n.test"), 86_400)),
        (POLICY.replace("\n", "\r\n"), StsPolicy("enforce", ("mx.n.test", "*.mx.n.test"), 86_400)),
        (POLICY + "new: thing\n\n", StsPolicy("enforce", ("mx.n.test", "*.mx.n.test"), 86_400)),
        (
            POLICY.replace("enforce", "testing"),
            StsPolicy("testing", ("mx.n.test", "*.mx.n.test"), 86_400),
        ),
        ("version: STSv1\nmode: none\nmax_age: 0", StsPolicy("none", (), 0)),
        (
            POLICY.replace("86400", "9999999999"),
            StsPolicy("enforce", ("mx.n.test", "*.mx.n.test"), LONGEST_AGE),
        ),
        ("version: STSv1\nmode: enforce\nmax_age: 1", None),
        (POLICY.replace("STSv1", "STSv2"), None),
        (POLICY.replace("enforce", "strict"), None),
        (POLICY.replace("86400", "soon"), None),
        (POLICY.replace("86400", "-1"), None),
        (POLICY.replace("*.mx", "mx.*"), None),
        (POLICY + "<html>", None),
        ("", None),
        ("mx: a.b\n" * 1_000 + POLICY, None),
    ],
)
def test_a_policy_is_read_by_its_lines(text: str, expected: StsPolicy | None) -> None:
    """RFC 8461 §3.2."""
    assert read_policy(text) == expected


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("mx.n.test", True),
        ("MX.N.test.", True),
        ("a.mx.n.test", True),
        ("b.a.mx.n.test", False),
        ("n.test", False),
        ("xmx.n.test", False),
        ("mx.n.test.evil.test", False),
    ],
)
def test_an_asterisk_stands_for_one_label(host: str, allowed: bool) -> None:
    policy = read_policy(POLICY)
    assert policy is not None
    assert policy.allows(host) is allowed


def der_of(made: Certificate) -> bytes:
    return x509.load_pem_x509_certificate(made.file.read_bytes()).public_bytes(Encoding.DER)


def spki_of(der: bytes) -> bytes:
    key = x509.load_der_x509_certificate(der).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_keys_are_compared_whole_or_by_their_digest(tmp_path: Path) -> None:
    """RFC 6698 §2.1."""
    der, other = der_of(certificate(tmp_path, "a.test")), der_of(certificate(tmp_path, "b.test"))
    for selector, octets in ((0, der), (1, spki_of(der))):
        for kind, data in ((0, octets), (1, sha256(octets).digest()), (2, sha512(octets).digest())):
            record = TlsaRecord(3, selector, kind, data)
            assert is_usable(record)
            assert matches(der, [TlsaRecord(3, 1, 1, b"x" * 32), record])
            assert not matches(other, [record])
    for unusable in (
        TlsaRecord(2, 1, 1, b"x" * 32),
        TlsaRecord(0, 1, 1, b"x" * 32),
        TlsaRecord(3, 2, 1, b"x" * 32),
        TlsaRecord(3, 1, 3, b"x" * 32),
        TlsaRecord(3, 1, 1, b"x" * 31),
        TlsaRecord(3, 1, 0, b""),
    ):
        assert not is_usable(unusable)


@dataclass
class PolicyServer:
    """An HTTPS server that has one policy."""

    answer: bytes = b""
    port: int = 0
    asked: list[str] = field(default_factory=list)

    def says(self, text: str, status: str = "200 OK", more: str = "") -> None:
        body = text.encode()
        self.answer = (
            f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\n{more}"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        ).encode() + body

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.asked.append(head.split("\r\n")[0])
            writer.write(self.answer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()


@dataclass
class World:
    """A domain n.test with a mail server, a name server and a policy server, and a sender."""

    names: NameServer
    hop: NextHop
    policies: PolicyServer
    security: TransportSecurity
    outbound: Outbound
    mx: Certificate

    async def send(self) -> tuple[int, str, str]:
        answer = (await self.outbound.send("x.test", "a@x.test", ["bob@n.test"], LETTER))[
            "bob@n.test"
        ]
        self.outbound.close()
        return answer.reply.code, answer.reply.enhanced, answer.conversation

    def demands_tls(self, text: str = POLICY, policy_id: str = "1") -> None:
        self.names.records["_mta-sts.n.test", "TXT"] = [f'"v=STSv1; id={policy_id};"']
        self.policies.says(text)

    def names_key(self, *records: str) -> None:
        self.names.records[f"_{self.hop.port}._tcp.mx.n.test", "TLSA"] = list(records)
        self.names.signed |= {"n.test", "mx.n.test", f"_{self.hop.port}._tcp.mx.n.test"}

    def own_key(self) -> str:
        return f"3 1 1 {sha256(spki_of(der_of(self.mx))).hexdigest()}"


@asynccontextmanager
async def world(folder: Path, **options: Any) -> AsyncIterator[World]:
    mx, sts = certificate(folder, "mx.n.test"), certificate(folder, "mta-sts.n.test")
    hop, policies = NextHop(tls=mx.server), PolicyServer()
    records = {
        ("n.test", "MX"): ["10 mx.n.test."],
        ("mx.n.test", "A"): ["127.0.0.1"],
        ("mta-sts.n.test", "A"): ["127.0.0.1"],
    }
    async with serving(NameServer(records=records)) as names, running(hop):
        server = await asyncio.start_server(policies.serve, "127.0.0.1", 0, ssl=sts.server)
        policies.port = server.sockets[0].getsockname()[1]
        resolver = Resolver([names.address], server_seconds=10, question_seconds=10, dnssec=True)
        # A cache would remember what a test changes.
        resolver._resolver.cache = None
        http = HttpOut(resolver, private_addresses=True, tls=sts.client, answer_octets=65_536)
        security = TransportSecurity(
            resolver, http, port=hop.port, https_port=policies.port, **options
        )
        trust = ssl.create_default_context(cafile=str(mx.file))
        outbound = Outbound(
            "mail.x.test",
            "direct",
            router=Router(resolver, "mail.x.test", private_addresses=True),
            port=hop.port,
            timeouts=SHORT,
            opener=Opener("mail.x.test", verifying=trust),
            connections=Connections(unreachable_seconds=0.0),
            security=security,
        )
        try:
            yield World(names, hop, policies, security, outbound, mx)
        finally:
            await http.close()
            server.close()
            await server.wait_closed()


async def test_without_a_demand_mail_goes_as_it_can(tmp_path: Path) -> None:
    async with world(tmp_path, dane=True) as there:
        code, _, conversation = await there.send()
        assert code == 250
        assert "not verified" in conversation
        there.hop.tls = None
        assert (await there.send())[0] == 250
        assert [taken.encrypted for taken in there.hop.taken] == [True, False]


async def test_a_policy_demands_a_certificate_that_verifies(tmp_path: Path) -> None:
    """RFC 8461 §4."""
    async with world(tmp_path) as there:
        there.demands_tls()
        code, _, conversation = await there.send()
        assert code == 250
        assert "certificate verified" in conversation
        assert there.policies.asked == ["GET /.well-known/mta-sts.txt HTTP/1.1"]
        await there.send()
        assert len(there.policies.asked) == 1, "it is remembered"


async def test_a_server_without_tls_gets_nothing_where_a_policy_demands_it(tmp_path: Path) -> None:
    async with world(tmp_path) as there:
        there.demands_tls()
        there.hop.tls = None
        assert (await there.send())[:2] == (0, "4.7.5")
        there.hop.tls = certificate(tmp_path, "other.test").server
        assert (await there.send())[:2] == (0, "4.7.5")
        assert there.hop.taken == []


async def test_a_server_that_the_policy_does_not_name_gets_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as there:
        there.demands_tls(POLICY.replace("mx: mx.n.test\n", ""))
        code, status, conversation = await there.send()
        assert (code, status) == (0, "4.7.5")
        assert "not in the MTA-STS policy" in conversation
        assert there.hop.connections == 0


@pytest.mark.parametrize("mode", ["testing", "none"])
async def test_a_policy_that_demands_nothing_yet_changes_nothing(tmp_path: Path, mode: str) -> None:
    async with world(tmp_path) as there:
        there.demands_tls(POLICY.replace("enforce", mode))
        there.hop.tls = None
        assert (await there.send())[0] == 250


@pytest.mark.parametrize(
    ("status", "text", "more"),
    [
        ("404 Not Found", POLICY, ""),
        ("302 Found", POLICY, "Location: https://mta-sts.n.test/elsewhere\r\n"),
        ("200 OK", "<html>", ""),
    ],
)
async def test_a_policy_that_cannot_be_had_is_none_and_is_not_asked_for_at_once_again(
    tmp_path: Path, status: str, text: str, more: str
) -> None:
    async with world(tmp_path) as there:
        there.demands_tls()
        there.policies.says(text, status, more)
        assert (await there.send())[0] == 250
        assert (await there.send())[0] == 250
        assert len(there.policies.asked) == 1
    assert AGAIN_SECONDS >= 60


async def test_a_policy_from_a_server_with_another_name_is_not_believed(tmp_path: Path) -> None:
    async with world(tmp_path) as there:
        there.demands_tls()
        there.names.records["mta-sts.o.test", "A"] = ["127.0.0.1"]
        there.names.records["_mta-sts.o.test", "TXT"] = ['"v=STSv1; id=1"']
        assert await there.security.sts_policy("o.test") is None
        assert await there.security.sts_policy("n.test") is not None


async def test_a_remembered_policy_outlives_its_servers_and_a_new_id_renews_it(
    tmp_path: Path,
) -> None:
    """RFC 8461 §5.1: who can cut off the policy must not be able to switch it off."""
    async with world(tmp_path) as there:
        there.demands_tls()
        first = await there.security.sts_policy("n.test")
        assert first is not None
        there.policies.answer = b"nonsense"
        there.names.records["_mta-sts.n.test", "TXT"] = ['"v=STSv1; id=2"']
        assert await there.security.sts_policy("n.test") == first
        del there.names.records["_mta-sts.n.test", "TXT"]
        assert await there.security.sts_policy("n.test") == first
        there.demands_tls(POLICY.replace("enforce", "none"), policy_id="3")
        renewed = await there.security.sts_policy("n.test")
        assert renewed is not None
        assert renewed.mode == "none"


@pytest.mark.parametrize(
    "texts",
    [
        ['"v=STSv1; id=1"', '"v=STSv1; id=2"'],
        ['"v=STSv1"'],
        ['"v=STSv2; id=1"'],
        ['"id=1; v=STSv1"'],
        ['"v=STSv1; id=with-dashes"'],
    ],
)
async def test_without_a_clear_announcement_no_policy_is_fetched(
    tmp_path: Path, texts: list[str]
) -> None:
    async with world(tmp_path) as there:
        there.demands_tls()
        there.names.records["_mta-sts.n.test", "TXT"] = texts
        assert await there.security.sts_policy("n.test") is None
        assert there.policies.asked == []


# DANE (RFC 7672)


async def test_a_key_in_signed_records_is_all_that_is_asked(tmp_path: Path) -> None:
    async with world(tmp_path, dane=True) as there:
        there.names_key("3 1 1 " + "00" * 32, there.own_key())
        code, _, conversation = await there.send()
        assert code == 250
        assert "key named by the domain" in conversation
        assert there.hop.taken[0].encrypted


async def test_another_key_or_no_tls_gets_nothing(tmp_path: Path) -> None:
    async with world(tmp_path, dane=True) as there:
        there.names_key("3 1 1 " + "00" * 32)
        code, status, conversation = await there.send()
        assert (code, status) == (0, "4.7.5")
        assert "not one that its domain names" in conversation
        there.names_key(there.own_key())
        there.hop.tls = None
        assert (await there.send())[:2] == (0, "4.7.5")
        assert there.hop.taken == []


@pytest.mark.parametrize("unsigned", ["n.test", "mx.n.test", "key"])
async def test_keys_on_a_way_that_is_not_signed_say_nothing(tmp_path: Path, unsigned: str) -> None:
    async with world(tmp_path, dane=True) as there:
        there.names_key("3 1 1 " + "00" * 32)
        name = f"_{there.hop.port}._tcp.mx.n.test" if unsigned == "key" else unsigned
        there.names.signed.discard(name)
        assert (await there.send())[0] == 250


async def test_keys_that_somebody_may_be_hiding_are_waited_for(tmp_path: Path) -> None:
    """RFC 7672 §2.1.2."""
    async with world(tmp_path, dane=True) as there:
        there.names_key(there.own_key())
        there.names.failing.add(f"_{there.hop.port}._tcp.mx.n.test")
        code, _, conversation = await there.send()
        assert code == 0
        assert "cannot be found out now" in conversation


async def test_keys_that_cannot_be_used_still_say_that_there_is_tls(tmp_path: Path) -> None:
    """RFC 7672 §2.2: without authentication, but never in plain text."""
    async with world(tmp_path, dane=True) as there:
        there.names_key("2 1 1 " + "00" * 32)
        assert (await there.send())[0] == 250
        there.hop.tls = None
        assert (await there.send())[:2] == (0, "4.7.5")


async def test_a_policy_does_not_undo_a_key(tmp_path: Path) -> None:
    """RFC 8461 §2."""
    async with world(tmp_path, dane=True) as there:
        there.demands_tls()
        there.names_key("3 1 1 " + "00" * 32)
        assert (await there.send())[0] == 0
        assert there.hop.taken == []


async def test_without_the_setting_keys_are_not_asked_for(tmp_path: Path) -> None:
    async with world(tmp_path, dane=False) as there:
        there.names_key("3 1 1 " + "00" * 32)
        assert (await there.send())[0] == 250
        assert not any(kind == "TLSA" for _, kind in there.names.asked)
