"""Secrets under a master key that the database does not hold; no cryptography lives here."""

from typing import Protocol

from pointsman.domain.errors import ConfigurationError


class Wrapper(Protocol):
    """Puts secrets under a master key. `context` is bound to the secret: AEAD's extra data."""

    @property
    def id(self) -> str:
        """Which master key it wraps with; kept beside what it wrapped."""
        ...

    def wrap(self, secret: bytes, *, context: bytes) -> bytes: ...

    def unwrap(self, wrapped: bytes, *, context: bytes, by: str) -> bytes:
        """The secret; `by` is the id it was wrapped under. Raises ValueError if it cannot."""
        ...


class Secrets:
    """Secrets as they lie in a row: wrapped where there is a wrapper, else as they are."""

    def __init__(self, wrapper: Wrapper | None) -> None:
        self._wrapper = wrapper

    @property
    def under(self) -> str | None:
        """Which master key new secrets lie under."""
        return self._wrapper.id if self._wrapper else None

    def stored(self, secret: bytes, *, context: str) -> dict[str, bytes | str | None]:
        """The columns `secret` and `wrapped_by` of a row."""
        if self._wrapper is None:
            return {"secret": secret, "wrapped_by": None}
        wrapped = self._wrapper.wrap(secret, context=context.encode())
        return {"secret": wrapped, "wrapped_by": self._wrapper.id}

    def clear(self, stored: bytes, wrapped_by: str | None, *, context: str) -> bytes:
        """The secret itself.

        Raises: ConfigurationError if it lies under a master key that we were not given.
        """
        if wrapped_by is None:
            return stored
        why = "no master key was given"
        if self._wrapper is not None:
            try:
                return self._wrapper.unwrap(stored, context=context.encode(), by=wrapped_by)
            except ValueError as error:
                why = f"the master key {self._wrapper.id} does not open it: {error}"
        raise ConfigurationError(
            f"a secret of the state lies under the master key {wrapped_by}",
            why=why,
            next="give that master key; without it what it covers is lost",
        )
