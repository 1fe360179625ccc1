"""Links and images through which an answer would carry data away when it is shown or clicked."""

import re

from pointsman.policy.detectors.made import judged
from pointsman.policy.detectors.secrets.values import bits
from pointsman.policy.detectors.view import View, compile_octets
from pointsman.policy.finding import Channel, Finding, Judgement

# Loaded without a click: what stands in the address is sent as soon as the answer is drawn.
_LOADED = compile_octets(
    r"(?i)(?:!\[[^\]\n]{0,200}\]\(\s*<?(https?://[^\s)>]{4,1000})|!\[[^\]\n]{0,200}\]\[[^\]\n]{0,80}\]"
    r"|<(?:img|iframe|script|link|video|audio|source|embed|object)\b[^>]{0,200}?(?:src|href|data)\s*=\s*[\"']?(https?://[^\s\"'>]{4,1000})"
    r"|url\(\s*[\"']?(https?://[^\s\"')]{4,1000}))"
)
_CLICKED = compile_octets(r"(?i)\[[^\]\n]{1,200}\]\(\s*<?(https?://[^\s)>]{4,1000})")
_SCHEME = compile_octets(r"(?i)\]\(\s*<?((?:javascript|vbscript|data)\s*:[^\s)]{2,400})")
_HOST = re.compile(r"https?://(?:[^/@]*@)?([^/:?#]+)", re.I)
_CARRIED = re.compile(r"[?&#;/][\w.-]{0,40}=?([A-Za-z0-9%+/=_.,-]{12,})")


class Exfiltration:
    """Judges answers for addresses that carry something away.

    Args: hosts may be loaded from, with their sub-domains: `example.com` allows `img.example.com`.
    """

    name = "exfiltration"
    version = "exfiltration-1"

    def __init__(self, *, hosts: frozenset[str] = frozenset()) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)

    def judge(self, text: str, *, channel: Channel) -> Judgement:
        """What loads by itself is found whatever it carries; a link only where it carries data."""
        view = View(text)
        findings = []
        for match in _LOADED.finditer(view.octets):
            group = next((g for g in (1, 2, 3) if match.start(g) >= 0), 0)
            start, end = match.span(group)
            address = view.folded[start:end]
            if group and not self._allowed(address):
                score = 0.95 if carries(address) else 0.6
                findings.append(self._finding("loaded", start, end, score))
        for match in _CLICKED.finditer(view.octets):
            start, end = match.span(1)
            taken = any(f.start == start for f in findings)
            address = view.folded[start:end]
            if not taken and carries(address) and not self._allowed(address):
                findings.append(self._finding("link", start, end, 0.7))
        for match in _SCHEME.finditer(view.octets):
            start, end = match.span(1)
            findings.append(self._finding("scheme", start, end, 0.9))
        return judged(self.name, self.version, findings)

    def _allowed(self, address: str) -> bool:
        found = _HOST.match(address)
        host = found[1].lower() if found else ""
        return any(host == ok or host.endswith("." + ok) for ok in self._hosts)

    def _finding(self, rule: str, start: int, end: int, score: float) -> Finding:
        return Finding(
            detector=self.name, rule=rule, kind="exfiltration", start=start, end=end, score=score
        )


def carries(address: str) -> bool:
    """Something in its path or query is long and mixed, or says that it is to be filled in."""
    rest = _HOST.sub("", address, count=1)
    if re.search(
        r"[{<\[](?:data|secret|text|message|conversation|history|query|user\w*)[}>\]]", rest, re.I
    ):
        return True
    return any(map(_looks_carried, _CARRIED.findall(rest)))


def _looks_carried(value: str) -> bool:
    words = value.count("%20") + value.count("+")
    return words >= 3 or (len(value) >= 24 and bits(value) >= 3.2)
