# ruff: noqa: E501 - a row of a table is one line
"""Where somebody is reached on a network or by telephone."""

import re

from pointsman.policy.detectors.pii.shapes import Hit, Shape
from pointsman.policy.detectors.view import View, compile_octets

_FILES = ("png", "jpg", "jpeg", "gif", "svg", "webp", "js", "css", "py", "ts", "json", "local")
_PHONE_WORDS = re.compile(
    r"\b(?:tel|phone|telephone|call|calls|called|calling|mobile|cell|cellphone|fax|sms|text me|whatsapp|dial"
    r"|reach|ring|office|desk|landline|hotline|helpline|toll|extension|number|contact|answering|messages? to"
    r"|registered|telefon|telefono|teléfono|téléphone|telefone|celular|handy|mobil|móvil|portable|rufnummer"
    r"|rufen|erreichbar|llame|llamar|ligar|appelez|appeler|joindre|chiamare|bellen|numer|numéro|número|tlf|puh"
    r"|тел|телефон|моб|звоните|номер)\b|电话|手机|電話|携帯|전화|연락처|هاتف|جوال|फोन|मोबाइल|โทร|điện thoại"
)
_AMERICAN = re.compile(
    r"(?:\+?1[ .-]?)?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[-.])\d{3}[-. ]?\d{4}|(?:\+?1[ .-])?[2-9]\d{2} \d{3}[ -]\d{4}"
)
_TRUNK = re.compile(r"\(?0\d{1,5}\)?(?:[ ./-]{1,2}\d{2,8}){1,5}")
_NOT_PHONE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}\b.*|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})|\d{1,3}(?:\.\d{1,3}){3}"
    r"|\d+\.\d+|(?:1[89]|20)\d{2} ?[-/] ?(?:1[89]|20)\d{2}|\d{1,3}(?:[ .]000)+|\d{1,3}-\d{1,3}"
)
RUN = compile_octets(
    r"(?:\+ ?|\b00)?\(?\d{1,14}\)?(?:[ .\-/]{0,2}\(?\d{1,9}\)?){0,7}(?: ?(?:x|ext\.?|extension) ?\d{1,6})?"
)

CONTACTS = (
    Shape(
        kind="email", rule="email", alone=0.98, joiners="",
        pattern=r"([A-Za-z0-9\xc0-\xff](?:[A-Za-z0-9._%+'\xc0-\xff-]{0,62}[A-Za-z0-9_+\xc0-\xff-])?"
                r"@(?:[A-Za-z0-9\xc0-\xff](?:[A-Za-z0-9\xc0-\xff-]{0,61}[A-Za-z0-9\xc0-\xff])?\.){1,6}[A-Za-z]{2,18})\b",
        proves=lambda v: v.rsplit(".", 1)[1].lower() not in _FILES and ".." not in v and not v.startswith("git@"),
    ),
    Shape(
        kind="url", rule="url", alone=0.9, joiners="",
        pattern=r"(?i)((?:https?|ftp)://[^\s<>\"'`|\x00-\x20)\]}]{3,400}[^\s<>\"'`|\x00-\x20.,;:!?)\]}*]"
                r"|\bwww\.[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,4}(?:/[^\s<>\"'`|)\]}]*[^\s<>\"'`|.,;:!?)\]}*])?)",
    ),
    Shape(
        kind="url", rule="site", words=r"web ?site|\bsite\b|domain|\burl\b|homepage|web ?page|\bvisit\b|blog",
        told=0.7, joiners="", before=24,
        pattern=r"(?i)\b((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,4}(?:com|org|net|edu|gov|io|info|biz|me"
                r"|co|de|fr|it|es|uk|nl|be|ch|at|eu|us|ca|au|in|br|jp|cn|ru|pl|se|no|fi|dk|cz|hu|pt|app|dev|ai)"
                r"(?:/[^\s<>\"'`|)\]}]*)?)\b",
    ),
    Shape(
        kind="ip", rule="ipv4", alone=0.85, joiners=".",
        pattern=r"\b((?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d))\b",
    ),
    Shape(
        kind="ip", rule="ipv6", alone=0.9, joiners=":",
        pattern=r"(?i)((?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}|(?:[0-9a-f]{1,4}:){1,6}(?::[0-9a-f]{1,4}){1,6}"
                r"|(?:[0-9a-f]{1,4}:){2,7}:)",
        proves=lambda v: v.count(":") <= 7 and any(c.isdigit() for c in v) and len(v) > 6,
    ),
    Shape(
        kind="location", rule="coordinates", alone=0.75,
        pattern=r"(-?\d{1,2}\.\d{4,10}[°NS]{0,2}, ?-?\d{1,3}\.\d{4,10})",
    ),
)  # fmt: skip


def phones(view: View) -> list[Hit]:
    """Telephone numbers: international, in a national form, or told of by a word before them."""
    hits: list[Hit] = []
    for match in RUN.finditer(view.octets):
        start, end = match.span()
        while end > start and not view.folded[end - 1].isdigit():
            end -= 1
        if end - start < 7 or not view.stands_alone(start, end, "-/_"):
            continue
        hits += _phone(view, start, end)
    return hits


def _phone(view: View, start: int, end: int) -> list[Hit]:
    run = view.folded[start:end]
    digits = sum(c.isdigit() for c in run)
    if digits < 7:
        return []
    if run[0] == "+" and 8 <= digits <= 16 + 6 * ("x" in run):
        return [Hit("phone", "international", start, end, 0.95)]
    if found := _AMERICAN.fullmatch(run.split(" x")[0].split("x")[0].split(" ext")[0].strip()):
        return [Hit("phone", "american", start, end, 0.85)]
    if _NOT_PHONE.fullmatch(run):
        return []
    near = view.lowered[max(0, start - 40) : start] + " \x00 " + view.lowered[end : end + 12]
    told = _PHONE_WORDS.search(near) is not None
    if run.startswith("00") and 10 <= digits <= 16 and (told or not run.isdigit()):
        return [Hit("phone", "international-00", start, end, 0.8)]
    if _TRUNK.fullmatch(run) and 8 <= digits <= 12:
        return [Hit("phone", "national", start, end, 0.9 if told else 0.65)]
    if told and digits <= 15:
        return [Hit("phone", "told", start, end, 0.8)]
    if found := _AMERICAN.search(run):
        left, right = start + found.start(), start + found.end()
        if view.stands_alone(left, right, "-/_."):
            return [Hit("phone", "american", left, right, 0.8)]
    if 9 <= digits <= 11 and re.fullmatch(r"\d{2,4}(?:[ .-]\d{2,4}){2,4}", run):
        return [Hit("phone", "grouped", start, end, 0.55)]
    return []
