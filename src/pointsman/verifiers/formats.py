"""The `format` words of JSON Schema that we can check, each without a further package."""

import ipaddress
import re
from collections.abc import Callable

from jsonschema import FormatChecker

_DATE = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])-([0-9]{2})")
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_TIME = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?([zZ]|[+-][0-9]{2}:[0-9]{2})")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def is_date(text: str) -> bool:
    """`2026-11-24`, and a day that there is (RFC 3339)."""
    match = _DATE.fullmatch(text)
    if match is None:
        return False
    year, month, day = (int(part) for part in match.groups())
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 1 <= day <= _DAYS[month - 1] + (leap and month == 2)


def is_time(text: str) -> bool:
    """`12:04:11.5Z` or with an offset; a leap second is allowed (RFC 3339)."""
    match = _TIME.fullmatch(text)
    if match is None or int(match[1]) > 23 or int(match[2]) > 59 or int(match[3]) > 60:
        return False
    offset = match[5]
    return offset in "zZ" or (int(offset[1:3]) <= 23 and int(offset[4:6]) <= 59)


def is_date_time(text: str) -> bool:
    """A date, `T` and a time with its offset (RFC 3339)."""
    return len(text) > 11 and text[10] in "tT" and is_date(text[:10]) and is_time(text[11:])


def is_hostname(text: str) -> bool:
    """Dot-separated labels of letters, digits and inner hyphens (RFC 1123)."""
    return len(text) <= 253 and all(_LABEL.fullmatch(label) for label in text.split("."))


def is_email(text: str) -> bool:
    """An unquoted local part, `@`, a host name (the plain form of RFC 5321)."""
    local, at, host = text.rpartition("@")
    dots = local.startswith(".") or local.endswith(".") or ".." in local
    return bool(at and _LOCAL.fullmatch(local)) and not dots and is_hostname(host)


def is_uri(text: str) -> bool:
    """A scheme, a colon and only characters that RFC 3986 allows."""
    return bool(_URI.fullmatch(text))


def _parses(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


_CHECKS: dict[str, Callable[[str], bool]] = {
    "date": is_date,
    "time": is_time,
    "date-time": is_date_time,
    "email": is_email,
    "hostname": is_hostname,
    "ipv4": lambda text: _parses(ipaddress.IPv4Address, text),
    "ipv6": lambda text: "%" not in text and _parses(ipaddress.IPv6Address, text),
    "uri": is_uri,
    "uuid": lambda text: bool(_UUID.fullmatch(text)),
}


def _of_text(check: Callable[[str], bool]) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or check(value)


FORMATS = FormatChecker(formats=())
FORMATS.checkers = {name: (_of_text(check), ()) for name, check in _CHECKS.items()}
