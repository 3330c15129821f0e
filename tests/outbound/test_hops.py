"""Relays as URLs and as the mailbox API configures them."""

from __future__ import annotations

import pytest

from mailbox_service.config import Config, SmtpChannel, SmtpCredentials
from mailbox_service.outbound.hops import parse_relay_url, relay_of
from mailbox_service.outbound.sender import Outbound


def test_relay_urls_say_everything() -> None:
    relay = parse_relay_url("smtp://ann%40x:p%3Aw@relay.test:2525?tls=required&verify=no")
    assert (relay.host, relay.port, relay.tls, relay.verify) == (
        "relay.test",
        2525,
        "required",
        False,
    )
    assert (relay.username, relay.password) == ("ann@x", "p:w")
    plain = parse_relay_url("smtp://relay.test")
    assert (plain.port, plain.tls, plain.verify, plain.username) == (587, "opportunistic", True, "")
    implicit = parse_relay_url("smtps://relay.test")
    assert (implicit.port, implicit.tls) == (465, "implicit")


@pytest.mark.parametrize(
    "url",
    [
        "http://relay.test",
        "smtp://",
        "smtp://relay.test:port",
        "smtp://relay.test:99999",
        "smtp://s3cret@relay.test?tls=maybe",
        "smtp://s3cret@relay.test?other=1",
        "smtp://relay.test/path",
        "",
    ],
)
def test_a_wrong_url_is_explained_without_its_secrets(url: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_relay_url(url)
    assert "s3cret" not in str(caught.value)


def test_a_channel_of_the_mailbox_api_is_a_relay() -> None:
    relay = relay_of(SmtpChannel(host="relay.test", port=587))
    assert (relay.tls, relay.methods, relay.username) == ("opportunistic", (), "")
    assert (relay.timeouts.connect, relay.timeouts.command) == (60.0, 30.0)
    assert relay_of(SmtpChannel(host="r", port=25, start_tls=False)).tls == "none"
    full = relay_of(
        SmtpChannel(
            host="r",
            port=465,
            secure=True,
            auth_type=["PLAIN", "login"],
            credentials=SmtpCredentials(username="u", password="p"),
        )
    )
    assert (full.tls, full.methods, full.username) == ("implicit", ("plain", "login"), "u")


def test_a_resend_key_is_a_login_at_their_server_and_comes_before_the_relay_of_a_domain() -> None:
    config = Config(
        domains=["x.test", "Mail-1.y.test", "z.test"],
        smtp_config={"X.test": SmtpChannel(host="relay.test", port=587)},
        resend_token="re_all",
        resend_tokens={"MAIL_1_Y_TEST": "re_y"},
        name_servers=["127.0.0.1"],
    )
    outbound = Outbound.of(config)
    for domain, key in (("x.test", "re_all"), ("mail-1.y.test", "re_y"), ("z.test", "re_all")):
        assert outbound.next_hop(domain, "next.test") == f"relay of {domain}"
        relay = outbound._relays[domain]
        assert (relay.host, relay.port, relay.tls, relay.verify) == (
            "smtp.resend.com",
            465,
            "implicit",
            True,
        )
        assert (relay.username, relay.password) == ("resend", key)
        assert key not in repr(relay)
    only = Config(
        domains=["x.test", "y.test"],
        resend_tokens={"x_test": "re_x"},
        smtp_config={"y.test": SmtpChannel(host="relay.test", port=587)},
        name_servers=["127.0.0.1"],
    )
    relays = Outbound.of(only)._relays
    assert (relays["x.test"].host, relays["y.test"].host) == ("smtp.resend.com", "relay.test")


def test_a_wrong_server_for_resend_is_told_by_its_setting() -> None:
    config = Config(domains=["x.test"], resend_token="re_secret", resend_server="https://x.test")
    with pytest.raises(ValueError, match=r"^resend_server: ") as refused:
        Outbound.of(config)
    assert "re_secret" not in str(refused.value)


def test_the_relay_of_a_domain_comes_before_everything() -> None:
    config = Config(
        domains=["x.test", "y.test"],
        outbound="direct",
        smtp_config={"X.test": SmtpChannel(host="relay.test", port=587)},
        name_servers=["127.0.0.1"],
    )
    outbound = Outbound.of(config)
    assert outbound.next_hop("x.test", "next.test") == "relay of x.test"
    assert outbound.next_hop("y.test", "next.test") == "next.test"
    holding = Outbound.of(Config(domains=["x.test"], name_servers=["127.0.0.1"]))
    assert holding.next_hop("x.test", "next.test") is None
