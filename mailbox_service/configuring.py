"""From a TOML file and the environment to one `Config`, or one line that says why not.

The environment wins over the file. What is unknown, of the wrong type or open to the world by
mistake is refused: a service with a setting that nobody meant does not start.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from mailbox_service.config import (
    FIELDS,
    SECRETS,
    TYPES,
    Config,
    ConfigError,
    domain_in_a_name,
    parse_listen,
)

PREFIX = "MAILBOX_"
# A table, and the settings of which each is a line of it.
KEYS_BY_DOMAIN, KEY_OF_DOMAIN = "resend_tokens", "resend_token_"
# RFC 1123 §2.1: what a name in an address's domain is made of.
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)


def load(file: Path | None, environment: Mapping[str, str]) -> Config:
    """Read the file, then the environment over it. Raises ConfigError with one line."""
    values: dict[str, Any] = {}
    if file is not None:
        values = read_file(file)
    above = read_environment(environment)
    keys = {**values.get(KEYS_BY_DOMAIN, {}), **above.get(KEYS_BY_DOMAIN, {})}
    values.update(above)
    if keys:
        values[KEYS_BY_DOMAIN] = keys
    try:
        config = msgspec.convert(values, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(explain(str(error))) from None
    refuse_unsafe(config)
    return config


def read_file(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            values = tomllib.load(stream)
    except FileNotFoundError:
        raise ConfigError(f"{file}: there is no such file.") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not TOML: {error}") from None
    values = gathered(values)
    unknown = sorted(set(values) - set(FIELDS))
    if unknown:
        raise ConfigError(f"{file}: there is no setting {unknown[0]!r}{nearest(unknown[0])}.")
    return {
        name: from_text(name, value) if isinstance(value, str) else value
        for name, value in values.items()
    }


def read_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The settings of the environment; `MAILBOX_<NAME>_FILE` names a file with a secret."""
    values: dict[str, Any] = {}
    for variable, text in sorted(environment.items()):
        if not variable.startswith(PREFIX):
            continue
        name = variable.removeprefix(PREFIX).lower()
        may_be_a_file = name[:-5] in FIELDS or name.startswith(KEY_OF_DOMAIN)
        if name not in FIELDS and name.endswith("_file") and may_be_a_file:
            name = name[:-5]
            try:
                text = Path(text).read_text("utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError):
                raise ConfigError(f"{variable}: the file {text} cannot be read.") from None
        if name not in FIELDS and not name.startswith(KEY_OF_DOMAIN):
            raise ConfigError(f"{variable}: there is no setting {name!r}{nearest(name)}.")
        values[name] = from_text(name, text) if name in FIELDS else text
    return gathered(values)


def gathered(values: dict[str, Any]) -> dict[str, Any]:
    """The settings with `resend_token_<domain>`, one a domain, in the table of all of them."""
    single = {name: value for name, value in values.items() if name.startswith(KEY_OF_DOMAIN)}
    if not single:
        return values
    rest = {name: value for name, value in values.items() if name not in single}
    table = rest.get(KEYS_BY_DOMAIN) or {}
    if not isinstance(table, dict):
        return values
    keys = {name.removeprefix(KEY_OF_DOMAIN): value for name, value in single.items()}
    return {**rest, KEYS_BY_DOMAIN: {**table, **keys}}


def from_text(name: str, text: str) -> Any:
    """A setting from its text form (mailbox API §7.1): JSON for lists and objects, or commas."""
    kind = TYPES[name]
    if kind is str or get_origin(kind) is Literal:
        return text
    if kind is int:
        if not re.fullmatch(r"\s*-?[0-9]{1,18}\s*", text):
            raise ConfigError(f"{name}: expected a number, got {shown(name, text)}.")
        return int(text)
    if kind is bool or bool in get_args(kind):
        if text == "" and kind is not bool:
            return None
        if text not in ("true", "false"):
            raise ConfigError(f"{name}: expected true or false, got {shown(name, text)}.")
        return text == "true"
    if text.strip()[:1] in ("[", "{"):
        try:
            return msgspec.json.decode(text.encode())
        except msgspec.DecodeError:
            raise ConfigError(f"{name}: not JSON: {shown(name, text)}.") from None
    if get_origin(kind) is list:
        return [item.strip() for item in text.split(",") if item.strip()]
    if not text.strip():
        return {}
    raise ConfigError(f"{name}: expected a JSON object.")


def shown(name: str, text: str) -> str:
    return "a secret" if name in SECRETS else repr(text[:60])


def nearest(name: str) -> str:
    """; did you mean …?"""
    import difflib

    close = difflib.get_close_matches(name, FIELDS, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def explain(text: str) -> str:
    """msgspec's "Expected `int`, got `str` - at `$.port`" with the setting's name in front."""
    problem, _, path = text.partition(" - at ")
    name = path.strip("`").removeprefix("$.") or "settings"
    return f"{name}: {problem[0].lower()}{problem[1:]}."


def refuse_unsafe(config: Config) -> None:
    """Refuse settings that are open to the world by mistake. Raises ConfigError."""
    beyond = [
        name
        for name in FIELDS
        if name.endswith("_listen")
        and getattr(config, name)
        and not is_loopback(parse_listen(name, getattr(config, name))[0])
    ]
    if "http_listen" in beyond:
        if config.disable_admin_password_check:
            raise ConfigError(
                "disable_admin_password_check: not while http_listen is open beyond this machine."
            )
        if config.e2e_test_mode:
            raise ConfigError("e2e_test_mode: not while http_listen is open beyond this machine.")
        if config.jwt_secret and len(config.jwt_secret) < 8:
            raise ConfigError("jwt_secret: too short for a service open beyond this machine.")
        if config.jwt_secret.lower() in ("secret", "changeme", "jwt_secret", "password"):
            raise ConfigError("jwt_secret: a known default; make one of your own.")
    if bool(config.tls_cert) != bool(config.tls_key):
        raise ConfigError("tls_cert and tls_key: set both or neither.")
    for name in ("submissions_listen", "imaps_listen", "pop3s_listen"):
        if getattr(config, name) and not config.tls_cert:
            raise ConfigError(f"{name}: needs tls_cert and tls_key.")
    if config.tls_key:
        refuse_open_file("tls_key", Path(config.tls_key))
    if config.outbound == "relay" and not config.relay_url:
        raise ConfigError("relay_url: outbound = relay needs it.")
    ours = {domain_in_a_name(domain) for domain in config.served_domains}
    for name in config.resend_tokens:
        if domain_in_a_name(name) not in ours:
            raise ConfigError(f"{KEY_OF_DOMAIN}{name}: none of our domains has that name.")
    for domain in config.served_domains:
        if len(domain) > 253 or not all(LABEL.fullmatch(label) for label in domain.split(".")):
            raise ConfigError(f"domains: {domain!r} is not a domain (use its xn-- form).")
    if not is_host_name(config.own_name):
        name = "hostname" if config.hostname else "domains"
        raise ConfigError(f"{name}: {config.own_name!r} is not the name of a host.")


def is_host_name(text: str) -> bool:
    """Whether a name can stand in a greeting and behind the @ of our notices: no address, and no
    dot at its end (RFC 5321 §2.3.5)."""
    labels = text.lower().split(".")
    named = len(text) <= 253 and all(LABEL.fullmatch(label) for label in labels)
    return named and not labels[-1].isdigit()


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host; a name is not looked up, and could be anybody's."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def refuse_open_file(name: str, file: Path) -> None:
    """Refuse a private file that others may read."""
    try:
        mode = file.stat().st_mode
    except OSError as error:
        raise ConfigError(f"{name}: {file} cannot be read ({error.strerror}).") from None
    if mode & 0o077:
        raise ConfigError(f"{name}: {file} is readable by others; run chmod 600 {file}")
