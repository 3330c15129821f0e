"""What a new administrator does next, judged by how things stand."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from mailbox_service.core.domain_records import is_private
from mailbox_service.core.told import Told, Words

# The first start makes 16 letters; whatever people choose should not be much shorter.
SHORTEST_PASSWORD = 12
BACKUP_DAYS = 30

_BACKUP = "Run mailbox backup FOLDER every night, and keep the folder elsewhere."

WORDS = Words(
    "step",
    {
        "title-password": "A good admin password",
        "title-domain": "A domain of your own",
        "title-reception": "Mail from outside",
        "title-dns": "Names in DNS",
        "title-outbound": "Mail to the world",
        "title-tls": "Encrypted connections",
        "title-backup": "A backup",
        "title-address": "The first mail",
        "password-open": "Whoever reaches this page may do everything: set admin_passwords, and"
        " turn disable_admin_password_check off.",
        "password-none": "There is no admin password: set admin_passwords in the settings file.",
        "password-short": "One has fewer than {n} characters: choose a longer one in"
        " admin_passwords and start the service anew.",
        "password-good": "Nobody will guess it.",
        "domain-own": "Mail is taken for {domains}.",
        "domain-add": 'Put a domain that you own into the settings file: domains = ["example.org"].'
        " Until then only this machine knows your addresses.",
        "domain-besides": "Put a domain that you own into the settings file besides {domain}:"
        ' domains = ["example.org"]. Until then only this machine knows your addresses.',
        "reception-closed": "No mail is taken from other servers: set reception_listen ="
        ' "0.0.0.0:25".',
        "reception-local": "Only this machine reaches port {port}: set reception_listen ="
        ' "0.0.0.0:25", or lead port 25 of the firewall here.',
        "reception-led": "Other servers reach this one, if port 25 is led to port {port} here.",
        "reception-good": "Other servers reach this one.",
        "dns-lacking": (
            "{n} record is missing or different for {domain}: copy them from Domains.",
            "{n} records are missing or different for {domain}: copy them from Domains.",
        ),
        "dns-lacking-more": (
            "{n} record is missing or different for {domain}, and {more} domains more lack some:"
            " copy them from Domains.",
            "{n} records are missing or different for {domain}, and {more} domains more lack some:"
            " copy them from Domains.",
        ),
        "dns-unknown": "DNS has not answered yet: look at Domains, and check there.",
        "dns-good": "All records that are needed are published.",
        "outbound-hold": "Mail to other domains is held and sent nowhere. Set outbound ="
        ' "relay" with relay_url to send through a provider, or outbound = "direct" where port 25'
        " is open.",
        "outbound-relay": "Mail to other domains goes through the relay.",
        "outbound-direct": "Mail to other domains goes to their own servers.",
        "tls-good": "The mail doors have a certificate.",
        "tls-none": "Set tls_cert and tls_key, so that mail programs and servers can use TLS.",
        "tls-none-anywhere": "Set tls_cert and tls_key, so that mail programs and servers can use"
        " TLS. The page is reached without https: put a reverse proxy before it.",
        "backup-none": f"None was made yet. {_BACKUP}",
        "backup-old": (
            f"The last is {{n}} day old. {_BACKUP}",
            f"The last is {{n}} days old. {_BACKUP}",
        ),
        "backup-today": "The last was made today.",
        "backup-days": ("The last was made {n} day ago.", "The last was made {n} days ago."),
        "address-good": "Mail arrives.",
        "address-send": "Send a mail to one of your addresses from elsewhere, and see it arrive.",
        "address-open": "Open an address, and send a mail to it from elsewhere.",
    },
)
say = WORDS.say


@dataclass(frozen=True, slots=True)
class Step:
    """One step: whether it is done, and what to do or what was found."""

    key: str
    done: bool
    title: Told
    message: Told


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand. `reception` and `http` are the hosts that are listened on, empty when a
    door is closed; `dns` says per public domain what is missing, None when nobody could tell in
    time; `backup_age` is in days, None when none was made, and without `backups` this service
    does not make any."""

    domains: Sequence[str]
    reception: str
    reception_port: int
    http: str
    outbound: str
    has_certificate: bool
    has_proxy: bool
    admin_passwords: Sequence[str]
    asks_no_password: bool
    addresses: int
    received: int
    dns: Sequence[tuple[str, int | None]] = ()
    backups: bool = True
    backup_age: int | None = None


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host that is listened on."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def steps_of(now: Standing) -> list[Step]:
    """The steps in the order in which they are best done."""
    public = [domain for domain in now.domains if not is_private(domain)]
    steps = [password(now), domain(public, now.domains), reception(now)]
    if public:
        steps.append(names(now))
    steps += [outbound(now), encryption(now)]
    if now.backups:
        steps.append(backup(now))
    return [*steps, first_address(now)]


def password(now: Standing) -> Step:
    shortest = min((len(word) for word in now.admin_passwords if word), default=0)
    if now.asks_no_password:
        return _open("password", say("password-open"))
    if not shortest:
        return _open("password", say("password-none"))
    if shortest < SHORTEST_PASSWORD:
        return _open("password", say("password-short", n=SHORTEST_PASSWORD))
    return _done("password", say("password-good"))


def domain(public: Sequence[str], domains: Sequence[str]) -> Step:
    if public:
        return _done("domain", say("domain-own", domains=", ".join(public[:5])))
    if domains:
        return _open("domain", say("domain-besides", domain=domains[0]))
    return _open("domain", say("domain-add"))


def reception(now: Standing) -> Step:
    if not now.reception:
        return _open("reception", say("reception-closed"))
    if is_loopback(now.reception):
        # A proxy or the container's host may lead it here: mail that came in proves it.
        return _open("reception", say("reception-local", port=now.reception_port))
    if now.reception_port != 25:
        return _done("reception", say("reception-led", port=now.reception_port))
    return _done("reception", say("reception-good"))


def names(now: Standing) -> Step:
    unknown = [name for name, missing in now.dns if missing is None]
    lacking = [(name, missing) for name, missing in now.dns if missing]
    if lacking:
        name, missing = lacking[0]
        if len(lacking) == 1:
            return _open("dns", say("dns-lacking", n=missing, domain=name))
        more = len(lacking) - 1
        return _open("dns", say("dns-lacking-more", n=missing, domain=name, more=more))
    if unknown or not now.dns:
        return _open("dns", say("dns-unknown"))
    return _done("dns", say("dns-good"))


def outbound(now: Standing) -> Step:
    if now.outbound == "hold":
        return _open("outbound", say("outbound-hold"))
    way = "outbound-relay" if now.outbound == "relay" else "outbound-direct"
    return _done("outbound", say(way))


def encryption(now: Standing) -> Step:
    if now.has_certificate:
        return _done("tls", say("tls-good"))
    bare = now.http and not is_loopback(now.http) and not now.has_proxy
    return _open("tls", say("tls-none-anywhere" if bare else "tls-none"))


def backup(now: Standing) -> Step:
    if now.backup_age is None:
        return _open("backup", say("backup-none"))
    if now.backup_age > BACKUP_DAYS:
        return _open("backup", say("backup-old", n=now.backup_age))
    if now.backup_age == 0:
        return _done("backup", say("backup-today"))
    return _done("backup", say("backup-days", n=now.backup_age))


def first_address(now: Standing) -> Step:
    if now.received:
        return _done("address", say("address-good"))
    return _open("address", say("address-send" if now.addresses else "address-open"))


def _open(key: str, message: Told) -> Step:
    return Step(key, False, say(f"title-{key}"), message)


def _done(key: str, message: Told) -> Step:
    return Step(key, True, say(f"title-{key}"), message)
