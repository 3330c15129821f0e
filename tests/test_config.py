"""Settings: from file and environment to one typed object, or one line that says why not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mailbox_service.config import (
    FIELDS,
    SECRETS,
    Config,
    ConfigError,
    parse_listen,
)
from mailbox_service.configuring import load, read_environment
from mailbox_service.first_run import described

SAFE: dict[str, str] = {"MAILBOX_DOMAINS": "x.test"}


def loaded(text: str = "", environment: Mapping[str, str] = SAFE, *, folder: Path) -> Config:
    file = folder / "settings.toml"
    file.write_text(text)
    return load(file, environment)


def refusal(text: str, environment: Mapping[str, str] = SAFE, *, folder: Path) -> str:
    with pytest.raises(ConfigError) as refused:
        loaded(text, environment, folder=folder)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_defaults_are_closed_to_the_world() -> None:
    config = load(None, {})
    listens = [getattr(config, name) for name in FIELDS if name.endswith("_listen")]
    assert all(not listen or listen.startswith("127.0.0.1:") for listen in listens)
    assert config.outbound == "hold"
    assert not config.enable_user_create_email
    assert not config.disable_admin_password_check
    assert not config.e2e_test_mode


def test_every_setting_explains_itself_and_every_secret_is_one() -> None:
    descriptions = described()
    assert set(descriptions) == set(FIELDS)
    assert all(text.endswith((".", ".\n", ")")) for text in descriptions.values())
    assert set(FIELDS) >= SECRETS
    for name in FIELDS:
        if any(word in name for word in ("secret", "token", "passwords", "password_")):
            assert name in SECRETS or "check" in name or name == "enable_address_password", name


def test_the_environment_comes_over_the_file(tmp_path: Path) -> None:
    config = loaded(
        'domains = ["file.test"]\ntitle = "of the file"\n',
        {"MAILBOX_DOMAINS": "env.test", "MAILBOX_PREFIX": "tmp", "OTHER": "1", "HOME": "/"},
        folder=tmp_path,
    )
    assert config.domains == ["env.test"]
    assert (config.title, config.prefix) == ("of the file", "tmp")


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("DOMAINS", "a.test, b.test,", ["a.test", "b.test"]),
        ("DOMAINS", '["a.test"]', ["a.test"]),
        ("DOMAINS", "", []),
        ("MAX_ADDRESS_LEN", " 12 ", 12),
        ("ENABLE_WEBHOOK", "true", True),
        ("ENABLE_CREATE_ADDRESS_SUBDOMAIN_MATCH", "", None),
        ("ENABLE_CREATE_ADDRESS_SUBDOMAIN_MATCH", "false", False),
        ("SMTP_CONFIG", "", {}),
        ("DKIM_ALGORITHMS", "ed25519", ["ed25519"]),
        ("TITLE", "[not] a list", "[not] a list"),
        ("ADDRESS_REGEX", "[^a-z]", "[^a-z]"),
    ],
)
def test_a_value_of_the_environment_is_read_as_its_type(
    variable: str, text: str, value: Any
) -> None:
    assert read_environment({f"MAILBOX_{variable}": text})[variable.lower()] == value


def test_structures_are_json_in_the_environment_and_tables_in_the_file(tmp_path: Path) -> None:
    channel = '{"x.test": {"host": "relay.test", "port": 587, "startTls": true}}'
    from_environment = load(None, {**SAFE, "MAILBOX_SMTP_CONFIG": channel})
    from_file = loaded(
        '[smtp_config."x.test"]\nhost = "relay.test"\nport = 587\nstartTls = true\n',
        folder=tmp_path,
    )
    assert from_environment.smtp_config == from_file.smtp_config
    assert from_file.smtp_config["x.test"].host == "relay.test"


def test_a_domain_may_have_a_resend_key_of_its_own(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("re_c\n")
    config = loaded(
        'domains = ["a.test", "b-1.test", "c.test", "d.test"]\n'
        'resend_token = "re_all"\nresend_token_a_test = "re_a"\nresend_token_b_1_test = "no"\n',
        {
            "MAILBOX_RESEND_TOKEN_B_1_TEST": "re_b",
            "MAILBOX_RESEND_TOKEN_C_TEST_FILE": str(key),
        },
        folder=tmp_path,
    )
    assert config.resend_keys == {
        "a.test": "re_a",
        "b-1.test": "re_b",
        "c.test": "re_c",
        "d.test": "re_all",
    }
    assert load(None, SAFE).resend_keys == {}
    words = refusal('resend_token_y_test = "re_secret"', folder=tmp_path)
    assert words == "resend_token_y_test: none of our domains has that name."
    assert "re_secret" not in refusal("resend_token_x_test = 5", folder=tmp_path)


def test_a_secret_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret of a container\n")
    config = load(None, {**SAFE, "MAILBOX_JWT_SECRET_FILE": str(secret)})
    assert config.jwt_secret == "the secret of a container"
    with pytest.raises(ConfigError, match=r"MAILBOX_JWT_SECRET_FILE: the file .* cannot"):
        load(None, {**SAFE, "MAILBOX_JWT_SECRET_FILE": str(tmp_path / "gone")})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("domans = []", "there is no setting 'domans'; did you mean 'domains'?"),
        ("completely_unknown_thing = 1", "there is no setting 'completely_unknown_thing'"),
        ("domains = 'x.test\n", "not TOML"),
        ("prefix = 5", "prefix: expected `str`"),
        ("max_message_size = 1", "max_message_size: expected `int` >= 65536"),
        ('max_message_size = "many"', "max_message_size: expected a number, got 'many'"),
        ('enable_webhook = "yes"', "enable_webhook: expected true or false, got 'yes'"),
        ('outbound = "pigeon"', "outbound: invalid enum value 'pigeon'"),
        ('dkim_algorithms = ["dsa"]', "dkim_algorithms[0]: invalid enum value 'dsa'"),
        ("dkim_algorithms = []", "dkim_algorithms: expected `array` of length >= 1"),
        ('smtp_config = "nonsense"', "smtp_config: expected a JSON object"),
        ('user_roles = "[broken"', "user_roles: not JSON: '[broken'"),
        ("user_roles = [{prefix = 'x'}]", "user_roles[0]: object missing required field `role`"),
        ('http_listen = "8787"', "http_listen: expected host:port, got '8787'"),
        ('reception_listen = "0.0.0.0:99999"', "reception_listen: expected host:port"),
    ],
)
def test_a_wrong_setting_is_refused_with_one_line(tmp_path: Path, text: str, reason: str) -> None:
    assert reason in refusal(text, folder=tmp_path)


def test_an_unknown_variable_of_ours_is_refused() -> None:
    with pytest.raises(ConfigError, match="MAILBOX_DOMAIN: there is no setting 'domain'; did you"):
        load(None, {"MAILBOX_DOMAIN": "x.test"})


@pytest.mark.parametrize("name", sorted(SECRETS))
@pytest.mark.parametrize("text", ['["hunter2', '{"hunter2": ', "[hunter2]", "{}", "hunter2"])
def test_a_wrong_secret_is_not_shown(name: str, text: str) -> None:
    """Hazard 50: settings are refused without telling what they were."""
    try:
        load(None, {**SAFE, f"MAILBOX_{name.upper()}": text})
    except ConfigError as refused:
        told = str(refused)
    else:
        told = ""
    assert "hunter2" not in told


@pytest.mark.parametrize("listen", ["0.0.0.0:8787", "[::]:8787", "192.0.2.1:8787", "mail.test:80"])
@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ("disable_admin_password_check = true", "disable_admin_password_check: not while"),
        ("e2e_test_mode = true", "e2e_test_mode: not while"),
        ('jwt_secret = "short"', "jwt_secret: too short"),
        ('jwt_secret = "ChangeMe"', "jwt_secret: a known default"),
    ],
)
def test_what_is_unsafe_beyond_this_machine_is_refused_there(
    tmp_path: Path, settings: str, reason: str, listen: str
) -> None:
    """Hazard 56."""
    assert reason in refusal(f'http_listen = "{listen}"\n{settings}\n', folder=tmp_path)
    for loopback in ("127.0.0.1:8787", "[::1]:8787", "localhost:8787", ""):
        assert loaded(f'http_listen = "{loopback}"\n{settings}\n', folder=tmp_path)


def test_a_name_that_only_begins_like_loopback_is_beyond_this_machine(tmp_path: Path) -> None:
    for listen in ("127.evil.test:80", "localhost.evil.test:80"):
        text = f'http_listen = "{listen}"\ne2e_test_mode = true\n'
        assert "e2e_test_mode" in refusal(text, folder=tmp_path)


def test_a_private_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Hazard 56: a world-readable key."""
    key = tmp_path / "key.pem"
    key.write_text("key")
    text = f'tls_cert = "{key}"\ntls_key = "{key}"\n'
    for mode in (0o644, 0o640, 0o604):
        os.chmod(key, mode)
        assert f"run chmod 600 {key}" in refusal(text, folder=tmp_path)
    os.chmod(key, 0o400)
    assert loaded(text, folder=tmp_path).tls_key == str(key)
    key.unlink()
    assert "cannot be read" in refusal(text, folder=tmp_path)


@pytest.mark.parametrize(
    "domain",
    [
        *("no domain", "x..test", "münchen.test", "x.test.", "a@b", "x" * 254, "x" * 64 + ".test"),
        *("-", "_", "-x.test", "x-.test", "x.-", "_x.test"),
    ],
)
def test_what_is_no_domain_is_refused(domain: str) -> None:
    with pytest.raises(ConfigError, match="is not a domain"):
        load(None, {"MAILBOX_DOMAINS": f'["{domain}"]'})


@pytest.mark.parametrize(
    "name", ["mail_1.x.test", "mail.x.test.", "192.0.2.1", "[192.0.2.1]", "münchen.test", "a b"]
)
def test_a_name_of_ours_that_no_notice_could_bear_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"hostname: .* is not the name of a host"):
        load(None, {"MAILBOX_HOSTNAME": name})
    assert load(None, {"MAILBOX_HOSTNAME": "MX-1.x.test"}).own_name == "MX-1.x.test"


def test_domains_are_served_in_lower_case_and_in_order() -> None:
    config = load(None, {"MAILBOX_DOMAINS": " B.Test,a.test", "MAILBOX_DEFAULT_DOMAINS": "A.TEST"})
    assert config.served_domains == ("b.test", "a.test")
    assert config.visitor_domains == ("a.test",)
    assert config.own_name == "b.test"
    assert load(None, {}).own_name == "localhost"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("[::1]:0", ("::1", 0)),
        ("localhost:65535", ("localhost", 65535)),
    ],
)
def test_listen_addresses_are_host_and_port(text: str, parts: tuple[str, int]) -> None:
    assert parse_listen("x_listen", text) == parts


@pytest.mark.parametrize("text", ["::1:80", "host", ":80", "host:", "host:65536", "a b:1", "h:1\n"])
def test_what_is_no_listen_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="x_listen: expected host:port"):
        parse_listen("x_listen", text)
