"""An answer in chat objects as a sequence of blocks that begin, grow and end in order.

Other APIs write one block after the other; chat may mix the deltas of several tool calls, and
text among them. What cannot be written yet waits until the block before it is whole. Nothing ends
before all of it came: clients act on the end of a block, and half a call is no call.
"""

from collections import deque
from collections.abc import Iterator, Sequence

import msgspec

from pointsman.surfaces.deltas import Counts, Kind, Piece, read

_MOST_CALLS = 256  # of one answer; each may make what waits for it wait once more
_MOST_LOOKS = 64  # whether a call is whole: each look reads all of it


class Block:
    """A part of the answer, as far as it has come."""

    __slots__ = ("_looked", "_looks", "_parts", "_whole", "ended", "id", "kind", "name")

    def __init__(self, kind: Kind, *, id: str = "", name: str = "") -> None:
        self.kind = kind
        self.id = id  # of a tool call
        self.name = name
        self.ended = False
        self._parts: list[str] = []
        self._looks, self._looked, self._whole = 0, -1, False

    @property
    def text(self) -> str:
        """What it says, or the arguments of a call."""
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""

    def add(self, text: str) -> None:
        self._parts.append(text)

    @property
    def whole(self) -> bool:
        """Whether nothing more of it must come: a call's arguments are an object."""
        if self.kind != "tool":
            return True
        text = self.text
        if len(text) != self._looked and self._looks < _MOST_LOOKS and text.endswith("}"):
            self._looks, self._looked = self._looks + 1, len(text)
            self._whole = _is_json(text)
        return self._whole and len(text) == self._looked


class Began(msgspec.Struct, frozen=True):
    """A block begins; every later event is of it until it ends."""

    block: Block


class Grew(msgspec.Struct, frozen=True):
    """More of the block that is open."""

    block: Block
    text: str


class Ended(msgspec.Struct, frozen=True):
    """The open block is whole, or no more of it will come."""

    block: Block


Event = Began | Grew | Ended


class Pieces:
    """Reads chat chunks, or one whole chat answer, of its first choice."""

    def __init__(self) -> None:
        self.id = ""
        self.model = ""
        self.created = 0
        self.finish_reason: str | None = None
        self.stop_sequence: str | None = None
        self.counts: Counts | None = None
        self.told: msgspec.Raw | None = None  # what the gateway adds where the head left early
        self.blocks: list[Block] = []  # every one, in the order they began
        self._open: tuple[Block, int] | None = None
        self._waiting: list[Piece] = []  # for the open block to be whole
        self._unnamed: dict[int, list[Piece]] = {}  # of calls without a name so far, by slot
        self._calls: set[int] = set()  # slots of those that began

    def chunk(self, data: bytes) -> Iterator[Event]:
        """The events of one chunk. What is no chat object says nothing."""
        said = read(data)
        if said is None:
            return
        self.id = self.id or said.id
        self.model = self.model or said.model
        self.created = self.created or said.created
        self.counts = said.counts or self.counts
        self.told = said.told or self.told
        if said.finish_reason and self.finish_reason != "length":  # a cut answer stays cut
            self.finish_reason = said.finish_reason
        self.stop_sequence = said.stop_sequence or self.stop_sequence
        for piece in said.pieces:
            current = self._open
            if current is None or not _same(current, piece):
                yield from self._put(piece)
            elif piece.text:  # nearly every chunk
                current[0].add(piece.text)
                yield Grew(current[0], piece.text)

    def whole(self, body: bytes) -> None:
        """Read a whole answer; `blocks` are its parts."""
        for _ in self.chunk(body):
            pass
        for _ in self.end():
            pass

    def end(self) -> Iterator[Event]:
        """The events of what still waits, and the end of what is open."""
        while self._waiting or self._open:
            waiting, self._waiting = self._waiting, []
            yield from self._close()  # whole or not: no more of it comes
            for piece in waiting:
                yield from self._put(piece)
        for pieces in self._unnamed.values():
            yield from self._begin(_joined(pieces))
            yield from self._close()

    def _put(self, said: Piece) -> Iterator[Event]:
        todo = deque((said,))
        while todo:
            piece = todo.popleft()
            current = self._open
            if current is not None and _same(current, piece):
                if piece.text:
                    current[0].add(piece.text)
                    yield Grew(current[0], piece.text)
                continue
            if piece.slot in self._calls:  # of one that was whole: nothing is left to say
                continue
            if current is not None and not current[0].whole:
                self._waiting.append(piece)
                continue
            yield from self._close()
            if self._waiting:  # before this one, in the order in which they came
                todo.extendleft(reversed([*self._waiting, piece]))
                self._waiting = []
                continue
            if piece.kind == "tool":
                if not piece.name:
                    if piece.slot in self._unnamed or len(self._unnamed) < _MOST_CALLS:
                        self._unnamed.setdefault(piece.slot, []).append(piece)
                    continue
                piece = _joined([*self._unnamed.pop(piece.slot, ()), piece])
            yield from self._begin(piece)

    def _begin(self, piece: Piece) -> Iterator[Event]:
        if piece.kind == "tool":
            if len(self._calls) >= _MOST_CALLS:
                return
            self._calls.add(piece.slot)
        id = piece.id or f"call_{self.id}_{len(self.blocks)}"
        block = Block(piece.kind, id=id, name=piece.name)
        self.blocks.append(block)
        self._open = (block, piece.slot)
        yield Began(block)
        if piece.text:
            block.add(piece.text)
            yield Grew(block, piece.text)

    def _close(self) -> Iterator[Event]:
        if self._open is not None:
            block, self._open = self._open[0], None
            block.ended = True
            yield Ended(block)


def _joined(pieces: Sequence[Piece]) -> Piece:
    """What came of one call, as one piece."""
    id = next((piece.id for piece in pieces if piece.id), "")
    return msgspec.structs.replace(pieces[-1], id=id, text="".join(piece.text for piece in pieces))


def _same(current: tuple[Block, int], piece: Piece) -> bool:
    block, slot = current
    return block.kind == piece.kind and slot == piece.slot


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
