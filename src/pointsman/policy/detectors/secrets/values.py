# ruff: noqa: E501 - a pattern is one line
"""Is a value that stands where a secret would stand one, or does it only look like it?"""

import math
import re
from collections import Counter
from itertools import pairwise

_PLACEHOLDER = re.compile(
    r"example|sample|placeholder|change[-_ ]?(?:me|it|this)|replace[-_ ]?(?:me|this|with)|insert|your|redacted"
    r"|dummy|todo|fixme|foo_?bar|lorem|(?:^|[-_. ])(?:mock|fake|fixture)(?:$|[-_. ])|\bmy[-_]?(?:pass|secret|token|key)|not[-_ ]?(?:a[-_ ]|real)|removed|masked|hidden|undefined"
    r"|goes[-_ ]?here|_here\b|xxxx|\*\*\*|\.\.\.|…|<[^>]+>|\[[^\]]+\]|\$\{|\$\(|\{\{|%\(|%s|#\{|\{[a-z_.]+\}"
    r"|<%|@@|__\w+__|env\.|environ|getenv|process\.|secrets?\.|vars?\.|config\.|settings\.|params\.|self\."
    r"|this\.|args\.|inputs?\.|data\.|local\.|module\.|var\.|ref\(|function|lambda|=>|return |const ",
    re.I,
)
_WORDS = frozenset(
    [
        "password",
        "passwd",
        "pass",
        "secret",
        "token",
        "key",
        "apikey",
        "null",
        "none",
        "nil",
        "true",
        "false",
        "string",
        "str",
        "int",
        "bool",
        "boolean",
        "bytes",
        "text",
        "value",
        "default",
        "empty",
        "required",
        "optional",
        "test",
        "testing",
        "username",
        "user",
        "admin",
        "root",
        "guest",
        "public",
        "private",
        "unknown",
        "object",
        "array",
        "number",
        "any",
        "void",
        "never",
        "yes",
        "no",
        "on",
        "off",
        "enabled",
        "disabled",
        "unset",
        "hunter",
        "login",
    ]
)
# What people write for a letter, for a word that is none any more.
_LEET = str.maketrans("013457@$!", "oleastasi")
_RUNS = "abcdefghijklmnopqrstuvwxyz 0123456789012345 qwertyuiop asdfghjkl zxcvbnm 9876543210"
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.I)
_HASH_NAME = re.compile(
    r"md5|sha\d|sha_|hash|digest|checksum|chksum|commit|revision|srcrev|integrity|etag|fingerprint|version"
    r"|signature_?id|trace|span_?id|nonce|csrf|xsrf|public|pubkey|thumbprint|uuid|guid",
    re.I,
)
_VERSION = re.compile(
    r"^v?\d{1,4}\.\d{1,4}\.\d{1,4}[-+.]|(?:^|[-_v])\d{1,4}\.\d{1,4}(?:\.\d+)?(?:[-.]?[A-Za-z]\w*)?$|^[\w.-]+\.[a-z]{2,4}:\d{2,5}$|-SNAPSHOT"
)
_CODE = re.compile(r"[()\[\]{};<>]|::|->|\\n|&&|\|\||^[./~]|^[a-z]+://|^\$\w|\.(?:py|js|ts|go|java|cs|rb|php"
                   r"|json|ya?ml|xml|txt|pem|crt|cer|key|com|net|org|io|jar|html?|png|svg)$", re.I)  # fmt: skip


_DATE = re.compile(r"(?:19|20)\d\d-[01]\d-[0-3]\d")
_PARTS = re.compile(
    r"[^A-Za-z0-9]+|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Z][a-z]{2})"
)
_REPEATED = re.compile("|".join(rf"\b(\w{{{n}}})(?:[-_.]\{n - 2}){{2}}\b" for n in range(3, 9)))
_SHORTCUT = re.compile(r"(?:ctrl|cmd|alt|shift|meta|option|super)\+\w", re.I)


def bits(value: str) -> float:
    """Shannon entropy of its characters, in bits a character; 0 for an empty value."""
    n = len(value)
    return -sum(c / n * math.log2(c / n) for c in Counter(value).values()) if n else 0.0


def is_placeholder(value: str) -> bool:
    """It says itself that it stands for something else, or nobody would issue it."""
    low = value.lower()
    bare = re.sub(r"[^a-z0-9]", "", low)
    if not bare or low in _WORDS or bare in _WORDS or _PLACEHOLDER.search(value):
        return True
    if len(set(bare)) <= 2 or _REPEATED.search(low) or re.search(r"([a-z0-9*#.])\1{5,}", low):
        return True
    return _runs_on(bare, 4)


def is_common(value: str) -> bool:
    """What many people write for a password, or made of runs of signs: nobody issued it."""
    low = value.lower()
    return re.sub(r"[\d\W_]{1,6}$", "", low).translate(_LEET) in _WORDS or _runs_on(
        re.sub(r"[^a-z0-9]", "", low), 3
    )


def is_hash_or_id(value: str, name: str) -> bool:
    """The name says that the value is public: a digest, a revision, an identifier."""
    return _HASH_NAME.search(name) is not None or (
        _UUID.fullmatch(value) is not None and not re.search(r"api[-_. ]?key|secret|token|pass|auth", name, re.I)
    )  # fmt: skip


def is_code(value: str) -> bool:
    """A path, a file, an address without credentials, or an expression rather than a value."""
    return (
        _CODE.search(value) is not None
        or _VERSION.search(value) is not None
        or _SHORTCUT.match(value) is not None
    )


def is_wordy(value: str) -> bool:
    """Words joined as in a name or a sentence: `event-bus-message-api`, `AcceptanceTimeoutSeconds`."""
    parts = [part for part in _PARTS.split(_DATE.sub("", value)) if part]
    words = [p for p in parts if p.isalpha() and _pronounceable(p)]
    letters = sum(len(p) for p in words)
    return letters >= 0.68 * sum(len(p) for p in parts) and max(map(len, parts), default=0) < 15


def looks_random(value: str) -> bool:
    """Enough signs of several kinds, mixed as chance mixes them."""
    if len(value) < 12 or bits(value) < 2.9 or is_wordy(value):
        return False
    digits = sum(c.isdigit() for c in value)
    kinds = (digits > 0) + any(c.islower() for c in value) + any(c.isupper() for c in value)
    if digits == len(value):
        return len(value) >= 20
    if kinds == 1:
        return len(value) >= 20 and bits(value) >= 3.6 and _vowels(value) < 0.32
    changes = sum(_kind(a) != _kind(b) for a, b in pairwise(value))
    return changes >= len(value) / 8


def _kind(c: str) -> int:
    return 0 if c.isdigit() else 1 if c.islower() else 2 if c.isupper() else 3


def _vowels(value: str) -> float:
    return sum(c in "aeiouAEIOU" for c in value) / max(1, len(value))


def _pronounceable(part: str) -> bool:
    if len(part) <= 2:
        return True
    share = _vowels(part.replace("y", "a").replace("Y", "A"))
    one_case = part.islower() or part.isupper() or part[1:].islower()
    return one_case and 0.18 <= share <= 0.75 and not re.search(r"[^aeiouyAEIOUY]{5}", part)


def _runs_on(bare: str, least: int) -> bool:
    """Half of it or more are runs of so many of the alphabet, the digits or the keyboard."""
    bare, covered, i = bare[:96], 0, 0  # a run further on would not be half of it
    while i <= len(bare) - least:
        length = 0
        if bare[i : i + least] not in _RUNS:
            i += 1
            continue
        for size in range(min(26, len(bare) - i), least - 1, -1):
            if bare[i : i + size] in _RUNS:
                length = size
                break
        covered += length
        i += length or 1
    return covered * 2 >= len(bare) and covered >= 4
