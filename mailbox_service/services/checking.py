"""What is wrong here, and what to do next: the checks of `mailbox check`.

Each check proves one thing and is named for it. A finding is `ok`, `warning` (works, but not as
one would want) or `problem` (something does not work), and says what to do.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from mailbox_service.config import FIELDS, Config, parse_listen
from mailbox_service.core.domain_records import is_private
from mailbox_service.core.errors import MailError
from mailbox_service.services.clock import as_datetime, now_micros
from mailbox_service.services.domain_checking import Checked
from mailbox_service.storage import addresses, messages, send_queue
from mailbox_service.storage.database import Database

Level = Literal["ok", "warning", "problem"]

# Below this share or size of free disk, mail may soon be refused with 452.
LEAST_FREE_SHARE = 0.05
LEAST_FREE_OCTETS = 1 << 30
# A certificate is renewed with a month left; two weeks left means that renewal failed.
RENEW_DAYS = 14
OLD_QUEUE_HOURS = 4
CONNECT_SECONDS = 2.0
DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check saw, and what to do next where that is anything."""

    check: str
    level: Level
    seen: str
    do: str = ""


class Domains(Protocol):
    """Asks DNS about a domain of ours."""

    async def check(self, domain: str) -> Checked: ...


async def check_all(
    config: Config, database: Database, domains: Domains, *, page: Path
) -> AsyncIterator[Finding]:
    """Everything, cheapest first."""
    yield domains_are_set(config)
    yield secrets_are_long(config)
    yield page_is_built(page)
    yield disk_has_room(Path(config.data_dir))
    if config.tls_cert:
        yield certificate_is_valid(config)
    yield await store_answers(database)
    yield await queue_moves(database)
    for name in FIELDS:
        if name.endswith("_listen") and getattr(config, name):
            yield await door_is_open(name, getattr(config, name))
    for domain in config.served_domains:
        async for finding in names_are_known(domain, domains):
            yield finding


def domains_are_set(config: Config) -> Finding:
    if config.served_domains:
        return Finding("domains", "ok", ", ".join(config.served_domains))
    return Finding("domains", "problem", "no domain is served", 'set domains = ["example.org"]')


def secrets_are_long(config: Config) -> Finding:
    if not config.jwt_secret:
        return Finding("secrets", "problem", "no jwt_secret", "set jwt_secret; tokens need it")
    if len(config.jwt_secret) < 32:
        return Finding(
            "secrets",
            "warning",
            "jwt_secret has fewer than 32 characters",
            "keep it as long as tokens of an older deployment are in use",
        )
    if not config.admin_passwords and not config.disable_admin_password_check:
        return Finding("secrets", "warning", "nobody can administer", "set admin_passwords")
    return Finding("secrets", "ok", "present")


def page_is_built(page: Path) -> Finding:
    if (page / "index.html").is_file():
        return Finding("page", "ok", "built")
    return Finding("page", "warning", "the page is not built", "run: make setup")


def disk_has_room(folder: Path) -> Finding:
    try:
        usage = shutil.disk_usage(folder)
    except OSError as error:
        return Finding("disk", "problem", f"{folder}: {error.strerror}", "check data_dir")
    seen = f"{usage.free / 1e9:.1f} GB of {usage.total / 1e9:.1f} GB free at {folder}"
    if usage.free < LEAST_FREE_OCTETS or usage.free < usage.total * LEAST_FREE_SHARE:
        return Finding(
            "disk", "warning", seen, "make room: a full disk refuses mail with 452 until then"
        )
    return Finding("disk", "ok", seen)


def certificate_is_valid(config: Config) -> Finding:
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(config.tls_cert, config.tls_key)
        chain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        chain.load_verify_locations(config.tls_cert)
        certificates = chain.get_ca_certs()
    except (OSError, ssl.SSLError) as error:
        return Finding("certificate", "problem", str(error), "check tls_cert and tls_key")
    if certificates:
        ends = ssl.cert_time_to_seconds(str(certificates[0]["notAfter"]))
        days = (ends - time.time()) / DAY_SECONDS
        if days < RENEW_DAYS:
            return Finding("certificate", "warning", f"{days:.0f} days left", "renew it")
    return Finding("certificate", "ok", "certificate and key belong together")


async def store_answers(database: Database) -> Finding:
    try:
        number = await database.read(addresses.count)
        mails = await database.read(messages.count_all)
    except MailError as error:
        return Finding("store", "problem", error.detail, "check data_dir or database_url")
    return Finding("store", "ok", f"{number} addresses, {mails} mails")


async def queue_moves(database: Database) -> Finding:
    try:
        waiting = await database.read(send_queue.count_by_state)
        oldest = await database.read(send_queue.list_waiting, limit=1)
    except MailError as error:
        return Finding("queue", "problem", error.detail, "check data_dir or database_url")
    seen = ", ".join(f"{number} {state}" for state, number in sorted(waiting.items())) or "empty"
    if oldest and oldest[0].recipient.state != "held":
        since = oldest[0].recipient.updated_at
        if now_micros() - since > OLD_QUEUE_HOURS * 3_600_000_000:
            moment = as_datetime(since).strftime("%Y-%m-%d %H:%M")
            return Finding(
                "queue",
                "warning",
                f"{seen}; {oldest[0].queue_id} has not moved since {moment} UTC",
                "mailbox queue list tells why",
            )
    return Finding("queue", "ok", seen)


async def door_is_open(name: str, listen: str) -> Finding:
    host, port = parse_listen(name, listen)
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(reachable, port)
        writer.close()
        return Finding(name, "ok", f"{listen} answers")
    except (OSError, TimeoutError):
        pass
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except PermissionError:
        return Finding(
            name,
            "problem",
            f"{listen} may not be opened by this user",
            "give the service CAP_NET_BIND_SERVICE, or use a port above 1023",
        )
    except OSError as error:
        return Finding(name, "problem", f"{listen}: {error.strerror}", "choose another address")
    return Finding(name, "ok", f"{listen} is free; nothing listens there now")


async def names_are_known(domain: str, domains: Domains) -> AsyncIterator[Finding]:
    """What DNS says of a domain: a finding a record that is needed, or that says what is wrong."""
    if is_private(domain):
        yield Finding(f"mx {domain}", "ok", "a private name; only this machine uses it")
        return
    for judged in (await domains.check(domain)).records:
        record = judged.record
        if judged.state != "right" and not record.required and judged.state != "different":
            continue
        seen = ", ".join(judged.found) or ("nobody could tell" if judged.state == "unknown" else "")
        yield Finding(
            f"{record.purpose} {record.name if record.purpose == 'dkim' else domain}",
            "ok" if judged.state == "right" else "warning",
            judged.message if judged.state == "right" else seen or f"no {record.type} record",
            judged.message,
        )
