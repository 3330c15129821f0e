"""Bytes to text: every label gives text, never an error."""

from __future__ import annotations

import codecs
import encodings.aliases
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_service.core.charsets import CODECS, decode

RUSSIAN = "Привет! Ваш код подтверждения: 482913"
CHINESE = "您的验证码是 482913，请勿告诉他人。"
TAIWAN = "您的驗證碼為 482913，請勿告訴他人。"
JAPANESE = "認証コードは 482913 です。"
KOREAN = "인증 코드는 482913 입니다."


@pytest.mark.parametrize(
    ("text", "codec", "label"),
    [
        (RUSSIAN, "koi8-r", "KOI8-R"),
        (RUSSIAN, "cp1251", "windows-1251"),
        (RUSSIAN, "iso8859-5", "iso-8859-5"),
        (RUSSIAN, "cp866", "IBM866"),
        (CHINESE, "gb18030", "gb2312"),
        (CHINESE, "gb18030", "GBK"),
        (CHINESE, "hz", "hz-gb-2312"),
        (TAIWAN, "big5", "Big5"),
        (JAPANESE, "iso2022_jp", "iso-2022-jp"),
        (JAPANESE, "shift_jis", "Shift_JIS"),
        (JAPANESE, "euc_jp", "EUC-JP"),
        (KOREAN, "euc_kr", "euc-kr"),
        (KOREAN, "cp949", "ks_c_5601-1987"),
        ("Żółć", "iso8859-2", "ISO-8859-2"),
        ("Ελληνικά", "iso8859-7", "iso-8859-7"),
        ("שלום", "cp1255", "windows-1255"),
        ("مرحبا", "cp1256", "windows-1256"),
        ("สวัสดี", "cp874", "TIS-620"),
        ("Grüße – “Köln” €", "cp1252", "iso-8859-1"),  # what senders mean by Latin-1
        ("Grüße €", "iso8859-15", "latin-9"),
        ("Grüße", "utf-7", "utf-7"),
        ("Grüße", "utf-16", "utf-16"),
        ("Grüße", "utf-8-sig", "UTF8"),
        ("Grüße", "utf-8", '"utf-8"'),
    ],
)
def test_the_label_is_understood(text: str, codec: str, label: str) -> None:
    assert decode(text.encode(codec), label) == text


def jis(text: str, high: int) -> bytes:
    """Text of the double-byte characters of Windows as JIS rows and cells."""
    out = bytearray()
    for character in text:
        lead, trail = character.encode("cp932")
        row = (lead - (0x70 if lead < 0xA0 else 0xB0)) * 2 - (trail < 0x9F)
        cell = trail - (0x1F + (trail > 0x7F) if row % 2 else 0x7E)
        out += bytes((row | high, cell | high))
    return bytes(out)


def test_what_windows_adds_to_jis_is_read() -> None:
    text = "①日本㈱髙橋Ⅳ"
    assert decode(b"No. \x1b$B" + jis(text, 0) + b"\x1b(B.", "iso-2022-jp") == f"No. {text}."
    assert decode(b"No. " + jis(text, 0x80) + b".", "euc-jp") == f"No. {text}."
    assert decode(b"a \x1b$B)!\x1b(B b", "iso-2022-jp") == "a \ufffd b"
    assert decode("｡ﾊﾛｰ丂".encode("euc_jp"), "euc-jp") == "｡ﾊﾛｰ丂"


def test_big5_has_the_characters_of_hong_kong() -> None:
    assert decode("嘅咗喺香港".encode("big5hkscs"), "Big5") == "嘅咗喺香港"
    assert decode("碁銹裏墻".encode("cp950"), "Big5") == "碁銹裏墻"


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        (RUSSIAN, "koi8-r"),
        (RUSSIAN, "cp1251"),
        (CHINESE, "gb18030"),
        (TAIWAN, "big5"),
        (JAPANESE, "iso2022_jp"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
        (KOREAN, "euc_kr"),
        ("Grüße aus Köln", "latin-1"),
        ("Déjà vu à la crème brûlée", "cp1252"),
        (RUSSIAN, "utf-8"),
        (CHINESE, "utf-16"),
        ("plain", "ascii"),
    ],
)
@pytest.mark.parametrize("label", [None, "", "unknown-8bit", "us-ascii", "x-nobody-knows"])
def test_without_a_known_label_the_script_is_guessed(
    text: str, codec: str, label: str | None
) -> None:
    assert decode(text.encode(codec), label) == text


HOSTILE = [
    "idna", "undefined", "punycode", "rot13", "zlib", "bz2", "base64", "hex", "uu", "quopri",
    "unicode_escape", "raw_unicode_escape", "mbcs", "oem", "utf-7", "unknown", "\0", "\r\n",
    "x" * 5120, "é" * 5120, "../../etc/passwd", "__import__", "-", "=?utf-8?q?x?=",
]  # fmt: skip


@pytest.mark.parametrize("label", [*HOSTILE, *sorted(set(encodings.aliases.aliases.values()))])
@pytest.mark.parametrize(
    "data",
    [b"hello", b"", b"\xff\xfe\x00", b"+2AA-+//8-", bytes(range(256)), b"\x1b$B\x1b(", b"x\xe9"],
)
def test_hazard_29_every_label_gives_text(label: str, data: bytes) -> None:
    text = decode(data, label)
    assert isinstance(text, str)
    text.encode("utf-8")
    assert "\0" not in text


def test_hazard_31_a_label_never_decompresses() -> None:
    bomb = codecs.encode(b"0" * 1_000_000, "zlib")
    assert len(decode(bomb, "zlib")) <= len(bomb)
    assert not {"zlib", "bz2", "hex", "base64", "idna", "undefined"} & set(CODECS.values())


def test_every_codec_of_the_table_exists() -> None:
    for codec in set(CODECS.values()):
        assert codecs.lookup(codec)


def test_a_character_cut_at_the_end_does_not_change_the_guess() -> None:
    assert decode(RUSSIAN.encode()[:-1] + b"\xd0", None).startswith("Привет")


def test_latin_bytes_without_a_meaning_in_windows_1252_survive() -> None:
    assert decode(b"a\x81b", "iso-8859-1") == "a\x81b"


def test_a_megabyte_of_noise_is_text() -> None:
    assert decode(os.urandom(1 << 20), None)


@given(st.binary(max_size=400), st.text(max_size=30) | st.sampled_from(sorted(CODECS)))
def test_any_bytes_with_any_label_are_text(data: bytes, label: str) -> None:
    text = decode(data, label)
    text.encode("utf-8")
