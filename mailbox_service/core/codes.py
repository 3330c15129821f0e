"""Finding the code to type: candidates scored by the words around them, in many languages.

Years, prices, orders and telephone numbers look like codes; what stands before them tells. Every
expression is linear and every input is cut.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from dataclasses import dataclass
from itertools import islice

MAX_TEXT = 20_000  # characters of a body that are searched: what matters stands above
MAX_CANDIDATES = 300
MAX_KEYWORDS = 500
MAX_CODES = 5

# What follows these is no code, and they hide the plain word `code` inside them.
_AGAINST = r"""
    (?:zip|postal|post|area|country|error|status|exit|qr|bar|source|promo\w{0,8}|coupon|discount
      |voucher|gift(?:\ card)?|referral|invite|tracking|product|item|sort|swift|tax|dress|html|http
      |rabatt|gutschein|offer|save)[ -]?codes?
    |\bcode\ (?:postal|promo|de\ réduction)|\bc[óo]digo\ (?:postal|promocional|de\ descuento)
    |\bcodice\ (?:postale|promozionale|sconto|fiscale)|\bпромокод\w{0,2}|クーポンコード
    |\b(?:account|customer|member|phone|mobile|case|contract|policy|serial|card|flight|confirmation)
      \ (?:no\b|number|id\b|nr)
    |(?<!in\ )\border(?:\ (?:no|number|id|nr))?\b
    |\b(?:invoice|booking|reference|receipt|ticket|tracking|shipment|parcel|tel|telephone|fax|vat
      |iban|version|build|isbn|total|amount|price|balance|copyright|suite|since|ref|ext)\b
    |\bcall\ us|\bno\.|\bnr\b
    |\b(?:bestell|rechnungs|kunden|auftrags|sendungs|vorgangs|telefon)\w{0,20}
    |\b(?:commande|facture|pedido|factura|ordine|fattura|заказ\w{0,4}|счет\w{0,3}|тел|zamówieni\w)\b
    |订单|訂單|单号|發票|发票|注文|電話|电话|合計|주문|전화|©|%\s?(?:off|rabatt|de\ réduction)
"""
_FOR = r"""
    verif\w{0,12}|validat\w{0,5}|authenti\w{0,8}|one[ -]time\w{0,8}|two[ -]factor|2fa|mfa
    |pass\ ?code|\w{0,24}code[sn]?\b|\botp\b|\bpin\b|\btan\b|\btoken\b|passwor[dt]\w{0,3}
    |einmal\w{0,16}|kennwort
    |código|codigo|códigos|codice|kod\w{0,4}\b|kód\w{0,3}\b|koodi\w{0,4}|kodunuz|šifr\w{0,3}
    |код\w{0,3}\b|парол\w{1,3}\b|κωδικ\w{1,4}|mã\ (?:xác\ (?:nhận|thực|minh)|otp)|รหัส
    |رمز|كود|קוד|कोड|ओटीपी
    |验证码|驗證碼|校验码|校驗碼|动态码|動態碼|认证码|確認碼|确认码|激活码|口令|動態密碼|动态密码
    |コード|認証番号|確認番号|暗証番号|ワンタイム|인증\s?번호|인증\s?코드|확인\s?코드|보안\s?코드
"""
_KEYWORD = re.compile(rf"(?P<against>{_AGAINST})|(?P<for>{_FOR})", re.IGNORECASE | re.VERBOSE)
_SPACE = "[ \xa0\u2009\u202f-]"
_CANDIDATE = re.compile(
    rf"""(?<![A-Za-z0-9/#=&@_+$€£¥-])(?<!\d[.,:])(?:
      (?P<google>[A-Z]-(?P<typed>\d{{4,8}}))
      |(?P<spaced>\d(?:[ \t]\d){{3,7}})
      |(?P<pair>\d{{3,4}}{_SPACE}\d{{3,4}})
      |(?P<digits>\d{{4,8}})
      |(?P<joined>[A-Z0-9]{{3,5}}-[A-Z0-9]{{3,5}}(?:-[A-Z0-9]{{3,5}})?)
      |(?P<mixed>(?=[A-Za-z]*+\d)[A-Za-z0-9]{{4,10}})
      |(?P<word>[A-Z]{{6,8}})
    )(?![A-Za-z0-9/@_%€$£-])(?![.,:]\d)""",
    re.VERBOSE,
)
# Between a keyword and its code when one names the other.
_NAMES = re.compile(
    r"""[\s:：=\-–—»>*"'“„「【(\[]*+
    (?:(?:is|ist|lautet|est|es|è|é|to|are|below|:|：|是|为|為|は|です|는|은|jest|är|er)?+
    [\s:：=\-–—»>*"'“„「【(\[]*+){1,2}""",
    re.VERBOSE | re.IGNORECASE,
)
_UNIT_AFTER = re.compile(
    r"\s?(?:€|\$|£|¥|%|eur\b|usd\b|gbp\b|chf\b|rub|руб|元|円|원|zł|kč|min|sec|hour|hrs?\b|day|stunden|tage"
    r"|people|users|items|points|km\b|kg\b|mb\b|gb\b|px\b)",
    re.IGNORECASE,
)
_MONEY_BEFORE = re.compile(r"(?:[€$£¥]|\b(?:eur|usd|gbp|chf|rs))\s?$", re.IGNORECASE)
# As far as a telephone number reaches that is written for abroad, or begins with an area code.
_DIALLED_BEFORE = re.compile(r"(?:\+\d[\d ().-]{0,16}|(?<!\d)0\d{2,4}[ -])$")
_DIGIT_GROUP_BEFORE = re.compile(r"\d[ ().-]{1,2}$")
_DIGIT_GROUP_AFTER = re.compile(r"[ .-]{1,2}\d{2}")
# Chinese and Japanese put no space behind an address, but may put a mark of their own there.
WEB_ADDRESS = re.compile(r"https?://[^\s<>\"'“”「」『』《》【】（），。、；：！？]+", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s@]{1,64}@[^\s@]{1,255}")
# Digits of full width; and what nobody sees, which mailers put between digits so that no program
# takes them for a telephone number.
_AS_TYPED: dict[int, str | None] = {
    **{0xFF10 + digit: str(digit) for digit in range(10)},
    **dict.fromkeys([0xAD, *range(0x200B, 0x2010), *range(0x2060, 0x2065), 0xFEFF]),
}
_REACH_BEFORE, _REACH_AFTER = 90, 45  # characters between a keyword and its code
# The reach, and the length of the longest keywords.
_NEAR = _REACH_BEFORE + 40
_ENOUGH = 25


# So many points of a score halve the doubt that is left.
HALVING = 40
# A rule is never sure: what it knows is words.
SUREST = 0.99


@dataclass(frozen=True, slots=True)
class FoundCode:
    """A code, how sure that it is one (0 to 1, see `confidence`), and by what it was found:
    `named`, a word for codes and `:` or `is` before it; `near`, such a word around it; `alone`,
    on a line of its own in a mail whose subject speaks of a code; `subject`, within a line of
    such a mail."""

    code: str
    confidence: float
    rule: str


def confidence(score: int) -> float:
    """How sure a rule is, from its score: 0 for none, half as much doubt with every 40 points
    (20: 0.29, 60: 0.65, 100: 0.82, 160: 0.94), never more than 0.99, two digits."""
    return min(SUREST, round(1 - math.pow(0.5, max(score, 0) / HALVING), 2))


def find_codes(subject: str, text: str) -> tuple[FoundCode, ...]:
    """Up to `MAX_CODES` codes as a reader types them, the likeliest first."""
    scores: dict[str, int] = {}
    rules: dict[str, str] = {}
    about_codes = _mentions_code(subject)
    for words, weight in ((subject[:1_000], 2), (text[:MAX_TEXT], 1)):
        plain = WEB_ADDRESS.sub(" ", words)
        if "@" in plain:  # looking for addresses where there can be none costs a millisecond
            plain = _ADDRESS.sub(" ", plain)
        plain = plain.translate(_AS_TYPED)
        for code, score, rule in _scored(plain, about_codes and weight == 1):
            if score * weight > scores.get(code, 0):
                scores[code], rules[code] = score * weight, rule
    best = sorted(scores, key=lambda code: -scores[code])
    # A number that only stands near by is not offered beside one that was named.
    enough = max(_ENOUGH, scores[best[0]] // 2) if best else 0
    return tuple(
        FoundCode(code, confidence(scores[code]), rules[code])
        for code in best[:MAX_CODES]
        if scores[code] >= enough
    )


def _mentions_code(subject: str) -> bool:
    return any(match["for"] for match in _KEYWORD.finditer(subject[:1_000]))


def _scored(text: str, about_codes: bool) -> list[tuple[str, int, str]]:
    candidates = list(islice(_CANDIDATE.finditer(text), MAX_CANDIDATES))
    keywords = _keywords_near(text, candidates)
    starts = [start for start, _, _ in keywords]
    found = []
    for candidate in candidates:
        place = bisect_left(starts, candidate.start())
        before = keywords[place - 1] if place else None
        after = next(
            (word for word in keywords[place : place + 2] if word[0] >= candidate.end()), None
        )
        score, rule = _score(text, candidate, before, after, about_codes)
        if score > 0:
            found.append((_typed(candidate), score, rule))
    return found


def _keywords_near(text: str, candidates: list[re.Match[str]]) -> list[tuple[int, int, bool]]:
    """Start and end of the keywords around candidates, and whether they speak for a code.

    Looking for them costs a microsecond a character, ten times what all the rest of reading a
    mail does, and most of a mail is far from any candidate.
    """
    stretches: list[list[int]] = []
    for candidate in candidates:
        start, end = max(0, candidate.start() - _NEAR), candidate.end() + _NEAR
        if stretches and start <= stretches[-1][1]:
            stretches[-1][1] = end
        else:
            stretches.append([start, end])
    matches = (match for start, end in stretches for match in _KEYWORD.finditer(text, start, end))
    return [
        (match.start(), match.end(), match["for"] is not None)
        for match in islice(matches, MAX_KEYWORDS)
    ]


def _score(
    text: str,
    candidate: re.Match[str],
    before: tuple[int, int, bool] | None,
    after: tuple[int, int, bool] | None,
    about_codes: bool,
) -> tuple[int, str]:
    """How likely a candidate is the code, 0 for not at all, by its shape and the words around;
    and which of them spoke for it."""
    start, end = candidate.span()
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    line = text[line_start : line_end if line_end >= 0 else len(text)].strip(" \t*.:[]()\"'-")
    alone = line == candidate[0]
    if _is_measured(text, start, end, candidate):
        return 0, ""
    named = before is not None and before[2] and _names(text, before[1], start)
    if before is not None and not before[2] and start - before[1] <= 40:
        # `Order 12345678`: the nearest word says that it is something else.
        apart = alone and "\n\n" in text[before[1] : start]
        said_after = after is not None and after[2] and after[0] - end <= 12
        if not apart and not said_after:
            return 0, ""
    score = 0
    if before is not None and before[2] and start - before[1] <= _REACH_BEFORE:
        score = 60 - (start - before[1]) // 2
    if after is not None and after[2] and after[0] - end <= _REACH_AFTER:
        score = max(score, 55 - (after[0] - end))
    if named:
        score += 40
    rule = "named" if named else "near" if score else "alone" if alone else "subject"
    if alone:
        score += 25 if score or about_codes else 0
    elif about_codes and not score:
        score = 10
    if candidate["word"] or candidate["mixed"] or candidate["joined"]:
        return score if _is_plausible_word(candidate, named, alone) else 0, rule
    if not named and is_date(_typed(candidate)):
        return 0, ""
    return score + (20 if len(_typed(candidate)) == 6 and score else 0), rule


def _names(text: str, keyword_end: int, start: int) -> bool:
    """Whether nothing but `:`, `is` and the like stands between a keyword and its code."""
    gap = _NAMES.match(text, keyword_end, start)
    return start - keyword_end <= 40 and gap is not None and gap.end() == start


def _is_measured(text: str, start: int, end: int, candidate: re.Match[str]) -> bool:
    """A price, an amount, a part of a telephone number."""
    if not candidate["google"] and _UNIT_AFTER.match(text, end):
        return True
    around = text[max(0, start - 6) : start]
    if _MONEY_BEFORE.search(around):
        return True
    if _DIALLED_BEFORE.search(text[max(0, start - 20) : start]):
        return True
    short = candidate["pair"] or (candidate["digits"] and end - start <= 4)
    grouped = _DIGIT_GROUP_BEFORE.search(around) or _DIGIT_GROUP_AFTER.match(text, end)
    return bool(short and grouped)


def _is_plausible_word(candidate: re.Match[str], named: bool, alone: bool) -> bool:
    """Letters make a code only with digits among them, or where a code was announced."""
    code = candidate[0]
    has_digit = any(char.isdigit() for char in code)
    if candidate["word"]:
        return named and alone
    if candidate["joined"]:
        return has_digit or named or alone
    return has_digit and (named or alone) and not code.isdigit() and not is_date(code)


def is_date(code: str) -> bool:
    """A year, or a day written as YYYYMMDD."""
    if not code.isdigit():
        return False
    if len(code) == 4:
        return "1900" <= code <= "2099"
    return len(code) == 8 and (
        "1900" <= code[:4] <= "2099" and "01" <= code[4:6] <= "12" and "01" <= code[6:] <= "31"
    )


def _typed(candidate: re.Match[str]) -> str:
    """What the reader types: digits without gaps, other codes as shown."""
    if candidate["google"]:
        return candidate["typed"]
    if candidate["pair"] or candidate["spaced"]:
        return re.sub(r"\D", "", candidate[0])
    return candidate[0]
