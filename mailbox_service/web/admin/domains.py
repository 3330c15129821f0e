"""The DNS records of our domains: to copy, to check, and the next DKIM keys."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from mailbox_service.core.domain_records import Judged, Record
from mailbox_service.web.guards import ADMIN
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes
from mailbox_service.web.rows import wire_time
from mailbox_service.web.told import ToldRow, told_row

routes = Routes("admin domains")


class DnsRecord(Struct, frozen=True):
    """A record to publish. `purpose`: mx, host, ptr, spf, dkim, dmarc, return_path, mta_sts,
    mta_sts_policy or tls_rpt. `required`: mail suffers without it; `why` says how."""

    purpose: str
    type: str
    name: str
    value: str
    required: bool
    why: str
    why_told: ToldRow


class OwnDomain(Struct, frozen=True):
    """A domain of ours with its records."""

    domain: str
    records: list[DnsRecord]


class OwnDomains(Struct, frozen=True):
    """All domains of ours, in the order of the settings."""

    results: list[OwnDomain]


class CheckedRecord(DnsRecord, frozen=True):
    """A record, what DNS says instead, and what to do. `state`: right, missing, different, or
    unknown when nobody could tell."""

    found: list[str]
    state: str
    message: str
    message_told: ToldRow


class CheckedDomain(Struct, frozen=True):
    """What DNS says of a domain now."""

    domain: str
    checked_at: str
    records: list[CheckedRecord]


class DomainWish(Struct, frozen=True):
    """One of our domains."""

    domain: str


read_wish = msgspec.json.Decoder(DomainWish)


@routes.get("/admin/domains", ADMIN, returns=OwnDomains)
async def own_domains(call: Call) -> OwnDomains:
    """The DNS records that every domain of ours needs, to be copied. Nobody is asked."""
    checking = call.services.domain_checking
    return OwnDomains([await own_domain(call, domain) for domain in checking.domains])


async def own_domain(call: Call, domain: str) -> OwnDomain:
    """A domain with its records."""
    found = await call.services.domain_checking.records(domain)
    return OwnDomain(domain, [dns_record(record) for record in found])


@routes.post("/admin/domains/check", ADMIN, body=DomainWish, returns=CheckedDomain)
async def check_domain(call: Call) -> CheckedDomain:
    """Ask DNS now whether the records of a domain of ours are published."""
    checked = await call.services.domain_checking.check(await domain_asked(call))
    rows = [checked_record(judged) for judged in checked.records]
    return CheckedDomain(checked.domain, wire_time(checked.at), rows)


@routes.post("/admin/domains/rotate_dkim", ADMIN, body=DomainWish, returns=OwnDomain)
async def rotate_dkim(call: Call) -> OwnDomain:
    """Make the next DKIM keys of a domain of ours. Publish their records: after three days they
    begin to sign. Keep the old records for a week after that."""
    domain = await domain_asked(call)
    await call.services.domain_checking.rotate(domain)
    return await own_domain(call, domain)


async def domain_asked(call: Call) -> str:
    """The domain that was posted."""
    return (await call.own_json(read_wish)).domain.strip().strip(".").lower()


def dns_record(record: Record) -> DnsRecord:
    """The wire form of a record."""
    return DnsRecord(
        purpose=record.purpose,
        type=record.type,
        name=record.name,
        value=record.value,
        required=record.required,
        why=str(record.why),
        why_told=told_row(record.why),
    )


def checked_record(judged: Judged) -> CheckedRecord:
    """The wire form of a record that was looked for."""
    return CheckedRecord(
        **msgspec.structs.asdict(dns_record(judged.record)),
        found=list(judged.found),
        state=judged.state,
        message=str(judged.message),
        message_told=told_row(judged.message),
    )
