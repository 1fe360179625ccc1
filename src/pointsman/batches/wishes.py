"""What a client says of the batch it wants, checked. Pure."""

import re

import msgspec

from pointsman.domain.errors import InvalidRequest
from pointsman.surfaces.table import SURFACES

PAIRS_MOST, KEY_MOST, VALUE_MOST = 16, 64, 512  # of metadata, as OpenAI has them
WINDOW_MOST_H = 14 * 24
_WINDOW = re.compile(r"([1-9][0-9]{0,2})(h|d)")


class Expiry(msgspec.Struct, frozen=True):
    """When output files go."""

    anchor: str
    seconds: int


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /v1/batches`."""

    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: dict[str, str] | None = None
    output_expires_after: Expiry | None = None


_WISH = msgspec.json.Decoder(Wish)


def read_wish(body: bytes) -> Wish:
    """The wish in a body. Raises: InvalidRequest."""
    try:
        return _WISH.decode(body)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$.")
        param = path.rstrip("`") or (what.split("`")[1] if what.count("`") == 2 else None)
        raise InvalidRequest(str(error), param=param, code="invalid_type") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"the body is not JSON: {error}", code="invalid_json") from None


def checked_wish(wish: Wish) -> int:
    """The window in microseconds. Raises: InvalidRequest."""
    if wish.endpoint not in SURFACES:
        raise _wrong("endpoint", "must be one of " + ", ".join(SURFACES))
    window = _WINDOW.fullmatch(wish.completion_window)
    hours = 0 if window is None else int(window[1]) * (24 if window[2] == "d" else 1)
    if not 0 < hours <= WINDOW_MOST_H:
        raise _wrong("completion_window", "must be hours or days, from `1h` to `14d`: `24h`")
    metadata = wish.metadata or {}
    sound = all(len(key) <= KEY_MOST and len(said) <= VALUE_MOST for key, said in metadata.items())
    if len(metadata) > PAIRS_MOST or not sound:
        raise _wrong(
            "metadata",
            f"holds {PAIRS_MOST} pairs at most, keys of {KEY_MOST} characters and values of "
            f"{VALUE_MOST}",
        )
    return hours * 3600 * 1_000_000


def _wrong(param: str, what: str) -> InvalidRequest:
    return InvalidRequest(f"`{param}` {what}", param=param, code="invalid_value")
