"""Finding the link to press: it confirms, resets or signs in, and does not advertise."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from mailbox_service.core.codes import WEB_ADDRESS, confidence

MAX_TEXT = 20_000  # characters of a body that are searched: what matters stands above
MAX_LINKS = 5
MAX_SEEN_LINKS = 200
MAX_URL = 2_048
MAX_LABEL = 120


@dataclass(frozen=True, slots=True)
class Link:
    """A link worth pressing: its label, the host it really leads to, how sure that it is one
    (0 to 1, `codes.confidence`), and what of it says so: its `label`, its `address`, `both`."""

    url: str
    text: str
    host: str
    confidence: float
    rule: str


_ACTION = re.compile(
    r"confirm|verif|activat|validat|magic|reset|recover|sign[-_ ]?in|log[-_ ]?in|password|passwort"
    r"|auth|invit|accept|unlock|one[-_ ]?time|complete[-_ ]?(?:your )?(?:registration|profile)"
    r"|bestätig|bestaetig|verifizier|aktivier|zurücksetz|anmelden|einloggen|confirmer|vérifi|activer"
    r"|réinitialis|connexion|confirmar|verificar|activar|ativar|restablec|redefinir|iniciar sesi"
    r"|conferma|verifica|attiva|reimposta|accedi|подтверд|активир|сброс|восстанов|войти|potwierd"
    r"|aktywuj|bevestig|activeer|onayla|doğrula|确认|驗證|验证|激活|重置|登录|登入|確認|認証|有効化"
    r"|再設定|ログイン|인증|확인|재설정|로그인",
    re.IGNORECASE,
)
_NOISE_URL = re.compile(
    r"unsub|opt[-_]?out|preferences|email[-_]settings|abmeld|desinscri|apps\.apple|itunes\."
    r"|play\.google|webversion|\.(?:png|jpe?g|gif|svg|css|ico)(?:\?|$)",
    re.IGNORECASE,
)
# In nearly every mail, and in their own mails the place to confirm something.
_MOSTLY_NOISE_URL = re.compile(
    r"newsletter|privacy|facebook\.|twitter\.|//x\.com|instagram\.|linkedin\.|youtube\.|tiktok\.",
    re.IGNORECASE,
)
_NOISE_LABEL = re.compile(
    r"unsub|opt[- ]?out|preference|manage (?:email|notif|subscr)|email settings|abmeld|abbestell"
    r"|newsletter|désinscri|désabonn|darse de baja|cancelar (?:la )?suscri|disiscri|отписа"
    r"|退订|退訂|配信停止|수신거부|wypisz|uitschrijven|privacy|datenschutz|terms|imprint|impressum|legal"
    r"|view (?:in|this|online|it in)|im browser|help ?(?:cent|desk)|support|\bshop|\bsale|\bdeal"
    r"|\boffer|angebot|discount|buy now|\bfaq|\bblog|not me|wasn.?t me|report",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,}|(?:token|code|key|ticket|otp)=", re.IGNORECASE)
_TRAILING = ".,;:!?)]}>*'\"、。，）】"


def bare_links(text: str) -> list[tuple[str, str]]:
    """The addresses in a text, each with the words before it as its label."""
    found = []
    last = 0
    for match in WEB_ADDRESS.finditer(text[:MAX_TEXT]):
        url = match[0].rstrip(_TRAILING)
        lines = text[last : match.start()].strip(" \t\r\n<([").splitlines()
        found.append((url, lines[-1].strip(" \t<([:") if lines else ""))
        last = match.end()
        if len(found) == MAX_SEEN_LINKS:
            break
    return found


def choose_links(found: list[tuple[str, str]]) -> tuple[Link, ...]:
    """Up to `MAX_LINKS` of these (target, label) that act, the best first."""
    scored: dict[str, tuple[int, Link]] = {}
    for url, label in found[:MAX_SEEN_LINKS]:
        host = host_of(url)
        if host is None or url in scored:
            continue
        score, rule = _link_score(url, label, host)
        if score > 0:
            link = Link(url, label[:MAX_LABEL], host, confidence(score), rule)
            scored[url] = (score, link)
    best = sorted(scored.values(), key=lambda item: -item[0])
    return tuple(link for _, link in best[:MAX_LINKS])


def _link_score(url: str, label: str, host: str) -> tuple[int, str]:
    """Above 0: pressing it confirms, resets or signs in; and which part of it says so."""
    path = url[url.find(host) + len(host) :]
    if _NOISE_LABEL.search(label[:MAX_LABEL]) or _NOISE_URL.search(url):
        return 0, ""
    score = 40 * bool(_ACTION.search(label[:MAX_LABEL])) + 25 * bool(_ACTION.search(path))
    if not score:
        return 0, ""
    rule = {40: "label", 25: "address"}.get(score, "both")
    if rule != "both" and _MOSTLY_NOISE_URL.search(url):
        return 0, ""
    return score + 15 * bool(_TOKEN.search(path)), rule


def host_of(url: str) -> str | None:
    """The host that a web link leads to; None for what is no web link."""
    if len(url) > MAX_URL or not url.isprintable():
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    return host if host and parts.scheme in ("http", "https") else None
