"""Which web pages may ask and read the answers: header lines, decided from a request's headers."""

from collections.abc import Mapping, Sequence

from pointsman.domain.errors import Forbidden
from pointsman.domain.transport import Cors

# What a page may read beside the body; a browser takes no pattern here.
EXPOSED = (
    "x-request-id", "request-id", "x-pointsman-trace", "x-pointsman-config", "x-pointsman-prompt",
    "x-pointsman-verified", "x-pointsman-policy", "x-pointsman-arm",
    "x-pointsman-deployment", "x-pointsman-attempts", "x-pointsman-cost-usd-picos",
    "retry-after", "retry-after-ms",
)  # fmt: skip
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
Lines = list[tuple[bytes, bytes]]


class Origins:
    """The pages that may ask: those named, and on a door without keys this machine's own."""

    def __init__(self, cors: Cors, *, local: bool) -> None:
        self._cors = cors
        self._local = local
        self._named = {origin.rstrip("/") for origin in cors.origins}
        self._any = "*" in self._named
        self._varies = b"" if self._any or not self._named else b"vary: origin\r\n"
        shared = b""
        if cors.allow_credentials:
            shared += b"access-control-allow-credentials: true\r\n"
        shared += f"access-control-expose-headers: {', '.join(EXPOSED)}\r\n".encode()
        self._shared = shared

    def allow(self, raw: bytes) -> bool:
        """Whether pages of this origin may ask."""
        if self._any:
            return True
        origin = raw.decode("latin-1").lower().rstrip("/")
        if origin in self._named:
            return True
        scheme, _, rest = origin.partition("://")
        name = rest if rest.endswith("]") else rest.rsplit(":", 1)[0] if ":" in rest else rest
        return self._local and scheme in ("http", "https") and name in _LOOPBACK_NAMES

    def check(self, headers: Mapping[bytes, bytes]) -> None:
        """Raises: Forbidden for a page that may not ask."""
        raw = headers.get(b"origin")
        if raw is not None and not self.allow(raw):
            raise Forbidden(
                f"pages of {raw.decode('latin-1')[:100]!r} may not ask here",
                next="add it to server.cors.origins",
                code="origin_not_allowed",
            )

    def lines(self, headers: Mapping[bytes, bytes]) -> bytes:
        """Whole header lines that every answer to a request with these headers carries."""
        raw = headers.get(b"origin")
        if raw is None or not self.allow(raw):
            return self._varies
        if self._any:
            return b"access-control-allow-origin: *\r\n" + self._shared
        return b"access-control-allow-origin: " + raw + b"\r\nvary: origin\r\n" + self._shared

    def preflight(self, headers: Mapping[bytes, bytes], methods: Sequence[str]) -> Lines:
        """What answers the question a browser asks before the request itself."""
        lines = [
            (b"access-control-allow-methods", ", ".join(methods).encode()),
            (b"access-control-max-age", b"%d" % self._cors.max_age_s),
        ]
        asked = headers.get(b"access-control-request-headers")
        if asked:
            lines.append((b"access-control-allow-headers", asked))
        return lines
