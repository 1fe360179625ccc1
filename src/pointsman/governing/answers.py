"""The texts of a whole answer; the answer redacted, rewritten, or with nothing in it."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

import msgspec

from pointsman.domain.policies import Stage
from pointsman.domain.verdict import Subject
from pointsman.governing.leaves import NAMES, Path, leaves, put
from pointsman.governing.requests import Text

_KNOWN = frozenset(("index", "message", "text", "finish_reason", "stop_reason", "matched_stop"))
_NO_TEXTS = _KNOWN | {"logprobs", "token_ids"}
_ENVELOPE = ("id", "object", "created", "model", "system_fingerprint", "usage")
_TOP = frozenset((*_ENVELOPE, "choices", "service_tier"))
_SAID = ("message", "text")
_NO_NAMES: frozenset[str] = frozenset()  # of what nobody knows, every word is looked at
_BESIDE_FROM = 10_000  # the numbers of texts that belong to no choice


def texts_of_answer(body: bytes, *, stream: bool = False) -> Iterator[Text]:
    """Every text that a model wrote, by choice. Of vectors and rankings there are none."""
    value = _read(body)
    choices = value.get("choices") if isinstance(value, dict) else None
    for at, choice in enumerate(choices if isinstance(choices, list) else ()):
        yield from _of_choice(choice, at, stream)
    if isinstance(value, dict) and not _TOP.issuperset(value):
        yield from _beside(value, stream)


def _beside(value: dict[str, Any], stream: bool) -> Iterator[Text]:
    """What an engine says beside the choices, in words: clients get that as well."""
    numbers = count(_BESIDE_FROM)
    stages: tuple[Stage, ...] = ("response", "stream") if stream else ("response",)
    for name in [each for each in value if each not in _TOP and value[each] is not None]:
        for leaf in leaves(value[name], (name,), names=_NO_NAMES):
            subject = Subject(stages=stages, channel=leaf.channel, part=0, index=next(numbers))
            yield Text(subject, leaf.path, leaf.text, leaf.what)


def _of_choice(choice: Any, at: int, stream: bool) -> Iterator[Text]:
    if not isinstance(choice, dict):
        return
    part = choice.get("index", at)
    numbers = count()
    # an engine may say something under a name that nobody knows; clients get that as well
    for field in (*_SAID, *(name for name in choice if name not in _NO_TEXTS)):
        if choice.get(field) is None:
            continue
        names = NAMES if field in _SAID else _NO_NAMES
        for leaf in leaves(choice[field], ("choices", at, field), names=names):
            number = next(numbers)
            stages: tuple[Stage, ...] = ("response", "stream") if stream else ("response",)
            if leaf.channel == "tool_args" or "tool_calls" in leaf.path:
                stages = (*stages, "tool_call")
            subject = Subject(
                stages=stages,
                channel="tool_args" if "tool_call" in stages else leaf.channel,
                part=part if isinstance(part, int) else at,
                index=number,
            )
            yield Text(subject, leaf.path, leaf.text, leaf.what)


def with_answer_texts(body: bytes, replaced: Mapping[Path, str]) -> bytes:
    """The answer with other texts at these paths, and no logprobs: they tell the tokens."""
    value = _read(body)
    for path, text in replaced.items():
        put(value, path, text)
    for choice in value["choices"]:
        for name in [each for each in choice if each not in _KNOWN]:
            del choice[name]
    return msgspec.json.encode(value)


def _read(body: bytes) -> Any:
    """An answer, the text parts of each message as one: clients read them as one text."""
    value = msgspec.json.decode(body)
    choices = value.get("choices") if isinstance(value, dict) else None
    for choice in choices if isinstance(choices, list) else ():
        message = choice.get("message") if isinstance(choice, dict) else None
        said = message.get("content") if isinstance(message, dict) else None
        if not isinstance(said, list):
            continue
        parts = [part for part in said if isinstance(part, dict)]
        texts = [part for part in parts if isinstance(part.get("text"), str)]
        if len(texts) > 1:
            texts[0]["text"] = "".join(part["text"] for part in texts)
            for part in texts[1:]:
                part["text"] = ""
    return value


def appended(body: bytes, texts: Sequence[str]) -> bytes:
    """The answer with texts after the content of every choice that has some."""
    value = msgspec.json.decode(body)
    for choice in value["choices"]:
        for holder, name in ((choice.get("message"), "content"), (choice, "text")):
            said = holder.get(name) if isinstance(holder, dict) else None
            if isinstance(said, str) and said:
                holder[name] = "\n\n".join((said, *texts))
            elif isinstance(said, list) and said:
                said += [{"type": "text", "text": "\n\n" + text} for text in texts]
    return msgspec.json.encode(value)


def rewritten(body: bytes, text: str) -> bytes:
    """The answer with this text in every choice, and nothing else of what the model wrote."""
    return _with_choices(body, text, "stop")


def withheld(body: bytes) -> bytes:
    """The answer as OpenAI's clients know a filtered one: no text, `finish_reason` says why."""
    return _with_choices(body, "", "content_filter")


def _with_choices(body: bytes, text: str, reason: str) -> bytes:
    value = msgspec.json.decode(body)
    made = {name: value[name] for name in _ENVELOPE if name in value}
    said = value.get("choices") or [{}]
    made["choices"] = [
        {"index": choice.get("index", at), "text": text, "finish_reason": reason}
        if "text" in choice
        else {
            "index": choice.get("index", at),
            "message": {"role": "assistant", "content": text},
            "finish_reason": reason,
        }
        for at, choice in enumerate(said)
    ]
    return msgspec.json.encode(made)
