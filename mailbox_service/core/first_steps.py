"""What a new administrator does next, judged by how things stand."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from mailbox_service.core.domain_records import is_private

# The first start makes 16 letters; whatever people choose should not be much shorter.
SHORTEST_PASSWORD = 12
BACKUP_DAYS = 30


@dataclass(frozen=True, slots=True)
class Step:
    """One step: whether it is done, and what to do or what was found."""

    key: str
    done: bool
    title: str
    message: str


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
    title = "A good admin password"
    shortest = min((len(word) for word in now.admin_passwords if word), default=0)
    if now.asks_no_password:
        message = (
            "Whoever reaches this page may do everything: set admin_passwords, and turn"
            " disable_admin_password_check off."
        )
        return Step("password", False, title, message)
    if not shortest:
        message = "There is no admin password: set admin_passwords in the settings file."
        return Step("password", False, title, message)
    if shortest < SHORTEST_PASSWORD:
        message = (
            f"One has fewer than {SHORTEST_PASSWORD} characters: choose a longer one in"
            " admin_passwords and start the service anew."
        )
        return Step("password", False, title, message)
    return Step("password", True, title, "Nobody will guess it.")


def domain(public: Sequence[str], domains: Sequence[str]) -> Step:
    title = "A domain of your own"
    if public:
        return Step("domain", True, title, f"Mail is taken for {', '.join(public[:5])}.")
    told = f" besides {domains[0]}" if domains else ""
    return Step(
        *("domain", False, title),
        f'Put a domain that you own into the settings file{told}: domains = ["example.org"].'
        " Until then only this machine knows your addresses.",
    )


def reception(now: Standing) -> Step:
    title = "Mail from outside"
    if not now.reception:
        message = 'No mail is taken from other servers: set reception_listen = "0.0.0.0:25".'
        return Step("reception", False, title, message)
    if is_loopback(now.reception):
        message = (
            f"Only this machine reaches port {now.reception_port}: set reception_listen ="
            ' "0.0.0.0:25", or lead port 25 of the firewall here.'
        )
        # A proxy or the container's host may lead it here: mail that came in proves it.
        return Step("reception", False, title, message)
    message = "Other servers reach this one"
    if now.reception_port != 25:
        message += f", if port 25 is led to port {now.reception_port} here"
    return Step("reception", True, title, message + ".")


def names(now: Standing) -> Step:
    title = "Names in DNS"
    unknown = [name for name, missing in now.dns if missing is None]
    lacking = [(name, missing) for name, missing in now.dns if missing]
    if lacking:
        name, missing = lacking[0]
        more = f", and {len(lacking) - 1} domains more lack some" if len(lacking) > 1 else ""
        records = "record is" if missing == 1 else "records are"
        message = (
            f"{missing} {records} missing or different for {name}{more}: copy them from Domains."
        )
        return Step("dns", False, title, message)
    if unknown or not now.dns:
        message = "DNS has not answered yet: look at Domains, and check there."
        return Step("dns", False, title, message)
    return Step("dns", True, title, "All records that are needed are published.")


def outbound(now: Standing) -> Step:
    title = "Mail to the world"
    if now.outbound == "hold":
        message = (
            'Mail to other domains is held and sent nowhere. Set outbound = "relay" with relay_url'
            ' to send through a provider, or outbound = "direct" where port 25 is open.'
        )
        return Step("outbound", False, title, message)
    how = "through the relay" if now.outbound == "relay" else "to their own servers"
    return Step("outbound", True, title, f"Mail to other domains goes {how}.")


def encryption(now: Standing) -> Step:
    title = "Encrypted connections"
    if now.has_certificate:
        return Step("tls", True, title, "The mail doors have a certificate.")
    message = "Set tls_cert and tls_key, so that mail programs and servers can use TLS."
    if now.http and not is_loopback(now.http) and not now.has_proxy:
        message += " The page is reached without https: put a reverse proxy before it."
    return Step("tls", False, title, message)


def backup(now: Standing) -> Step:
    title = "A backup"
    how = "Run mailbox backup FOLDER every night, and keep the folder elsewhere."
    if now.backup_age is None:
        return Step("backup", False, title, f"None was made yet. {how}")
    if now.backup_age > BACKUP_DAYS:
        return Step("backup", False, title, f"The last is {now.backup_age} days old. {how}")
    when = "today" if now.backup_age == 0 else f"{now.backup_age} days ago"
    return Step("backup", True, title, f"The last was made {when}.")


def first_address(now: Standing) -> Step:
    title = "The first mail"
    if now.received:
        return Step("address", True, title, "Mail arrives.")
    if now.addresses:
        message = "Send a mail to one of your addresses from elsewhere, and see it arrive."
        return Step("address", False, title, message)
    return Step("address", False, title, "Open an address, and send a mail to it from elsewhere.")
