"""People at the admin's door: tokens of their own identity provider (OpenID Connect), checked here.

A token is believed when its signature is of a key of the provider, its issuer and audience are the
configured ones, and its time is now. What it may do, its groups say. No token is stored or logged.
"""

import asyncio
import json
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pointsman.domain.errors import (
    ConfigurationError,
    ExtraMissing,
    PointsmanError,
    Unauthenticated,
)
from pointsman.domain.task import OidcSettings, Role

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

log = logging.getLogger(__name__)
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]  # none by a secret
_LEEWAY_S = 60
_KEEP_S = 3600.0  # the provider's keys
_LONGEST_S = 86_400.0  # without newer ones: from then on nobody is let in by them
_AGAIN_S = 30.0  # at most this often for a key that is not known
_FAILED_S = 5.0  # before a fetch that failed is tried again
_MOST_BYTES = 1024 * 1024
_MOST_TOKEN = 16 * 1024
_MOST_SUBJECT = 255  # as OpenID Connect has it
_PATIENCE_S = 5.0


class Person(NamedTuple):
    """Somebody the provider vouches for."""

    name: str
    roles: frozenset[Role]
    id: str = ""  # issuer and subject: a name or an address may pass to somebody else


class People:
    """Reads tokens. For one event loop. Raises: ExtraMissing.

    However many ask at once, one of them fetches the provider's keys, on one thread; the others
    wait for it on the loop, and not longer than that. After a fetch that failed nobody is made to
    wait for a while: with keys that are known it goes on, without them nobody is let in.
    Args: read gives the bytes at an address, on a thread; now the seconds since 1970.
    """

    def __init__(
        self,
        settings: OidcSettings,
        *,
        read: Callable[[str], bytes] | None = None,
        now: Callable[[], float] = time.time,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        try:
            import joserfc  # noqa: F401
        except ImportError as error:
            raise ExtraMissing(
                "server.admin.oidc needs joserfc",
                why=str(error),
                next='pip install "pointsman[oidc]"',
            ) from error
        self._settings = settings
        self._read = read or _fetched
        self._now = now
        self._patience_s = patience_s
        self._keys: KeySet | None = None
        self._good_at = 0.0  # when these were read
        self._tried_at: float | None = None
        self._fetch: asyncio.Task[None] | None = None

    async def person(self, token: bytes) -> Person:
        """Whose token it is. Raises: Unauthenticated; nothing says which part was wrong."""
        from joserfc import jwt
        from joserfc.errors import JoseError

        if len(token) > _MOST_TOKEN:
            raise _refused()
        try:
            claims = await self._claims(token)
            jwt.JWTClaimsRegistry(
                now=int(self._now()),
                leeway=_LEEWAY_S,
                iss={"essential": True, "value": self._settings.issuer},
                aud={"essential": True, "value": self._settings.audience},
                exp={"essential": True},
                sub={"essential": True},
            ).validate(claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise _refused() from error
        return Person(_name(claims), self._roles(claims), _id(claims))

    async def _claims(self, token: bytes) -> dict[str, Any]:
        from joserfc import jwt
        from joserfc.errors import JoseError

        text = token.decode("ascii")
        if self._keys is None or self._now() - self._good_at > _KEEP_S:
            await self._renew(_FAILED_S)
        try:
            return dict(jwt.decode(text, self._known(), _ALGORITHMS).claims)
        except (JoseError, ValueError):
            # a key that was made since: look again, but not for everyone who sends rubbish
            if not await self._renew(_AGAIN_S):
                raise
        return dict(jwt.decode(text, self._known(), _ALGORITHMS).claims)

    def _known(self) -> "KeySet":
        """Raises: Unauthenticated where there are none, or none that are not too old."""
        if self._keys is None or self._now() - self._good_at > _LONGEST_S:
            raise Unauthenticated(
                "who you are cannot be checked now",
                why="the keys of the identity provider cannot be read",
                next="try again shortly; keys of server.admin.keys work meanwhile",
                code="invalid_token",
            )
        return self._keys

    async def _renew(self, after_s: float) -> bool:
        """Fetch the provider's keys, or wait for who does; False where that was so lately."""
        if self._fetch is None:
            if self._tried_at is not None and self._now() - self._tried_at < after_s:
                return False
            self._tried_at = self._now()
            self._fetch = asyncio.create_task(self._fetched())
        await asyncio.wait({self._fetch}, timeout=self._patience_s)
        return True

    async def _fetched(self) -> None:
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        try:
            said = json.loads(await asyncio.to_thread(self._read, self._settings.jwks))
            self._keys = KeySet.import_key_set(said)
            self._good_at = self._now()
        except (OSError, ValueError, KeyError, TypeError, JoseError, PointsmanError) as error:
            log.warning("the keys of the identity provider cannot be read: %s", error)
        finally:
            self._fetch = None

    def _roles(self, claims: Mapping[str, Any]) -> frozenset[Role]:
        said = claims.get(self._settings.roles_claim)
        groups = said.split() if isinstance(said, str) else said if isinstance(said, list) else []
        return frozenset(
            role
            for group in groups
            if isinstance(group, str)
            for role in self._settings.roles.get(group, ())
        )


def _name(claims: Mapping[str, Any]) -> str:
    """The person for records: who the provider says, by a name that people know if it has one."""
    for key in ("email", "preferred_username", "sub"):
        said = claims.get(key)
        if isinstance(said, str) and said:
            return said[:200]
    raise _refused()


def _id(claims: Mapping[str, Any]) -> str:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject or len(subject) > _MOST_SUBJECT:
        raise _refused()
    return f"{claims['iss']}#{subject}"


def _fetched(address: str) -> bytes:
    if not address.startswith("https://"):
        if "://" in address:
            raise ConfigurationError("server.admin.oidc.jwks wants https, or a file")
        with open(address, "rb") as file:
            return file.read(_MOST_BYTES)
    request = urllib.request.Request(address, headers={"accept": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:  # noqa: S310
            return _within(answer, time.monotonic() + _PATIENCE_S)
    except urllib.error.URLError as error:
        raise OSError(str(error)) from error


def _within(answer: Any, by: float) -> bytes:
    """What it says, however it drips. Raises: OSError for more, or later, than anybody needs."""
    data = b""
    while piece := answer.read1(64 * 1024):
        data += piece
        if len(data) > _MOST_BYTES or time.monotonic() > by:
            raise OSError("the answer is too long, or takes too long")
    return data


def _refused() -> Unauthenticated:
    return Unauthenticated(
        "this token opens nothing here",
        why="it is not of the configured identity provider, not for this gateway, or out of time",
        next="sign in again",
        code="invalid_token",
    )


def looks_like_token(credential: bytes) -> bool:
    """Whether a credential has the form of a signed token."""
    return credential.count(b".") == 2 and credential.startswith(b"eyJ")
