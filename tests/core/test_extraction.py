"""Codes and links: invented mails in the manner of real ones."""

# ruff: noqa: E501 (one mail a row)

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_service.core.codes import SUREST, confidence
from mailbox_service.core.extraction import contract_code, contract_metadata, extract
from mailbox_service.core.html_text import html_to_text

# subject, text, code
CODES = [
    ("Your verification code: 482913", "", "482913"),
    ("Sign in", "Use code 482 913 to sign in. Call +1 555 0100 in 2026", "482913"),
    ("Login", "Order 12345678 shipped. Your code is G-839201", "839201"),
    ("验证码", "您的验证码是 482913", "482913"),
    ("Code", "AB3-9KX is your code", "AB3-9KX"),
    ("Ferrybank", "Hello Anna,\n\nYour one-time passcode is:\n\n482913\n\nIt expires in 10 minutes.\n© 2026 Ferrybank, 10115 Berlin", "482913"),
    ("482913 is your Nimbus code", "Hi,\nenter 482913 to continue.", "482913"),
    ("Confirm it's you", "Enter this code to verify your identity\n\n7731\n\nNever share it with anyone.", "7731"),
    ("Your PIN", "Your PIN: 0042", "0042"),
    ("Security alert", "We noticed a new sign-in. Security code\n 90 12 34\nor 901234", "901234"),
    ("Verify your email", "Your verification code\n\n4 8 2 9 1 3\n\nThis code will expire in 15 minutes.", "482913"),
    ("Login code", "Login code: 82913. Do not give this code to anyone.", "82913"),
    ("Two-factor", "Your two-factor authentication code is 1234 5678.", "12345678"),
    ("Bestätigungscode", "Ihr Bestätigungscode lautet: 482913. Er ist 10 Minuten gültig.", "482913"),
    ("TAN", "Ihre TAN für den Auftrag lautet 771204", "771204"),
    ("Anmeldung", "Dein Einmalpasswort: 5561-2298", "55612298"),
    ("Votre code", "Votre code de vérification est le 482 913.\nValable 10 minutes.", "482913"),
    ("Código de verificación", "Tu código es 482913. No lo compartas.", "482913"),
    ("Código", "Seu código de acesso é 77 1204? Não: 771204", "771204"),
    ("Codice", "Il tuo codice di sicurezza è 482913", "482913"),
    ("Код подтверждения", "Ваш код: 4829. Никому его не сообщайте.", "4829"),
    ("Вход", "482913 — код подтверждения для входа", "482913"),
    ("認証コード", "認証コード：482913\n有効期限は10分です。", "482913"),
    ("ログイン", "確認コードは 482913 です。", "482913"),
    ("인증", "인증번호는 [482913] 입니다.", "482913"),
    ("驗證碼", "您的驗證碼為：482913，請勿告訴他人。", "482913"),
    ("登录", "【云信】482913（登录验证码），5分钟内有效。", "482913"),
    ("Weryfikacja", "Twój kod weryfikacyjny to 482913", "482913"),
    ("Doğrulama", "Doğrulama kodunuz: 482913", "482913"),
    ("Kode", "Kode OTP Anda adalah 482913.", "482913"),
    ("Xác nhận", "Mã xác nhận của bạn là 482913", "482913"),
    ("רענון", "קוד האימות שלך הוא 482913", "482913"),
    ("رمز", "رمز التحقق الخاص بك هو 482913", "482913"),
    ("Your code", "Your code is: 482913\n\nOrder number 99887766, total 1500 EUR, tel 030 123456", "482913"),
    ("Workspace invite", "Confirmation code: KXW-7QP", "KXW-7QP"),
    ("Recovery", "Your recovery code: ABCD-1234-EFGH", "ABCD-1234-EFGH"),
    ("Access", "Access code: X7K2P9", "X7K2P9"),
    ("Sign in to Harbor", "Copy and paste this temporary login code:\n\nsail-green-otter\n\nor use 301772", "301772"),
    ("Verify", "Your code ４８２９１３ is ready", "482913"),
    ("Welcome", "Use the code below to sign in to your account:\n\n*482913*\n\nIf you did not ask for it, ignore this mail.", "482913"),
    ("Your year", "Your access code is 2024", "2024"),
    ("Sign in", "Your code is 48\u200c29\u200b13", "482913"),
    ("Sign in", "Your code is\n4\u20608\xad2\ufeff9\u200d1\u200e3", "482913"),
    ("注册", "请打开https://x.example/v/1。您的验证码是482913", "482913"),
    ("Einmal-Code", "Geben Sie 48-29 nicht ein. Code: 482913", "482913"),
]  # fmt: skip

# subject, text: nothing to type here
NO_CODE = [
    ("Invoice 2026", "Total 1500 EUR"),
    ("Order 4829135 confirmed", "Thank you for your order 4829135 of 21.11.2026, 49.99 EUR."),
    ("Welcome to 2026", "The year 2025 was great. See you in 2026!"),
    ("Call us", "Phone: +49 30 1234567 or 0800 123 4567"),
    ("Black Friday", "Use promo code SAVE2026 for 2500 points. 50% off until 20261128."),
    ("Delivery", "Your parcel 123456789012 arrives at 12:30. Tracking code: 99887766"),
    ("Your code was used", "Was it not you? Call +44 7903 561836 or 030 1234567 with your PIN."),
    ("Adresse", "Code postal : 75001"),
    ("Dirección", "Código postal 28013, Madrid"),
    ("Indirizzo", "Codice postale: 00184, codice fiscale 48291377"),
    ("Акция", "Промокод: LETO2026"),
    ("クーポン", "クーポンコード: NATSU2026"),
    ("A present", "Gift card code: ABCD-1234-EFGH"),
    ("Address", "Our zip code is 10115, Musterstr. 1234"),
    ("Error", "The server answered with error code 5031 on port 8443."),
    ("Newsletter", "12000 readers, 3500 articles, 480 authors. © 2026"),
    ("Kundenservice", "Ihre Kundennummer: 48291377, Rechnungsnummer 2026481"),
    ("Statement", "Balance 482913 USD, account number 4829 1377 4829"),
    ("Booking", "Booking reference 482913, flight 4821 on 2026-11-21"),
    ("Your password was changed", "On 21 November 2026 at 10:00 your password was changed."),
    ("Release", "Version 2026 build 48291 is out"),
    ("订单", "您的订单 48291377 已发货"),
    ("Заказ", "Ваш заказ 482913 оплачен"),
    ("Link", "Open https://x.example/verify/482913?code=771204 to verify"),
    ("Empty", ""),
    ("Verify your email", "Please press the button. Sent 2026-11-21 to box123456@mail.example"),
]  # fmt: skip


@pytest.mark.parametrize(("subject", "text", "code"), CODES, ids=[f"{s}-{c}" for s, _, c in CODES])
def test_the_code_is_found(subject: str, text: str, code: str) -> None:
    assert extract(subject, text, "").codes[:1] == (code,)


@pytest.mark.parametrize(("subject", "text"), NO_CODE, ids=[s for s, _ in NO_CODE])
def test_no_number_is_taken_for_a_code(subject: str, text: str) -> None:
    assert extract(subject, text, "").codes == ()


def test_there_are_enough_mails() -> None:
    assert len(CODES) >= 40


def test_a_code_is_found_in_html_alone() -> None:
    html = "<style>.a{color:#482000}</style><p>Your verification code</p><table><tr><td><b>482913</b></td></tr></table>"
    assert extract("Welcome", "", html).codes == ("482913",)


def test_digits_in_cells_of_their_own_are_one_code() -> None:
    cells = "".join(f"<td>{digit}</td>" for digit in "482913")
    assert extract("Hi", "", f"<p>Your code:</p><table><tr>{cells}</tr></table>").codes == (
        "482913",
    )


def test_a_text_part_that_says_nothing_leaves_the_html() -> None:
    assert extract("Hi", "View in a browser", "<p>Your code is 482913").codes == ("482913",)


# html, the best link
LINKS = [
    ('<a href="https://x.example/verify?token=abcdefghijklmnop123">Verify your email</a> <a href="https://x.example/unsubscribe?u=1">Unsubscribe</a>', "https://x.example/verify?token=abcdefghijklmnop123"),
    ('<a href="https://shop.example/sale">50% off: confirm your deal</a><a href="https://shop.example/r/aaaaaaaaaaaaaaaaaaaa">Reset password</a>', "https://shop.example/r/aaaaaaaaaaaaaaaaaaaa"),
    ('<a href="https://x.example/">Home</a><a href="https://x.example/magic/abc">Sign in to Harbor</a><a href="https://x.example/help">Help</a>', "https://x.example/magic/abc"),
    ('<a href="https://x.example/l/1">Anmeldung bestätigen</a> <a href="https://x.example/abmelden">Newsletter abmelden</a>', "https://x.example/l/1"),
    ('<a href="https://x.example/l/1">Подтвердить адрес</a> <a href="https://x.example/2">Отписаться</a>', "https://x.example/l/1"),
    ('<a href="https://x.example/l/1">确认邮箱</a> <a href="https://x.example/2">退订</a>', "https://x.example/l/1"),
    ('<a href="https://x.example/l/1">Réinitialiser le mot de passe</a>', "https://x.example/l/1"),
    ('<a href="https://x.example/l/1">パスワードを再設定</a>', "https://x.example/l/1"),
    ('<a href="https://click.x.example/ls?upn=AAAAAAAAAAAAAAAAAAAAAAAA">Accept invitation</a><a href="https://facebook.com/x">Confirm on Facebook</a>', "https://click.x.example/ls?upn=AAAAAAAAAAAAAAAAAAAAAAAA"),
    ('<a href="https://support.example/unlock/abc">Unlock your account</a>', "https://support.example/unlock/abc"),
]  # fmt: skip


@pytest.mark.parametrize(("html", "url"), LINKS)
def test_the_link_that_acts_comes_first(html: str, url: str) -> None:
    assert extract("Hi", "", html).links[0].url == url


@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://x.example/unsubscribe?token=abcdefghijklmnop1234">Confirm unsubscribe</a>',
        '<a href="https://x.example/sale">Shop now</a>',
        '<a href="javascript:verify()">Verify</a>',
        '<a href="data:text/html,verify">Verify</a>',
        '<a href="https://[bad/verify">Verify</a>',
        '<a href="https://x.example/logo-verify.png">Verify</a>',
        "Verify",
    ],
)
def test_other_links_are_not_offered(html: str) -> None:
    assert extract("Hi", "", html).links == ()


def test_a_link_of_a_text_has_its_host_and_the_words_before_it() -> None:
    text = "Hello,\n\nConfirm your address: https://x.example/c/1?token=a_b).\n\nUnsubscribe: https://x.example/u"
    (link,) = extract("Hi", text, "").links
    assert (link.url, link.host, link.text) == (
        "https://x.example/c/1?token=a_b", "x.example", "Confirm your address",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("请点击https://x.example/verify/abc。谢谢", "https://x.example/verify/abc"),
        ("（https://x.example/verify?t=ab==）から確認", "https://x.example/verify?t=ab=="),
        ("Verify: https://x.example/确认/a1", "https://x.example/确认/a1"),
    ],
)
def test_a_mark_of_another_script_ends_an_address(text: str, url: str) -> None:
    assert [link.url for link in extract("Hi", text, "").links] == [url]


def test_a_link_is_whole_or_not_offered() -> None:
    whole = "https://x.example/verify?upn=" + "a" * 2_000
    assert extract("Hi", "", f'<a href="{whole}">Verify</a>').links[0].url == whole
    html = f'<a href="{whole}{"b" * 50}">Verify your address</a>'
    assert extract("Hi", "", html).links == ()
    assert html_to_text(html) == "Verify your address"
    spaced = '<a href="https://x.example/verify?mail=a b&amp;t=c\n  d">Verify</a>'
    assert extract("Hi", "", spaced).links[0].url == "https://x.example/verify?mail=a%20b&t=cd"


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("https://www.linkedin.com/comm/psettings/email/confirm?id=1", "Confirm your email"),
        ("https://x.example/newsletter/confirm/abc", "Confirm subscription"),
    ],
)
def test_whoever_is_mostly_noise_may_have_something_to_confirm(url: str, label: str) -> None:
    assert extract("Hi", "", f'<a href="{url}">{label}</a>').links[0].url == url
    assert extract("Hi", "", f'<a href="{url}">Read on</a>').links == ()
    assert extract("Hi", "", '<a href="https://x.com/acme">Confirm on X</a>').links == ()


def test_the_host_is_where_the_link_leads() -> None:
    html = '<a href="https://bank.example@evil.example/verify">https://bank.example/verify</a>'
    assert extract("Hi", "", html).links[0].host == "evil.example"


def test_a_link_is_offered_once() -> None:
    html = '<a href="https://x.example/verify">Verify</a>' * 3
    assert len(extract("Hi", "https://x.example/verify", html).links) == 1


# content, code: mailbox-api §9.9
CONTRACT = [
    ("Your code: 482913", "482913"),
    ("Your code is 482913", "482913"),
    ("Your CODE is: 4829", "4829"),
    ("code：482913", "482913"),
    ("Your code 482913", "482913"),  # no delimiter: still a free-standing run
    ("OTP is 123456 and code: 482913", "482913"),  # `code` goes before other key words
    ("Order 7777777, OTP is 123456", "123456"),
    ("verification code is: : 123456789012", "123456789012"),
    ("验证码为：482913", "482913"),
    ("认证码是482913", "482913"),
    ("認証コード：482913", "482913"),
    ("인증 코드: 482913", "482913"),
    ("code: AB12CD", "AB12CD"),
    ("code: ABCDEF", "ABCDEF"),
    ("passcode is x7k2p9", "x7k2p9"),
    ("code is below: 482913", "482913"),
    ("In 2026 we sold 48291", "48291"),
    ("code: 2026 then 5555", "5555"),
    ("20261121 and 2026", None),
    ("20269921", "20269921"),  # no such day
    ("123 and 1234567890123", None),
    ("abc1234", None),
    ("", None),
    ("The code is required", None),
]


@pytest.mark.parametrize(("content", "code"), CONTRACT)
def test_the_finder_of_the_contract(content: str, code: str | None) -> None:
    assert contract_code(content) == code


def test_the_metadata_of_the_contract() -> None:
    found = contract_metadata("", "<p>Your code is <b>482913</b></p>", "2026-11-21T10:00:00Z")
    assert found is not None
    assert json.loads(found) == {
        "ai_extract": {"type": "auth_code", "result": "482913", "result_text": ""},
        "extracted_at": "2026-11-21T10:00:00Z",
    }
    assert contract_metadata("nothing here", "<p>code: 482913", "") is None


HOSTILE = [
    "code " * 10_000, "a" * 100_000, "1" * 100_000, "1 " * 50_000, "code is " * 20_000, "A1-" * 30_000,
    "https://" * 20_000, "@" * 50_000, "a@" * 50_000, "is:" * 50_000, "code" + ":" * 100_000, "\n" * 100_000,
    "1234 " * 30_000, "order " * 20_000, "verif" + "y" * 100_000, "123456\n" * 20_000, "no." * 30_000,
    "code" + " is" * 40_000, "AB1-" * 1000 + "x", "一" * 100_000, "код" * 40_000,
]  # fmt: skip


@pytest.mark.parametrize("words", HOSTILE, ids=[text[:8] for text in HOSTILE])
def test_hazard_46_hostile_words_cost_little(words: str) -> None:
    """The time is asked with a wide margin, for machines that do other things as well."""
    started = time.process_time()
    found = extract(words, words, words)
    contract_code(words)
    assert time.process_time() - started < 2.0
    assert len(found.codes) <= 5
    assert len(found.links) <= 5


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200), st.text(max_size=400), st.text(max_size=400))
def test_any_words_can_be_searched(subject: str, text: str, html: str) -> None:
    found = extract(subject, text, html)
    for link in found.links:
        assert link.url.startswith(("http://", "https://"))
        assert link.host
    for code in found.codes:
        assert 3 <= len(code) <= 20


@pytest.mark.parametrize(
    ("score", "sure"), [(-5, 0.0), (0, 0.0), (40, 0.5), (80, 0.75), (120, 0.88), (10_000, SUREST)]
)
def test_confidence_grows_with_the_score_and_is_never_whole(score: int, sure: float) -> None:
    assert confidence(score) == sure


# subject, text, code, rule
RULES = [
    ("", "Your code: 482913", "482913", "named"),
    ("Ferrybank", "482913 was sent as your code", "482913", "near"),
    ("Your sign-in code", "Hello Ann,\n\n" + "How are you? " * 12 + "\n\n482913\n", "482913", "alone"),
]  # fmt: skip


@pytest.mark.parametrize(("subject", "text", "code", "rule"), RULES)
def test_a_code_says_by_which_rule_it_was_found(
    subject: str, text: str, code: str, rule: str
) -> None:
    [found] = extract(subject, text, "").found_codes
    assert (found.code, found.rule) == (code, rule)


def test_the_better_it_is_named_the_surer_is_a_code() -> None:
    sure = [extract(subject, text, "").found_codes[0].confidence for subject, text, _, _ in RULES]
    assert sure == sorted(sure, reverse=True)
    assert all(0 < one < 1 for one in sure)


@pytest.mark.parametrize(
    ("html", "rule", "sure"),
    [
        ('<a href="https://a.example/x">Confirm your address</a>', "label", 0.5),
        ('<a href="https://a.example/verify">Here</a>', "address", 0.35),
        ('<a href="https://a.example/verify?token=0123456789abcdef">Confirm</a>', "both", 0.75),
    ],
)
def test_a_link_says_by_which_rule_it_was_found(html: str, rule: str, sure: float) -> None:
    [link] = extract("", "", html).links
    assert (link.rule, link.confidence) == (rule, sure)
