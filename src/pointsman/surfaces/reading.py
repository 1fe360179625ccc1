"""Reading a body once: the fields a surface knows, typed, and every field as it came."""

from typing import TypeVar

import msgspec

from pointsman.domain.errors import InvalidRequest

_Known = TypeVar("_Known")
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read(
    body: bytes, known: "msgspec.json.Decoder[_Known]"
) -> tuple[_Known, dict[str, msgspec.Raw]]:
    """What is known of a body, and all its fields. Raises: InvalidRequest: what is wrong, where."""
    try:
        if not body.isascii():
            body.decode()  # what is forwarded unread must be text as well
        return known.decode(body), _FIELDS.decode(body)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$.")
        raise InvalidRequest(
            str(error), param=path.rstrip("`") or _missing(what), code="invalid_type"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the body is not JSON: {error}", code="invalid_json") from None
    except RecursionError:
        raise InvalidRequest("the body is nested too deeply", code="invalid_json") from None


def _missing(what: str) -> str | None:
    """The field in msgspec's "Object missing required field `x`"."""
    return what.split("`")[1] if what.count("`") == 2 and "missing" in what else None
