"""Texts with the escapes of JSON strings resolved, whole or as they come, with the way back."""

from pointsman.policy.gating.normalising import Mark, Reading, reading

_LOST = "\ufffd"  # for half of a surrogate pair, which is no character


def resolved(text: str) -> Reading:
    """The text with the escapes of JSON strings resolved, pairs of surrogates as one character."""
    return _paired(reading(text, normalise=False, escapes=True, ends=True))


class Resolving:
    """A text in pieces, resolved as it comes; `start` and `end` tell where characters stood."""

    def __init__(self) -> None:
        self.length = 0  # of the text itself, what has only begun left out
        self._begun = ""  # an escape, or half of a pair, at the end
        self._from = 0  # of the resolved text, kept from here on
        self._starts: list[int] = []
        self._ends: list[int] = []

    def push(self, text: str, *, ends: bool = False) -> str:
        """What is certain of the resolved text by this piece. `ends`: no more follows."""
        text = self._begun + text
        read = reading(text, normalise=False, escapes=True, ends=ends)
        until = read.length
        if not ends and read.text and "\ud800" <= read.text[-1] < "\udc00":
            until = read.start(len(read.text) - 1)
        closed = _paired(reading(text[:until], normalise=False, escapes=True, ends=True))
        characters = range(len(closed.text))
        self._starts += [self.length + closed.start(at) for at in characters]
        self._ends += [self.length + closed.end(at) for at in characters]
        self._begun = text[until:]
        self.length += until
        return closed.text

    def start(self, at: int) -> int:
        """Where the resolved character at an offset begins in the text itself."""
        at -= self._from
        return self._starts[at] if at < len(self._starts) else self.length

    def end(self, at: int) -> int:
        """Where the resolved character before an offset ends in the text itself."""
        return self._ends[at - 1 - self._from]

    def forget(self, before: int) -> None:
        """Nobody will ask for resolved characters before this one."""
        past = before - self._from
        if past > 256:
            del self._starts[:past]
            del self._ends[:past]
            self._from += past


def _paired(read: Reading) -> Reading:
    if not any("\ud800" <= character <= "\udfff" for character in read.text):
        return read
    characters: list[str] = []
    marks: list[Mark] = []
    at = 0
    while at < len(read.text):
        code, low = ord(read.text[at]), ord(read.text[at + 1 : at + 2] or "\0")
        paired = 0xD800 <= code < 0xDC00 <= low < 0xE000
        character = chr(0x10000 + ((code - 0xD800) << 10) + low - 0xDC00) if paired else chr(code)
        characters.append(_LOST if 0xD800 <= ord(character) < 0xE000 else character)
        marks.append(Mark(len(marks), 1, read.start(at), read.end(at + paired)))
        at += 1 + paired
    return Reading("".join(characters), tuple(marks), read.length)
