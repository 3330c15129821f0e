"""Bytes of mail to text, whatever label they carry. Nothing here raises.

Labels are looked up in an allow-list, after the Encoding standard of the web where it differs
from the codecs of Python: mail labelled `gb2312` or `iso-8859-1` is written as GB18030 and
windows-1252. A label outside the list (`idna`, `undefined`, `zlib`, five kilobytes of noise)
is no reason to lose a message: the bytes are guessed.
"""

from __future__ import annotations

import codecs
import re

MAX_LABEL = 40  # characters; the longest registered name in use has 24
GUESS_SAMPLE = 4096  # bytes; enough to tell a script, and a bound on the work

_SURROGATE = re.compile("[\ud800-\udfff]")
_PUNCTUATION = re.compile(r"[^a-z0-9]+")


def _table() -> dict[str, str]:
    """Every label that is understood, without punctuation, to the codec that reads it."""
    groups = {
        "utf-8": "utf8 unicode11utf8 xunicode20utf8 utf8mb4 cp65001 utf",
        "utf-7": "utf7 unicode11utf7 unicode20utf7",
        "utf-16": "utf16 unicode ucs2 iso10646ucs2",
        "utf-16-le": "utf16le",
        "utf-16-be": "utf16be",
        "utf-32": "utf32 ucs4",
        "cp1252": "usascii ascii iso88591 latin1 l1 cp819 ibm819 windows1252 cp1252 xcp1252 "
        "ansix341968 iso646us 8bit x8bit binary",
        "cp1250": "windows1250 cp1250 xcp1250",
        "cp1251": "windows1251 cp1251 xcp1251 ansi1251",
        "cp1253": "windows1253 cp1253",
        "cp1254": "windows1254 cp1254 iso88599 latin5 l5",
        "cp1255": "windows1255 cp1255",
        "cp1256": "windows1256 cp1256",
        "cp1257": "windows1257 cp1257",
        "cp1258": "windows1258 cp1258",
        "cp874": "windows874 cp874 iso885911 tis620 tis6202533",
        "iso8859-2": "iso88592 latin2 l2",
        "iso8859-3": "iso88593 latin3 l3",
        "iso8859-4": "iso88594 latin4 l4",
        "iso8859-5": "iso88595 cyrillic",
        "iso8859-6": "iso88596 arabic iso88596e iso88596i",
        "iso8859-7": "iso88597 greek",
        "iso8859-8": "iso88598 hebrew iso88598e iso88598i",
        "iso8859-10": "iso885910 latin6 l6",
        "iso8859-13": "iso885913 latin7",
        "iso8859-14": "iso885914 latin8",
        "iso8859-15": "iso885915 latin9 l9",
        "iso8859-16": "iso885916 latin10",
        "koi8-r": "koi8r koi8 koi cskoi8r",
        "koi8-u": "koi8u koi8ru",
        "mac-roman": "macintosh mac macroman xmacroman",
        "mac-cyrillic": "xmaccyrillic maccyrillic",
        "cp437": "cp437 ibm437",
        "cp850": "cp850 ibm850",
        "cp852": "cp852 ibm852",
        "cp866": "cp866 ibm866 866",
        "gb18030": "gb18030 gb2312 gbk gb231280 eucCN cp936 xgbk chinese windows936 gb",
        "hz": "hzgb2312 hz",
        "cp950": "big5 cnbig5 xxbig5 csbig5 cp950 big5et",
        "big5hkscs": "big5hkscs",
        "cp932": "shiftjis sjis xsjis cp932 mskanji windows31j csshiftjis shiftjis2004",
        "euc_jp": "eucjp xeucjp",
        "iso2022_jp_ext": "iso2022jp csiso2022jp iso2022jp1 iso2022jp2 iso2022jpext iso2022jpms",
        "cp949": "euckr ksc56011987 ksc5601 ksc56011989 cp949 windows949 uhc korean",
        "iso2022_kr": "iso2022kr",
        "johab": "johab cp1361",
    }
    return {label.lower(): codec for codec, labels in groups.items() for label in labels.split()}


CODECS = _table()
# Labels that senders use for bytes of any kind.
_UNSURE = frozenset(["usascii", "ascii", "8bit", "x8bit", "binary", "ansix341968", "iso646us"])


# Which bytes a script uses most, in the encodings that mail leaves unlabelled.
_HIGH = bytes(range(0x80, 0x100))
_KANA_SHIFT_JIS = re.compile(rb"[\x82\x83][\x40-\xfc]")
_KANA_EUC_JP = re.compile(rb"[\xa4\xa5][\xa1-\xf6]")
_PAIR = re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe]")


def decode(data: bytes, label: str | None = None) -> str:
    """`data` as text. NUL, and code points that no UTF-8 can hold, do not survive."""
    normal = _PUNCTUATION.sub("", label[:MAX_LABEL].lower()) if label else ""
    codec = CODECS.get(normal)
    if codec is None or normal in _UNSURE:
        codec = _guess(data)
    return _clean(_decode(data, codec))


def is_utf8(data: bytes) -> bool:
    """Whether `data` is sound UTF-8, but for a last character that was cut."""
    return _reads(data, "utf-8")


def _decode(data: bytes, codec: str) -> str:
    try:
        text = data.decode(codec, _JIS_OF_WINDOWS if codec in _JIS else "replace")
    except (UnicodeError, LookupError, ValueError):  # a codec may fail even so: UTF-16 cut short
        text = data.decode("utf-8", "replace")
    if codec == "cp1252" and "\ufffd" in text:
        # Five bytes mean nothing in windows-1252; Latin-1 has a meaning for every byte.
        return data.decode("latin-1")
    if codec == "cp950" and "\ufffd" in text:
        # The Encoding standard's Big5 has the characters of Hong Kong too.
        wider = data.decode("big5hkscs", "replace")
        return min(text, wider, key=lambda one: one.count("\ufffd"))
    return text


def _jis_of_windows(error: UnicodeError) -> tuple[str, int]:
    """A pair that JIS X 0208 lacks, as Windows reads it: mail in ISO-2022-JP and EUC-JP is full
    of the rows 13 and 89 to 92, which hold ①, ㈱ and 髙."""
    assert isinstance(error, UnicodeDecodeError)
    pair = error.object[error.start : error.start + 2]
    if len(pair) == 2 and pair[0] >> 7 == pair[1] >> 7:
        row, cell = pair[0] & 0x7F, pair[1] & 0x7F
        if 0x21 <= row <= 0x7E and 0x21 <= cell <= 0x7E:
            lead = (row + 1) // 2 + (0x70 if row < 0x5F else 0xB0)
            trail = cell + (0x1F + (cell > 0x5F) if row % 2 else 0x7E)
            character = bytes((lead, trail)).decode("cp932", "replace")
            if "\ufffd" not in character:
                return character, error.start + 2
    return "\ufffd", error.end


_JIS = frozenset(["iso2022_jp_ext", "euc_jp"])
_JIS_OF_WINDOWS = "mailbox_service.jis_of_windows"
codecs.register_error(_JIS_OF_WINDOWS, _jis_of_windows)


def _guess(data: bytes) -> str:
    """The codec that most likely wrote these bytes, by what is frequent in them."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    sample = data[:GUESS_SAMPLE]
    if data.isascii():
        return "iso2022_jp_ext" if b"\x1b$" in sample else "utf-8"
    if sample.isascii():
        first = next((at for at, byte in enumerate(data[: 1 << 16]) if byte > 0x7F), 0)
        sample = data[first : first + GUESS_SAMPLE]
    if _reads(sample, "utf-8"):
        return "utf-8"
    return _guess_two_bytes(sample) or _guess_one_byte(sample)


def _guess_two_bytes(sample: bytes) -> str | None:
    """Japanese by its kana, Korean and Chinese by the rows their characters come from."""
    high = len(sample) - len(sample.translate(None, _HIGH))
    if 2 * len(_KANA_EUC_JP.findall(sample)) > 0.4 * high and _reads(sample, "euc_jp"):
        return "euc_jp"
    if 2 * len(_KANA_SHIFT_JIS.findall(sample)) > 0.4 * high and _reads(sample, "cp932"):
        return "cp932"
    pairs = _PAIR.findall(sample)
    if high < 4 or not _reads(sample, "gb18030"):
        return None
    if all(pair[1] > 0xA0 for pair in pairs):
        runs = re.findall(rb"[\x80-\xff]+", sample)
        if len(sample) < GUESS_SAMPLE and any(len(run) % 2 for run in runs):
            return None  # words of single bytes
        # Hangul fills rows B0 to C8; Chinese text soon needs a row above.
        hangul = all(pair[0] <= 0xC8 for pair in pairs) and _reads(sample, "cp949")
        return "cp949" if hangul else "gb18030"
    if sum(0xA4 <= pair[0] <= 0xC6 for pair in pairs) > 0.7 * len(pairs) and _reads(
        sample, "cp950"
    ):
        return "cp950"  # its frequent characters, half of them with a second byte of ASCII
    # Four of five bytes must belong to pairs, or this is Latin text with accents.
    return "gb18030" if high > 0.4 * len(sample) else None


def _guess_one_byte(sample: bytes) -> str:
    """Cyrillic by where its small letters lie, else western."""
    upper_rows = sum(byte >= 0xE0 for byte in sample)
    lower_rows = sum(0xC0 <= byte < 0xE0 for byte in sample)
    if upper_rows + lower_rows < 0.4 * len(sample):
        return "cp1252"
    return "koi8-r" if lower_rows > upper_rows else "cp1251"


def _reads(sample: bytes, codec: str) -> bool:
    """Whether `sample` is sound in this codec, but for a last character that was cut."""
    try:
        sample.decode(codec)
    except UnicodeDecodeError as error:
        return error.start >= len(sample) - 3
    return True


def _clean(text: str) -> str:
    text = text.removeprefix("\ufeff")
    if "\0" in text:
        text = text.replace("\0", "")
    if not text.isascii() and _SURROGATE.search(text):
        text = _SURROGATE.sub("\ufffd", text)
    return text
