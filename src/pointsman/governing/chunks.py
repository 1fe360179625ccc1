"""Chunks of a stream with what models write in them put through flows; all else as it came."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from pointsman.domain.policies import Channel, Stage
from pointsman.domain.ports import Chunk
from pointsman.domain.verdict import Subject
from pointsman.governing.flows import Flow
from pointsman.governing.leaves import Leaf, Path, leaves, put
from pointsman.governing.requests import Text

_SAID = ("delta", "text", "message")
_KNOWN = frozenset((*_SAID, "index", "finish_reason", "stop_reason", "matched_stop"))
_BESIDE = _KNOWN - set(_SAID)
_TEXTS = frozenset(("content", "reasoning_content", "reasoning", "refusal"))
_ENVELOPE = ("id", "object", "created", "model", "system_fingerprint")
# What stands beside the choices and is none of a model's words.
_TOP = frozenset((*_ENVELOPE, "choices", "usage", "service_tier"))
_decode, _encode = msgspec.json.decode, msgspec.json.encode


class Line:
    """One text of one choice: where it stands, all of it so far, and its flow."""

    __slots__ = ("channel", "choice", "flow", "key", "parts")

    def __init__(self, choice: int, key: Path, channel: Channel, flow: Flow) -> None:
        self.choice = choice
        self.key = key  # as in a delta, a tool call by its own index
        self.channel: Channel = channel
        self.flow = flow
        self.parts: list[str] = []


class Lines:
    """The texts of a stream by choice and place. `flow` makes the flow of a text that begins."""

    def __init__(self, flow: Callable[[int, Path, Channel], Flow]) -> None:
        self._flow = flow
        self._lines: dict[tuple[int, Path], Line] = {}
        self._late: list[Chunk] = []  # what cannot be read waits for the end
        self._unread: list[tuple[int, Leaf]] = []
        self._sample: dict[str, Any] = {}
        self._usage: list[Chunk] = []  # what tells nothing but usage
        self._plain = True  # a chat stream; else one of completions
        self._stopped = False
        self.choices: dict[int, None] = {}
        self.most_held = 0
        self.strips = True  # logprobs, which tell the tokens

    @property
    def stopped(self) -> bool:
        """Whether nothing may follow any more."""
        return self._stopped

    @property
    def why(self) -> str:
        """Why it was stopped, where no rule's span says it."""
        return next((each.flow.why for each in self._lines.values() if each.flow.why), "")

    def push(self, chunk: Chunk) -> list[Chunk]:
        """What goes on of one chunk, and of those before it that waited."""
        value = _decode(chunk.data)
        if not isinstance(value, dict):
            return [chunk]
        if self.strips and not _TOP.issuperset(value):
            chunk = _without_words(chunk, value)
        found = self._plainly(value)
        if found is not None:
            return self._through(chunk, value, *found)
        self._sample = self._sample or value
        if value.get("usage") and not value.get("choices"):
            self._usage = [chunk]
        before: list[Chunk] = []
        changed = unread = False
        for choice in value.get("choices") or ():
            if isinstance(choice, dict):
                more, touched, odd = self._choice(choice, value)
                before += more
                changed |= touched
                unread |= odd
            if self.stopped:
                return before
        if unread:  # its texts have gone on by themselves
            self._late.append(Chunk(data=_encode(value), content=True))
            return before
        if not changed:
            return [*before, chunk]
        if _says_nothing(value):
            return before
        return [*before, Chunk(data=_encode(value), content=_has_text(value))]

    def _plainly(self, value: dict[str, Any]) -> tuple[Line, dict[str, Any], str] | None:
        """The line, its holder and field of a chunk that goes on with one text and says no more.

        Nearly every chunk of a stream is such: what follows for others is found with more work.
        """
        choices = value.get("choices")
        if type(choices) is not list or len(choices) != 1 or value.get("usage") is not None:
            return None
        choice = choices[0]
        if type(choice) is not dict or choice.get("finish_reason") is not None:
            return None
        holder, field = choice.get("delta"), "content"
        if type(holder) is dict:
            if len(holder) != 1:
                return None
            (field,) = holder
            if field not in _TEXTS:
                return None
            key: Path = (field,)
        else:
            holder, field, key = choice, "text", ()
        if type(holder.get(field)) is not str:
            return None
        for name, said in choice.items():
            if said is None or said is holder or name in _BESIDE:
                continue
            if holder is not choice or name != field:
                return None
        line = self._lines.get((choice.get("index") or 0, key))
        return None if line is None else (line, holder, field)

    def _through(
        self, chunk: Chunk, value: dict[str, Any], line: Line, holder: dict[str, Any], field: str
    ) -> list[Chunk]:
        """What goes on of a chunk that goes on with one text."""
        piece, flow = holder[field], line.flow
        line.parts.append(piece)
        given = flow.push(piece)
        if flow.held > self.most_held:
            self.most_held = flow.held
        if given == piece:
            return [chunk]
        self._stopped |= flow.stopped
        if not given:
            return []
        holder[field] = given
        return [Chunk(data=_encode(value), content=True)]

    def _choice(self, choice: dict[str, Any], value: Any) -> tuple[list[Chunk], bool, bool]:
        index = choice.get("index") or 0
        self.choices[index] = None
        changed = unread = False
        found = [
            (field, leaf)
            for field in _SAID
            if choice.get(field) is not None
            for leaf in leaves(choice[field], (field,))
        ]
        self._plain = self._plain and choice.get("text") is None
        for at, (field, leaf) in enumerate(found):
            if leaf.text is None:
                self._unread.append((index, leaf))
                unread = True
                continue
            line = self._line(index, leaf, choice[field])
            line.parts.append(leaf.text)
            given = line.flow.push(leaf.text)
            self.most_held = max(self.most_held, line.flow.held)
            if given != leaf.text:
                changed = True
                put(choice, leaf.path, given)
            if line.flow.stopped:
                self._stopped = True
                for _, later in found[at + 1 :]:  # nobody has looked at it
                    if later.text is not None:
                        put(choice, later.path, "")
                return self._so_far(choice, index, value), True, unread
        if self.strips:
            for name in [
                each for each in choice if each not in _KNOWN and choice[each] is not None
            ]:
                del choice[name]  # logprobs and the like tell the tokens
                changed = True
        ends = choice.get("finish_reason") and any(True for _ in self._waiting(index))
        if not (ends or unread):
            return [], changed, False
        # the text of this chunk goes before what waited, and that before the end
        before = self._so_far(choice, index, value)
        if ends:
            before += self._tails(index, value)
        return before, True, unread

    def _so_far(self, choice: dict[str, Any], index: int, value: Any) -> list[Chunk]:
        """The text of a choice as a chunk of its own, taken out of where it stood."""
        made = []
        for field in _SAID:
            said = choice.get(field)
            for leaf in list(leaves(said, (field,))) if said is not None else ():
                if leaf.text:
                    key = _key(leaf, said)
                    made.append(self._chunk(index, key, leaf.text, value))
                    put(choice, leaf.path, "")
        return made

    def _line(self, index: int, leaf: Leaf, said: Any) -> Line:
        key = _key(leaf, said)
        line = self._lines.get((index, key))
        if line is None:
            channel = _channel(leaf)
            flow = self._flow(index, key, channel)
            line = self._lines[index, key] = Line(index, key, channel, flow)
        return line

    def _waiting(self, index: int) -> Iterator[Line]:
        return (each for each in self._lines.values() if each.choice == index and each.flow.held)

    def _tails(self, index: int, value: Any) -> list[Chunk]:
        made = []
        for line in list(self._waiting(index)):
            tail = line.flow.close()
            self._stopped |= line.flow.stopped
            if tail:
                made.append(self._chunk(index, line.key, tail, value))
        return made

    def end(self) -> list[Chunk]:
        """What still waits, for a stream that ended without a reason to finish."""
        return [chunk for index in self.choices for chunk in self._tails(index, self._sample)]

    def late(self) -> list[Chunk]:
        """The chunks that hold what cannot be read."""
        return self._late

    def said(self, index: int, text: str) -> Chunk:
        """A chunk of content."""
        return self._chunk(index, ("content",), text, self._sample)

    def filtered(self) -> list[Chunk]:
        """The end of a stream that was stopped, as OpenAI's clients know a filtered one."""
        return self.finished("content_filter")

    def finished(self, reason: str = "stop") -> list[Chunk]:
        """The end of every choice."""
        envelope = {name: self._sample[name] for name in _ENVELOPE if name in self._sample}
        empty: dict[str, Any] = {"delta": {}} if self._plain else {"text": ""}
        choices = [
            {"index": index, **empty, "finish_reason": reason} for index in self.choices or (0,)
        ]
        last = Chunk(data=_encode({**envelope, "choices": choices}), content=True)
        return [last, *self._usage]

    def texts(self) -> Iterator[Text]:
        """Every text so far, whole."""
        numbers: dict[int, int] = {}
        for line in self._lines.values():
            number = numbers[line.choice] = numbers.get(line.choice, -1) + 1
            text = "".join(line.parts)
            yield Text(subject_of(line.choice, line.channel, number), line.key, text)
        for choice, leaf in self._unread:
            number = numbers[choice] = numbers.get(choice, -1) + 1
            yield Text(subject_of(choice, leaf.channel, number), leaf.path, None, leaf.what)

    def _chunk(self, index: int, key: Path, text: str, value: Any) -> Chunk:
        envelope = {name: value[name] for name in _ENVELOPE if name in value}
        made: dict[str, Any] = {"index": index, "finish_reason": None}
        if not self._plain:
            made["text"] = text
        else:
            made["delta"] = _delta(key, text)
        return Chunk(data=_encode({**envelope, "choices": [made]}), content=True)


def subject_of(choice: int, channel: Channel, number: int = 0) -> Subject:
    """A text of a stream."""
    stages: tuple[Stage, ...] = ("response", "stream")
    if channel == "tool_args":
        stages = (*stages, "tool_call")
    return Subject(stages=stages, channel=channel, part=choice, index=number)


def _channel(leaf: Leaf) -> Channel:
    named = "tool_calls" in leaf.path[:2] or "function_call" in leaf.path[:2]
    return "tool_args" if named else leaf.channel


def _key(leaf: Leaf, said: Any) -> Path:
    """Where a text goes on from chunk to chunk: a tool call by its own index, parts as one."""
    path = leaf.path[1:]
    if not path:
        return ()
    if path[0] == "content":
        return ("content",)
    if path[0] == "tool_calls" and len(path) > 1 and isinstance(path[1], int):
        index = said["tool_calls"][path[1]].get("index")
        return ("tool_calls", index if isinstance(index, int) else path[1], *path[2:])
    return path


def _delta(key: Path, text: str) -> dict[str, Any]:
    if key[0] == "tool_calls":
        inner: Any = text
        for name in reversed(key[2:]):
            inner = {name: inner}
        return {"tool_calls": [{"index": key[1], **inner}]}
    made: Any = text
    for name in reversed(key):
        made = [made] if isinstance(name, int) else {name: made}
    return made  # type: ignore[no-any-return]


def _has_text(value: Any) -> bool:
    return any(
        leaf.text
        for choice in value.get("choices") or ()
        for field in _SAID
        for leaf in leaves(choice.get(field))
    )


def _without_words(chunk: Chunk, value: dict[str, Any]) -> Chunk:
    """The chunk without what an engine says beside the choices in words: nobody looks there."""
    told = [name for name in value if name not in _TOP and _words(value[name])]
    if not told:
        return chunk
    for name in told:
        del value[name]
    return Chunk(data=_encode(value), content=chunk.content)


def _words(value: Any) -> bool:
    """Whether there is any text in a value, under any name."""
    if isinstance(value, str):
        return bool(value)
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_words(each) for each in inside)


def _says_nothing(value: Any) -> bool:
    """A chunk that was emptied: no text, no end, nobody's name, no usage."""
    if value.get("usage") or _has_text(value):
        return False
    for choice in value.get("choices") or ():
        delta = choice.get("delta") or {}
        calls = delta.get("tool_calls") or ()
        if choice.get("finish_reason") or delta.get("role") or any(c.get("id") for c in calls):
            return False
    return True
