"""Sign-in at a provider: requests, answers, addresses (mailbox-api §3.5, §8.5)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from mailbox_service.core.errors import BadRequest
from mailbox_service.core.json_paths import first_at
from mailbox_service.core.oauth2 import (
    AccessToken,
    address_in,
    check_providers,
    login_url,
    profile_request,
    provider_named,
    read_profile,
    read_providers,
    read_token,
    rewritten,
    token_request,
)

ENTRY: dict[str, Any] = {
    "name": "GitHub",
    "clientID": "id-1",
    "clientSecret": "shh & secret",
    "authorizationURL": "https://hub.example/authorize",
    "accessTokenURL": "https://hub.example/token",
    "accessTokenFormat": "json",
    "userInfoURL": "https://api.hub.example/user",
    "redirectURL": "https://mail.example/user/oauth2/callback",
    "userEmailKey": "email",
    "scope": "user:email",
}
NO_TOKEN = "Failed to get access token from Oauth2 provider"
NO_ADDRESS = "Failed to get user email from Oauth2 provider"


def provider(**changes: Any) -> Any:
    (found,) = read_providers([{**ENTRY, **changes}])
    return found


@pytest.mark.parametrize("missing", ["name", "clientSecret", "scope", "userEmailKey"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_provider_lacks_nothing_that_is_needed(missing: str, value: Any) -> None:
    entry = {**ENTRY, missing: value}
    name = "None" if missing == "name" and value is None else entry["name"]
    with pytest.raises(BadRequest, match=f"^{name} is missing required fields$"):
        check_providers([entry])


def test_a_provider_without_a_name_is_named_as_javascript_does() -> None:
    entry = {key: value for key, value in ENTRY.items() if key != "name"}
    with pytest.raises(BadRequest, match=r"^undefined is missing required fields$"):
        check_providers([entry])


def test_an_allow_list_that_is_on_is_not_empty() -> None:
    assert check_providers([{**ENTRY, "mailAllowList": []}])
    with pytest.raises(BadRequest, match=r"^GitHub is missing mail allow list$"):
        check_providers([{**ENTRY, "enableMailAllowList": True, "mailAllowList": []}])


@pytest.mark.parametrize("value", [None, {}, "x", [1], [[]]])
def test_what_is_no_list_of_providers_is_of_the_wrong_type(value: Any) -> None:
    with pytest.raises(TypeError):
        check_providers(value)


@pytest.mark.parametrize("stored", [None, {}, "x", [None], [{}], [{"name": "x"}]])
def test_stored_nonsense_is_no_provider(stored: Any) -> None:
    assert read_providers(stored) == ()


def test_an_unknown_client_id_is_told() -> None:
    assert provider_named([provider()], "id-1").name == "GitHub"
    for wrong in ("", "id-2"):
        with pytest.raises(BadRequest, match=r"^Oauth2 client ID is not set"):
            provider_named([provider()], wrong)


@pytest.mark.parametrize(
    ("changes", "state", "query"),
    [
        ({}, "s1", "client_id=id-1&response_type=code&redirect_uri="
         "https://mail.example/user/oauth2/callback&scope=user:email&state=s1"),
        ({"scope": "openid email"}, "a b", "client_id=id-1&response_type=code&redirect_uri="
         "https://mail.example/user/oauth2/callback&scope=openid%20email&state=a%20b"),
        ({"scope": "openid%20email", "redirectURL": "https%3A%2F%2Fm.example"}, "",
         "client_id=id-1&response_type=code&redirect_uri=https%3A%2F%2Fm.example"
         "&scope=openid%20email&state="),
        ({}, "x&redirect_uri=https://evil.example#y", "client_id=id-1&response_type=code"
         "&redirect_uri=https://mail.example/user/oauth2/callback&scope=user:email"
         "&state=x%26redirect_uri=https://evil.example%23y"),
        ({"scope": 'ü"<>'}, "s", "client_id=id-1&response_type=code&redirect_uri="
         "https://mail.example/user/oauth2/callback&scope=%C3%BC%22%3C%3E&state=s"),
    ],
)  # fmt: skip
def test_values_stand_in_the_login_url_as_they_were_stored(
    changes: dict[str, str], state: str, query: str
) -> None:
    """§3.5: only what no URL may hold is encoded; a state adds no parameter."""
    assert login_url(provider(**changes), state) == f"https://hub.example/authorize?{query}"


def test_an_authorization_url_with_a_query_keeps_it() -> None:
    url = login_url(provider(authorizationURL="https://hub.example/a?tenant=1"), "s")
    assert url.startswith("https://hub.example/a?tenant=1&client_id=id-1&")


@pytest.mark.parametrize("url", ["javascript:alert(1)//", "data:text/html,x", "https://[x/"])
def test_a_script_is_no_login_url(url: str) -> None:
    with pytest.raises(BadRequest):
        login_url(provider(authorizationURL=url), "s")


def test_a_code_is_exchanged_as_json_or_as_a_form() -> None:
    values = {
        "code": "c&1",
        "client_id": "id-1",
        "client_secret": "shh & secret",
        "grant_type": "authorization_code",
        "redirect_uri": "https://mail.example/user/oauth2/callback",
    }
    request = token_request(provider(), "c&1")
    assert (request.method, request.url) == ("POST", "https://hub.example/token")
    assert ("Content-Type", "application/json") in request.headers
    assert ("Accept", "application/json") in request.headers
    assert json.loads(request.body) == values
    request = token_request(provider(accessTokenFormat="urlencoded"), "c&1")
    assert ("Content-Type", "application/x-www-form-urlencoded") in request.headers
    assert {name: one[0] for name, one in parse_qs(request.body.decode()).items()} == values
    assert "secret" not in repr(request)
    assert "secret" not in repr(provider())


@pytest.mark.parametrize("url", ["ftp://x.example/", "nonsense", "https://u:p@x.example/"])
def test_a_token_is_fetched_from_the_web_alone(url: str) -> None:
    with pytest.raises(BadRequest, match=f"^{NO_TOKEN}$"):
        token_request(provider(accessTokenURL=url), "c")


@pytest.mark.parametrize(
    ("answer", "kind", "value"),
    [
        ('{"access_token": "t1", "token_type": "bearer"}', "bearer", "t1"),
        ('{"access_token": "t1"}', "Bearer", "t1"),
        ("access_token=t1&scope=user&token_type=bearer", "bearer", "t1"),
        ("access_token=t%2B1&access_token=t2", "Bearer", "t+1"),
    ],
)
def test_a_token_answer_is_json_or_a_form(answer: str, kind: str, value: str) -> None:
    assert read_token(answer) == AccessToken(kind, value)


@pytest.mark.parametrize(
    "answer",
    [
        *("", "null", "[]", "<html>", '{"error": "bad_verification_code"}', "error=x"),
        *('{"access_token": 5}', '{"access_token": "a\\r\\nX-Evil: 1"}', '{"access_token": ""}'),
        *('{"access_token": "a", "token_type": "B\\nX: y"}', '{"access_token": "a b"}'),
        *('{"access_token": "a", "token_type": [1]}', "[" * 100_000, "a=1&" * 1000),
        '{"access_token": "' + "a" * 20_000 + '"}',
    ],
)
def test_an_answer_without_a_good_token_is_refused(answer: str) -> None:
    """Hazard 43: nothing of a provider's ends a header line."""
    with pytest.raises(BadRequest, match=f"^{NO_TOKEN}$"):
        read_token(answer)


def test_the_profile_is_asked_for_with_the_token() -> None:
    request = profile_request(provider(), AccessToken("bearer", "t1"))
    assert (request.method, request.host) == ("GET", "api.hub.example")
    assert request.headers == (("Authorization", "bearer t1"), ("Accept", "application/json"))


@pytest.mark.parametrize("answer", ["", "x", "null", "5", '"x"', "[" * 100_000])
def test_what_is_no_profile_is_refused(answer: str) -> None:
    with pytest.raises(BadRequest, match=r"^Failed to get user info from Oauth2 provider$"):
        read_profile(answer)


PROFILE = {
    "email": " ann@x.example ",
    "login": "ann",
    "id": 7.0,
    "n": 5,
    "no": None,
    "off": False,
    "deep": {"mail": {"address": "deep@x.example"}},
    "a.b": "dotted@x.example",
    "emails": [
        {"email": "second@x.example", "primary": False},
        {"email": "first@x.example", "primary": True, "verified": True},
    ],
}


@pytest.mark.parametrize(
    ("key", "address"),
    [
        ("email", "ann@x.example"),
        ("a.b", "dotted@x.example"),
        ("n", "5"),
        ("id", "7"),
        ("$.email", "ann@x.example"),
        ("$.deep.mail.address", "deep@x.example"),
        ("$['deep']['mail']['address']", "deep@x.example"),
        ("$.emails[0].email", "second@x.example"),
        ("$.emails[*].email", "second@x.example"),
        ("$.emails[?(@.primary==true)].email", "first@x.example"),
        ("$.emails[?(@.primary === true && @.verified === true)].email", "first@x.example"),
        ("$.emails[?@.primary == true].email", "first@x.example"),
        ("$..address", "deep@x.example"),
    ],
)
def test_an_address_is_found_by_name_or_by_path(key: str, address: str) -> None:
    assert address_in(provider(userEmailKey=key), PROFILE) == address


@pytest.mark.parametrize(
    "key",
    [
        *("nope", "no", "deep", "emails", "off", "$", "$.nope", "$.", "$[", "$.emails[9].email"),
        *("$.emails[?(@.email =~ /(a+)+$/)].email", "$.emails[?search(@.email, '(a|a)*b')].email"),
        *("$..[?@..x]", "$[?@[?@[?@.x]]]", "$" + "." * 300, "$.deep", "$.emails[?(" + "(" * 150),
    ],
)
def test_what_selects_no_single_value_is_refused(key: str) -> None:
    with pytest.raises(BadRequest, match=f"^{NO_ADDRESS}$"):
        address_in(provider(userEmailKey=key), PROFILE)


def test_a_profile_may_be_a_list() -> None:
    profile = read_profile('[{"email": "a@x.example"}]')
    assert address_in(provider(userEmailKey="$[0].email"), profile) == "a@x.example"
    with pytest.raises(BadRequest):
        address_in(provider(userEmailKey="email"), profile)


@pytest.mark.parametrize("bad", ["a@x.example\r\nBcc: b", "a\0@x.example", "  ", ""])
def test_an_address_holds_no_control_character(bad: str) -> None:
    with pytest.raises(BadRequest, match=f"^{NO_ADDRESS}$"):
        address_in(provider(), {"email": bad})


def test_an_address_is_cut_before_it_is_rewritten() -> None:
    assert len(address_in(provider(), {"email": "a" * 1000})) == 256


@pytest.mark.parametrize(
    ("pattern", "replacement", "address", "result"),
    [
        ("^(.+)$", "$1@linux.do", "ann", "ann@linux.do"),
        ("^(.+)@(.+)$", "$2-$1", "a@b", "b-a"),
        ("a", "x", "aaa", "xaa"),
        ("(?<who>.+)@", "$<who>+$<nobody>@", "ann@x", "ann+@x"),
        ("(.)(.)", "$02$01$3$00", "abc", "ba$3$00c"),
        ("(.)", "$10", "abc", "a0bc"),
        ("b", "[$`|$&|$'|$$]", "abc", "a[a|b|c|$]c"),
        ("(x)?b", "<$1>", "abc", "a<>c"),
        ("nothing", "x", "abc", "abc"),
        ("b", "$<who>$", "abc", "a$<who>$c"),
    ],
)
def test_an_address_is_rewritten_as_javascript_replaces(
    pattern: str, replacement: str, address: str, result: str
) -> None:
    assert rewritten(address, pattern, replacement) == result


def test_the_format_is_used_only_when_it_is_on() -> None:
    rule = {"userEmailFormat": "^(.+)$", "userEmailReplace": "$1@linux.do"}
    assert address_in(provider(**rule, userEmailKey="login"), PROFILE) == "ann"
    on = provider(**rule, userEmailKey="login", enableEmailFormat=True)
    assert address_in(on, PROFILE) == "ann@linux.do"
    default = provider(userEmailKey="login", enableEmailFormat=True, userEmailFormat="^(..).*$")
    assert address_in(default, PROFILE) == "an"


@pytest.mark.parametrize("pattern", ["(.*a){25}b", "(", "(?P<x>a)"])
def test_a_pattern_that_is_none_or_takes_too_long_proves_nobody(pattern: str) -> None:
    """Hazard 46: the address is not taken as it was; it could be somebody else's."""
    slow = provider(enableEmailFormat=True, userEmailFormat=pattern)
    with pytest.raises(BadRequest, match=f"^{NO_ADDRESS}$"):
        address_in(slow, {"email": "a" * 200 + "!"})


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("a@x.example", True),
        ("a@X.EXAMPLE", True),
        ("a@y@x.example", True),
        ("a@sub.x.example", False),
        ("x.example@evil.test", False),
        ("a", False),
    ],
)
def test_the_allow_list_looks_behind_the_last_at(address: str, allowed: bool) -> None:
    listed = provider(enableMailAllowList=True, mailAllowList=[" x.example ", "two.example"])
    if allowed:
        assert address_in(listed, {"email": address}) == address
        return
    with pytest.raises(BadRequest) as refused:
        address_in(listed, {"email": address})
    assert refused.value.detail == (
        'User mail domain must be in this list [\n  " x.example ",\n  "two.example"\n]'
    )
    off = provider(mailAllowList=["x.example"])
    assert address_in(off, {"email": address}) == address


def test_a_path_over_a_large_profile_ends() -> None:
    """Hazard 46."""
    wide = {"a": [{"b": [{"c": n} for n in range(50)]} for _ in range(50)]}
    assert first_at("$..[?(@.c == 'nope')].c", wide) is None
    deep: Any = {"x": 1}
    for _ in range(40):
        deep = [deep, deep]
    # Visited would be a million million values, or each value once for every other.
    assert first_at("$" + "[*,*]" * 38 + ".y", deep) is None
    assert first_at("$[?$[?@.y]]", [[n] for n in range(5_000)]) is None
    assert first_at("$[?^[?@.y]]", [[n] for n in range(5_000)]) is None


def test_a_login_url_is_one() -> None:
    parts = urlsplit(login_url(provider(), "s"))
    assert parse_qs(parts.query)["redirect_uri"] == ["https://mail.example/user/oauth2/callback"]
