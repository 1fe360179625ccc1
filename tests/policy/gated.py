"""Texts through a gate, for tests: what leaves, what should, a secret for each standard rule."""

from itertools import pairwise

from pointsman.policy.finding import Finding
from pointsman.policy.gating.gate import StreamGate

KEY = "AKIA" + "QRSTUVWX" * 2
SECRETS = {
    "aws-access-key": (f"the key is {KEY}, keep it", KEY),
    "email": ("write to ada.l+x@mail.example.org today", "ada.l+x@mail.example.org"),
    "payment-card": ("pay 4111 1111 1111 1111 now", "4111 1111 1111 1111"),
    "iban": ("to GB82 WEST 1234 5698 7654 32.", "GB82 WEST 1234 5698 7654 32"),
    "us-ssn": ("is 123-45-6789 right", "123-45-6789"),
    "phone": ("call +44 20 7946 0958!", "+44 20 7946 0958"),
    "ip-address": ("at 192.168.17.254;", "192.168.17.254"),
    "github-token": ("x ghp_" + "a1B2" * 9 + " y", "ghp_" + "a1B2" * 9),
    "sk-key": ("use sk-" + "Zz9_" * 6 + " here", "sk-" + "Zz9_" * 6),
    "json-web-token": (
        "t=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl ",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    ),
    "private-key": (
        "so:\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nx+/=\n-----END RSA PRIVATE KEY-----\nend",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nx+/=\n-----END RSA PRIVATE KEY-----",
    ),
}


def through(gate: StreamGate, pieces: list[str]) -> tuple[str, list[Finding], str]:
    """What left, what was found, how it ended."""
    releases = [gate.push(piece) for piece in pieces]
    releases.append(gate.close())
    found = [finding for release in releases for finding in release.findings]
    return "".join(release.text for release in releases), found, releases[-1].state


def cut(text: str, places: list[int]) -> list[str]:
    edges = [0, *sorted(places), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


def expected(text: str, findings: tuple[Finding, ...]) -> str:
    """The text with each cluster of overlapping findings replaced."""
    pieces, at, left = [], 0, sorted(findings, key=lambda one: (one.start, -one.end))
    while left:
        first = left.pop(0)
        end = first.end
        while left and left[0].start < end:
            end = max(end, left.pop(0).end)
        pieces += [text[at : first.start], f"[redacted {first.kind}]"]
        at = end
    return "".join(pieces) + text[at:]
