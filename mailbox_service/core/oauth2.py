"""Sign-in at an OAuth2 provider: what is sent to it, and what its answers say
(mailbox-api §3.5, §8.5; RFC 6749 §4.1).

Providers are what an administrator stored. Their answers are read as a stranger's: bounded,
never evaluated, and an address that cannot be found out for certain is no address.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from mailbox_service.core.accounts import check_allow_list
from mailbox_service.core.errors import BadRequest
from mailbox_service.core.patterns import compile_pattern
from mailbox_service.core.texts import text
from mailbox_service.core.webhook import BadWebhook, HttpRequest, read_url

# Fields that a provider must have (§3.6), in the order of the contract.
REQUIRED = (
    *("name", "clientID", "clientSecret", "authorizationURL", "accessTokenURL"),
    *("accessTokenFormat", "userInfoURL", "redirectURL", "userEmailKey", "scope"),
)
# Buttons that a login page can show.
MOST_PROVIDERS = 50
LONGEST_ADDRESS = 256  # characters (§3.5)
LONGEST_CODE = 4_096  # characters; those of real providers have some hundred
LONGEST_STATE = 512
LONGEST_TOKEN = 16_384  # characters of an access token: a JWT with many groups in it
MOST_ANSWER_FIELDS = 100

LONGEST_REPLACEMENT = 200

# What may stand in a URL as it is, `%` included: stored values may be encoded already.
_LEGAL = ":/?#[]@!$&'()*+,;=%-._~"
# A state comes from whoever asks and must not add parameters of its own.
_LEGAL_IN_STATE = _LEGAL.replace("&", "").replace("#", "")
_REPLACEMENT = re.compile(r"\$(?:(\$)|(&)|(`)|(')|(\d{1,2})|<([^>]*)>)", re.ASCII)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_is_token_text = re.compile(r"[\x21-\x7e]+").fullmatch
_is_token_type = re.compile(r"[A-Za-z0-9._~+-]{1,64}").fullmatch

_CODE_MISSING = "Oauth2CliendIDOrCodeMissingMsg"
_NO_PROVIDER = "Oauth2ClientIDNotFoundMsg"
_NO_TOKEN = "Oauth2FailedGetAccessTokenMsg"  # noqa: S105 - a key of the messages
_NO_PROFILE = "Oauth2FailedGetUserInfoMsg"
_NO_ADDRESS = "Oauth2FailedGetUserEmailMsg"


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider, as an administrator stored it (§8.5)."""

    name: str
    client_id: str
    client_secret: str = field(repr=False)
    authorization_url: str
    access_token_url: str
    access_token_format: str
    user_info_url: str
    redirect_url: str
    user_email_key: str
    scope: str
    icon: str = ""
    email_format: str = ""
    email_replace: str = "$1"
    allow_list: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a provider gave for a code; good for its profile of one person."""

    kind: str
    value: str = field(repr=False)


def refusal(key: str) -> BadRequest:
    return BadRequest(text(key), message_key=key)


# --- Settings ----------------------------------------------------------------------------------


def check_providers(value: Any) -> list[dict[str, Any]]:
    """Settings as an administrator posts them. Raises BadRequest, worded by §3.6; TypeError for
    what is no list of objects."""
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise TypeError("Expected an array of providers")
    if len(value) > MOST_PROVIDERS:
        raise BadRequest(f"There are more than {MOST_PROVIDERS} providers")
    for entry in value:
        name = entry.get("name", "undefined")
        if not all(entry.get(wanted) for wanted in REQUIRED):
            raise BadRequest(f"{name} is missing required fields")
        if entry.get("enableMailAllowList") and not entry.get("mailAllowList"):
            raise BadRequest(f"{name} is missing mail allow list")
    return value


def read_providers(stored: Any) -> tuple[Provider, ...]:
    """Stored providers; what could not be used is left out."""
    if not isinstance(stored, list):
        return ()
    return tuple(
        read_provider(entry)
        for entry in stored[:MOST_PROVIDERS]
        if isinstance(entry, dict) and entry.get("clientID")
    )


def read_provider(entry: Mapping[str, Any]) -> Provider:
    def told(name: str) -> str:
        value = entry.get(name)
        return value if isinstance(value, str) else ""

    listed = entry.get("mailAllowList")
    domains = tuple(str(one) for one in listed) if isinstance(listed, list) else ()
    return Provider(
        name=told("name"),
        client_id=str(entry["clientID"]),
        client_secret=told("clientSecret"),
        authorization_url=told("authorizationURL"),
        access_token_url=told("accessTokenURL"),
        access_token_format=told("accessTokenFormat"),
        user_info_url=told("userInfoURL"),
        redirect_url=told("redirectURL"),
        user_email_key=told("userEmailKey"),
        scope=told("scope"),
        icon=told("icon"),
        email_format=told("userEmailFormat") if entry.get("enableEmailFormat") else "",
        email_replace=told("userEmailReplace") or "$1",
        allow_list=domains if entry.get("enableMailAllowList") else None,
    )


def provider_named(providers: Sequence[Provider], client_id: str) -> Provider:
    """The provider with a client id. Raises BadRequest."""
    for provider in providers:
        if client_id and provider.client_id == client_id:
            return provider
    raise refusal(_NO_PROVIDER)


# --- Requests ----------------------------------------------------------------------------------


def login_url(provider: Provider, state: str) -> str:
    """Where a person goes to agree (RFC 6749 §4.1.1). Raises BadRequest when that is nowhere.

    Stored values stand in it as they are: they may be encoded already.
    """
    try:
        scheme = urlsplit(provider.authorization_url).scheme
    except ValueError:
        raise refusal(_NO_PROVIDER) from None
    if scheme not in ("", "http", "https"):  # a script of an address must not reach a page
        raise refusal(_NO_PROVIDER)
    joint = "&" if "?" in provider.authorization_url else "?"
    stored = (
        f"{provider.authorization_url}{joint}client_id={provider.client_id}&response_type=code"
        f"&redirect_uri={provider.redirect_url}&scope={provider.scope}"
    )
    return f"{quote(stored, safe=_LEGAL)}&state={quote(state, safe=_LEGAL_IN_STATE)}"


def token_request(provider: Provider, code: str) -> HttpRequest:
    """The exchange of a code (RFC 6749 §4.1.3), as JSON or as a form. Raises BadRequest."""
    if not code:
        raise refusal(_CODE_MISSING)
    if len(code) > LONGEST_CODE:
        raise refusal(_NO_TOKEN)
    values = {
        "code": code,
        "client_id": provider.client_id,
        "client_secret": provider.client_secret,
        "grant_type": "authorization_code",
        "redirect_uri": provider.redirect_url,
    }
    if provider.access_token_format == "json":  # noqa: S105 - a format
        kind, body = "application/json", json.dumps(values)
    else:
        kind, body = "application/x-www-form-urlencoded", urlencode(values)
    headers = (("Content-Type", kind), ("Accept", "application/json"))
    url, host = address_of(provider.access_token_url, _NO_TOKEN)
    return HttpRequest(url, host, "POST", headers, body.encode("utf-8", "replace"))


def profile_request(provider: Provider, token: AccessToken) -> HttpRequest:
    """The question who agreed. Raises BadRequest."""
    headers = (("Authorization", f"{token.kind} {token.value}"), ("Accept", "application/json"))
    url, host = address_of(provider.user_info_url, _NO_PROFILE)
    return HttpRequest(url, host, "GET", headers, b"")


def address_of(url: str, key: str) -> tuple[str, str]:
    try:
        return read_url(url)
    except BadWebhook:
        raise refusal(key) from None


# --- Answers -----------------------------------------------------------------------------------


def read_token(answer: str) -> AccessToken:
    """The token out of an answer, JSON or form: some providers answer in a form whatever they
    are asked for. Raises BadRequest."""
    values = json_object(answer)
    if values is None:
        try:
            pairs = parse_qsl(answer.strip(), max_num_fields=MOST_ANSWER_FIELDS)
        except ValueError:
            pairs = []
        values = dict(reversed(pairs))
    value, kind = values.get("access_token"), values.get("token_type") or "Bearer"
    # Both go into a header: nothing that could end its line, or begin another word.
    if not isinstance(value, str) or not _is_token_text(value) or len(value) > LONGEST_TOKEN:
        raise refusal(_NO_TOKEN)
    if not isinstance(kind, str) or not _is_token_type(kind):
        raise refusal(_NO_TOKEN)
    return AccessToken(kind, value)


def read_profile(answer: str) -> Any:
    """A profile: an object, or a list as providers of addresses have it. Raises BadRequest."""
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        raise refusal(_NO_PROFILE) from None
    if not isinstance(found, dict | list):
        raise refusal(_NO_PROFILE)
    return found


def json_object(answer: str) -> dict[str, Any] | None:
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def address_in(provider: Provider, profile: Any) -> str:
    """The address in a profile, rewritten and judged by the provider's rules. Raises BadRequest.

    An address that a rule took too long to rewrite is refused, not taken as it was: it could be
    somebody else's.
    """
    key = provider.user_email_key
    if key.startswith("$"):
        # Most providers need none, and the library takes its megabytes.
        from mailbox_service.core.json_paths import first_at

        value = first_at(key, profile)
    else:
        value = profile.get(key) if isinstance(profile, dict) else None
    address = as_text(value)[:LONGEST_ADDRESS].strip()
    if address and provider.email_format:
        address = rewritten(address, provider.email_format, provider.email_replace).strip()
    if not address or len(address) > LONGEST_ADDRESS or _CONTROLS.search(address):
        raise refusal(_NO_ADDRESS)
    if provider.allow_list is not None:
        check_allow_list(address, provider.allow_list)
    return address


def as_text(value: Any) -> str:
    """A value of JSON as JavaScript's String() writes it; empty for what is no single value."""
    if isinstance(value, bool):
        return "true" if value else ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, str | int | float) else ""


def rewritten(address: str, pattern: str, replacement: str) -> str:
    """`address.replace(/pattern/, replacement)` of JavaScript: the first match alone, `$1`, `$&`
    and their like filled in. Raises BadRequest for a pattern that is none or takes too long."""
    try:
        found = compile_pattern(pattern).first_in(address)
    except (BadRequest, TimeoutError):
        raise refusal(_NO_ADDRESS) from None
    if found is None:
        return address
    groups, names = found.groups(), found.groupdict()

    def filled(sign: re.Match[str]) -> str:
        dollar, whole, before, behind, number, name = sign.groups()
        if dollar:
            return "$"
        if whole:
            return str(found[0])
        if before:
            return address[: found.start()]
        if behind:
            return address[found.end() :]
        if number:
            return numbered(number, groups, sign[0])
        return (names[name] or "") if name in names else ("" if names else sign[0])

    middle = _REPLACEMENT.sub(filled, replacement[:LONGEST_REPLACEMENT])
    return address[: found.start()] + middle + address[found.end() :]


def numbered(number: str, groups: Sequence[str | None], sign: str) -> str:
    """`$n` or `$nn` (ECMA-262 §22.1.3.19.1): two digits when there is such a group, else one."""
    for digits in (number, number[:1]):
        if 0 < int(digits) <= len(groups):
            return (groups[int(digits) - 1] or "") + number[len(digits) :]
    return sign
