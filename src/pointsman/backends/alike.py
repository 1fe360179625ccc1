"""Chunks of a stream that differ from one before in their text alone: read without parsing; pure.

An engine writes the chunks of one answer alike: the same bytes around another word. Once one was
parsed and found usual, an equal frame around a text that needs no unescaping is the same chunk
with that text. Anything else is parsed.
"""

_KEYS = (b'"content":"', b'"content": "')


class Alike:
    """The frames of the latest usual chunk: as it came, and as it was shown."""

    __slots__ = ("_after", "_before", "_closing", "_known", "_least", "_opening", "_same")

    def __init__(self) -> None:
        self._known = False
        self._opening = self._closing = b""  # as it came
        self._before = self._after = b""  # as it was shown
        self._same = True  # both
        self._least = 0  # bytes of what came around a text

    def learn(self, data: bytes, text: str, shown: bytes) -> None:
        """Take the frames of a chunk that carried this text in `content`, and nothing of note."""
        came = _frame(data, text)
        told = came if shown is data else _frame(shown, text)
        if came is not None and told is not None:
            self._opening, self._closing = came
            self._before, self._after = told
            self._same = shown is data
            self._least = len(self._opening) + len(self._closing)
            self._known = True

    def take(self, data: bytes) -> tuple[str, bytes] | None:
        """The text of a chunk that is alike, and what is shown of it; None: it has to be parsed."""
        if not (self._known and data.startswith(self._opening) and data.endswith(self._closing)):
            return None
        if len(data) <= self._least:
            return None
        said = data[len(self._opening) : -len(self._closing)]
        if b'"' in said or b"\\" in said:
            return None
        try:
            text = said.decode()
        except UnicodeDecodeError:
            return None
        if not text.isprintable():  # control characters are no JSON
            return None
        return text, data if self._same else self._before + said + self._after


def _frame(data: bytes, text: str) -> tuple[bytes, bytes] | None:
    """What is before and after the text, where its place is certain.

    Without a backslash every quote is one of the JSON's own, so that a key found once is that key.
    """
    if not text or b"\\" in data or data.count(b'"content"') != 1:
        return None
    for key in _KEYS:
        whole = key + text.encode() + b'"'
        start = data.find(whole)
        if start >= 0:
            return data[: start + len(key)], data[start + len(whole) - 1 :]
    return None
