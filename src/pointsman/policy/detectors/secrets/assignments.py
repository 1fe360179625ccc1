# ruff: noqa: E501 - a pattern is one line
"""Values that a name, a header, an address or a command calls secret."""

import base64
import re
from dataclasses import dataclass

from pointsman.policy.detectors.secrets.values import (
    bits,
    is_code,
    is_common,
    is_hash_or_id,
    is_placeholder,
    is_wordy,
    looks_random,
)
from pointsman.policy.detectors.secrets.vendors import NAMES
from pointsman.policy.detectors.view import View, compile_octets


@dataclass(frozen=True, slots=True)
class Named:
    """A value somebody called secret. Offsets count characters."""

    rule: str
    start: int
    end: int
    score: float


# What a name must have in it; found by RE2, then looked at closely where it stands.
_CUE = compile_octets(
    r"(?i)passw|passphrase|passcode|pwd|\bpass\b|_pass\b|secret|token|key|auth|bearer|cred|session[-_. ]?id"
    r"|contrase|senha|mot[-_ ]de[-_ ]passe|webhook|salt|cookie|dsn|jwt|\botp\b|\bpin\b"
)
_NAME_LEFT = re.compile(r"[A-Za-z0-9_.$-]{0,40}$")
_VALUE = re.compile(
    r"[A-Za-z0-9_.-]{0,32}[\"'`\]]{0,2}\s{0,4}"
    r"(?P<sign>[:=]{1,3}>?|=>|->|\|\||,|is\b|to\b|as\b|:\s{0,4}(?:str|string)\s{0,4}=|\s)\s{0,4}"
    r"(?:(?:[Bb]earer|[Bb]asic|[Tt]oken|[Aa]pi-?[Kk]ey)\s{1,4})?"
    r"(?:[brfu@]?(?P<quote>[\"'`])(?P<quoted>[^\"'`\n]{6,400})[\"'`]|(?P<bare>[^\s\"'`,;<>(){}\[\]]{6,400}))"
)
_VENDOR = compile_octets(r"(?i)(?:^|[^A-Za-z])(?:" + "|".join(NAMES).replace(".", r"\.") + ")")
_RANDOM = re.compile(r"[A-Za-z0-9_+/=.~%-]{16,}")  # whole: no such sign touches it
_VENDOR_WINDOW = 64  # characters between a vendor's name and a value
_VENDOR_LENGTH = 1 + max(map(len, NAMES))
_LONGEST = 200
_HEADER_CUE = compile_octets(
    r"(?i)authorization|api-?key|auth-token|private-token|api-token|access-token"
)
_HEADER = re.compile(
    r"[\w-]{0,24}[\"']?\s{0,2}[:=,]\s{0,2}[\"']?(?:(?P<scheme>[A-Za-z][A-Za-z-]{2,20})\s{1,4})?"
    r"(?P<value>[A-Za-z0-9+/=_.~%-]{8,400})"
)
_IN_ADDRESS = compile_octets(
    r"(?i)\b[a-z][a-z0-9+.-]{1,20}://([^\s:@/\"'<>]{0,60}):([^\s@/\"'<>]{3,100})@[^\s\"'<>@]{2,}"
)
_IN_CONNECTION = compile_octets(r"(?i)\b(?:password|pwd)\s*=\s*([^;\s\"'&<>]{4,100})\s*[;&]")
_NETRC = compile_octets(r"(?i)\blogin\s+\S{1,60}\s+password\s+(\S{3,100})")
_COMMAND_CUE = compile_octets(
    r"\b(?:curl|wget|http|mysql|mysqldump|psql|sshpass|mongo\w*|redis-cli)\b"
)
_USER = re.compile(
    r"\s(?:-u|--user|-U|--proxy-user)[= ]{0,4}[\"']?(?P<user>[^\s:\"'<>$]{0,60})[\"']?:[\"']?(?P<value>[^\s\"']{0,100})"
)
_PASSWORD = re.compile(r"\s(?:-p|--password[= ])[\"']?(?P<value>[^\s\"'-][^\s\"']{4,60})")
_COMMAND_LENGTH = 600
_NOT_A_SECRET_NAME = re.compile(
    r"(?i)(?:public|pub|primary|foreign|sort|partition|cache|hash|group|object|unique|routing|license|registry|index"
    r"|row|map|shift|arrow|hot|answer|ssh_?known|row|host|column|data|config|property|message|i18n|translation|event"
    r"|storage|dict|entry|first|last|next|prev|lookup|join|json|map|meta|monkey|turkey|don|hoc|jo|whis|keyboard)"
    r"[-_.]?key|key(?:word|board|frame|space|store|ring|path|name|code|stroke|id|_id|_name|_type|_size|_length|vault|_vault"
    r"|down|up|press|length|size|pair|usage|selector|char|s\b)|author\b|authored|authority|authors|oauth_?url|token(?:_?(?:type|izer?"
    r"|url|uri|count|id|endpoint|limit|name|expir\w*|file|s)\b|ize)|credentials?_?(?:id|url|type|s_?id)|pass(?:age|enger|ive|ed|es|ing|port)"
    r"|secret_?(?:name|length|size|id\b|ref|manager|version)|password_?(?:field|hash|reset|length|policy|file|input|label|hint)"
    r"|session_?id_?length|pin(?:g|terest|ned|k|e|s|point)|salt(?:y|stack)|jobcredentials|usersecretsid|access_?id"
)
_STRONG = re.compile(
    r"(?i)passw|pwd|pass\b|passphrase|secret|token|api[-_. ]?key|apikey|access[-_. ]?key|private|senha|contrase"
)


# Everything that may be found here lies in these, over a text as `View.octets` gives it. They are
# wider than what is looked for: `?` stands for what has no byte, white space of any script too.
_GAP = r"[\s\x0b\x1c-\x1f\x85\xa0?]"
PLACES = (
    rf"(?:{_CUE.pattern.decode('latin-1')})"
    rf"[A-Za-z0-9_.-]{{0,32}}[\"'`\]]{{0,2}}{_GAP}{{0,4}}"
    rf"(?:[:=]{{1,3}}>?|=>|->|\|\||,|is|to|as|:{_GAP}{{0,4}}(?i:str|string){_GAP}{{0,4}}=|{_GAP}){_GAP}{{0,4}}"
    rf"(?:(?i:bearer|basic|token|api-?key){_GAP}{{1,4}})?"
    r"(?:[brfu@]?[\"'`][^\"'`\n]{6,400}[\"'`]|[^\s\"'`,;<>(){}\[\]]{6,400})",
    _RANDOM.pattern,
    rf"(?:{_HEADER_CUE.pattern.decode('latin-1')})"
    rf"[\w\x80-\xff?-]{{0,24}}[\"']?{_GAP}{{0,2}}[:=,]{_GAP}{{0,2}}[\"']?(?:[A-Za-z][A-Za-z-]{{2,20}}{_GAP}{{1,4}})?"
    r"[A-Za-z0-9+/=_.~%-]{8,400}",
    _IN_ADDRESS.pattern.decode("latin-1"),
    _IN_CONNECTION.pattern.decode("latin-1"),
    _NETRC.pattern.decode("latin-1"),
    rf"{_GAP}(?:-u|--user|-U|--proxy-user)[= ]{{0,4}}[\"']?[^\s:\"'<>$]{{0,60}}[\"']?:[\"']?[^\s\"']{{0,100}}",
    rf"{_GAP}(?:-p|--password[= ])[\"']?[^\s\"'-][^\s\"']{{4,60}}",
)
BEFORE = _COMMAND_LENGTH + 16  # characters before a place that decide what it is
AFTER = 2


_ONLY_SHOWN = re.compile(
    r"(?i)(?:\b(?:for example|for instance|e\.g\.|such as|dummy|placeholder)\b|\b(?:example|sample):)[^\n]{0,32}$"
)
_TRACED = re.compile(r"(?i)\b(?:trace|span|commit|revision|digest|checksum|request|correlation)\b")


def named(view: View) -> list[Named]:
    """Every value that something calls secret and that may well be one."""
    return [*_assigned(view), *_vendors(view), *_headers(view), *_addresses(view), *_commands(view)]


def _assigned(view: View) -> list[Named]:
    out, seen = [], -1
    for cue in _CUE.finditer(view.octets):
        at = cue.end()
        match = _VALUE.match(view.folded, at, at + 480)
        if match is None or at <= seen:
            continue
        left = _NAME_LEFT.search(view.folded[max(0, at - 56) : at])
        name = (left.group() if left else "") + view.folded[at : match.start("sign")]
        group = "quoted" if match.start("quoted") >= 0 else "bare"
        start, end = match.span(group)
        spaced = not any(c in match["sign"] for c in ":=>|,")
        score = _assigned_score(name, match[group], quoted=group == "quoted", spaced=spaced)
        said_of = view.folded[max(0, at - 56) : at].rpartition("\n")[2]
        called = group == "bare" and view.folded[end : end + 1] in ("(", "[")
        if called or _ONLY_SHOWN.search(said_of) or (spaced and _TRACED.search(said_of)):
            continue
        if not score and match["sign"] == "is" and _told(name, match[group]):
            score = 0.6
        if score:
            seen = end
            out.append(Named("assigned", start, end, score))
    return out


def _vendors(view: View) -> list[Named]:
    """A random value soon after the name of somebody whose tokens have no form of their own."""
    if _VENDOR.search(view.octets) is None:
        return []
    out = []
    for match in _RANDOM.finditer(view.folded):
        for after, start in _after_a_name(view, *match.span()):
            value = view.folded[start : match.end()].rstrip(".=-")
            if value != (bare := value.rpartition("=")[2]) and len(bare) >= 16:
                start, value = start + len(value) - len(bare), bare
            name = view.folded[after:start]
            if 16 <= len(value) <= _LONGEST and not is_code(value) and _issued(value, name):
                out.append(Named("vendor-named", start, start + len(value), 0.75))
                break
    return out


def _after_a_name(view: View, start: int, end: int) -> list[tuple[int, int]]:
    """Where vendors' names end, and values begin after them, for a run of signs on one line."""
    low = max(0, start - _VENDOR_WINDOW - _VENDOR_LENGTH)
    begins = []
    for cue in _VENDOR.finditer(view.octets[low:end]):
        if cue.start() == 0 < low and cue.group()[:1].isalpha():
            continue  # cut off: it may be the end of another word
        at = low + cue.end()
        begin = max(start, at)
        if begin - at <= _VENDOR_WINDOW and "\n" not in view.folded[at:begin]:
            begins.append((at, begin))
    return begins


def _issued(value: str, name: str) -> bool:
    """A random value that is no file, revision or identifier."""
    if is_placeholder(value) or is_hash_or_id(value, name) or not looks_random(value):
        return False
    return (
        "/" not in value
        and sum(c.isdigit() for c in value) >= 2
        and re.search(r"://|sha256|npm:|@", name) is None
    )


def _assigned_score(name: str, value: str, *, quoted: bool, spaced: bool) -> float:
    value = value.strip().rstrip("\\")
    if _NOT_A_SECRET_NAME.search(name) or is_placeholder(value) or is_hash_or_id(value, name):
        return 0.0
    if value.lower() == name.lower() or " " in value or len(value) < 6 or is_common(value):
        return 0.0
    random = looks_random(value)
    if spaced:
        mixed = random and not is_code(value) and not _identifier(value)
        return 0.65 if mixed and len(value) >= 16 else 0.0
    if random and len(value) >= 12:
        return 0.9 if not is_code(value) or bits(value) > 4.0 else 0.0
    if not _STRONG.search(name) or is_code(value):
        return 0.0
    return 0.7 if _chosen(value, name) and (quoted or not is_wordy(value)) else 0.0


def _told(name: str, value: str) -> bool:
    """A password told in a sentence: it has three kinds of signs, as those that are made up do."""
    value = value.rstrip(".!?")
    kinds = (str.islower, str.isupper, str.isdigit, lambda c: not c.isalnum())
    return (
        re.search(r"(?i)passw|passphrase|passcode", name) is not None
        and len(value) >= 8
        and sum(any(map(kind, value)) for kind in kinds) >= 3
        and not is_placeholder(value)
        and not is_code(value)
        and not is_wordy(value)
    )


def _chosen(value: str, name: str) -> bool:
    """A password that somebody chose: short, but of mixed signs, and no word of the language."""
    if not re.search(r"(?i)pass|pwd|secret|senha|contrase", name):
        return len(value) >= 16 and not is_wordy(value) and bits(value) >= 3.0
    digits = any(c.isdigit() for c in value)
    signs = any(not c.isalnum() for c in value)
    return (digits or signs) and bits(value) >= 2.3 and not _identifier(value)


def _identifier(value: str) -> bool:
    return re.fullmatch(r"[A-Za-z]+(?:[_.-][A-Za-z]+)+\d?", value) is not None


def _headers(view: View) -> list[Named]:
    out = []
    for cue in _HEADER_CUE.finditer(view.octets):
        match = _HEADER.match(view.folded, cue.end(), cue.end() + 460)
        if match is None or is_placeholder(match["value"]) or is_wordy(match["value"]):
            continue
        value, scheme = match["value"], (match["scheme"] or "").lower()
        start, end = match.span("value")
        in_header = re.search(
            r"(?:-H|--header)[ =]*[\"']?[\w-]*$",
            view.folded[max(0, cue.start() - 40) : cue.start()],
        )
        if scheme == "basic" and _shown(value):
            continue
        mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
        if looks_random(value) or (scheme == "basic" and len(value) >= 12) or (in_header and mixed):
            out.append(Named("header", start, end, 0.85))
    return out


def _shown(value: str) -> bool:
    """A user and password in base 64 that stand for others."""
    try:
        plain = base64.b64decode(value + "=" * (-len(value) % 4)).decode()
    except ValueError:
        return False
    user, colon, password = plain.partition(":")
    return bool(colon) and (password == user or is_placeholder(password))


def _addresses(view: View) -> list[Named]:
    out = []
    for match in _IN_ADDRESS.finditer(view.octets):
        start, end = match.span(2)
        value, user = view.folded[start:end], view.folded[match.start(1) : match.end(1)]
        if (
            value.lower() == user.lower()
            or is_placeholder(value)
            or value.isdigit()
            or is_code(value)
            or (user, value) == ("scott", "tiger")
        ):
            continue
        out.append(Named("address", start, end, 0.85))
    return out


def _commands(view: View) -> list[Named]:
    out = []
    for pattern, rule in ((_IN_CONNECTION, "connection"), (_NETRC, "netrc")):
        for match in pattern.finditer(view.octets):
            start, end = match.span(1)
            if _given(view.folded[start:end]):
                out.append(Named(rule, start, end, 0.75))
    for cue in _COMMAND_CUE.finditer(view.octets):
        command = view.folded[cue.end() : cue.end() + _COMMAND_LENGTH]
        pattern = (
            _USER if view.folded[cue.start() : cue.end()] in ("curl", "wget", "http") else _PASSWORD
        )
        if found := pattern.search(command):
            group = "value" if pattern is _PASSWORD or len(found["value"]) >= 4 else "user"
            start, end = (cue.end() + at for at in found.span(group))
            if _given(found[group]) and (group == "value" or _odd(found[group])):
                out.append(Named("command", start, end, 0.75))
    return out


def _given(value: str) -> bool:
    return (
        len(value) >= 4
        and not is_placeholder(value)
        and not value.startswith(("$", "<", "{", "%", "`"))
    )


def _odd(value: str) -> bool:
    return any(c.isdigit() for c in value) and len(value) >= 8
