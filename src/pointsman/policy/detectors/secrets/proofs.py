"""What proves a token beyond its form: checksums and structure."""

import base64
import binascii
import json
import zlib

from pointsman.policy.detectors.secrets.values import looks_random

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def github(token: str) -> bool | None:
    """The last six signs of a GitHub token are CRC-32 in base 62. None: an older or cut form.

    Source: GitHub's engineering blog, "Behind GitHub's new authentication token formats" (2021).
    """
    body = token[4:]
    if len(body) != 36:
        return None
    value, signs = zlib.crc32(body[:30].encode()), ""
    while value:
        value, rest = divmod(value, 62)
        signs = _BASE62[rest] + signs
    return signs.rjust(6, "0") == body[30:]


def jwt(token: str) -> bool | None:
    """The first part is a JSON object that names an algorithm. None: it cannot be read."""
    head = token.split(".", 1)[0]
    try:
        value = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError):
        return None
    return isinstance(value, dict) and ("alg" in value or "typ" in value)


def private_key(block: str) -> bool | None:
    """A block that ends has at least a key's worth of signs in it; one that is cut off may."""
    body, _, end = block.partition("-----END")
    inside = body.split("-----", 2)[-1]
    return len("".join(inside.split())) >= 60 if end else None


def random(token: str) -> bool | None:
    """Its form is common: only what chance would write is one."""
    return looks_random(token)


def slack(token: str) -> bool | None:
    """The last part has letters, and the numbers of team and user before it differ."""
    *numbers, last = token.split("-")[1:]
    told = [each for each in numbers if len(each) > 1]
    return len(set(told)) == len(told) and any(c.isalpha() for c in last)


PROOFS = {
    "slack": slack,
    "random": random,
    "github": github,
    "jwt": jwt,
    "private_key": private_key,
}
