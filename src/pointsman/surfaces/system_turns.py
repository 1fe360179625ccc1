"""System messages where engines' templates take them: one, at the start."""

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]
_SYSTEM = ("system", "developer")


def with_one_system(turns: Sequence[Json]) -> list[Json]:
    """The turns with those of the system that stand first joined into one system message.

    Later ones are said by the user, where they stand. Templates of open models refuse a system
    message in a conversation (Qwen3.5), and drop a developer's without a word (Qwen3); agents send
    both. It is never the other way round: no user's text becomes the system's.
    """
    first = next((at for at, turn in enumerate(turns) if turn["role"] not in _SYSTEM), len(turns))
    later = [{**turn, "role": "user"} if turn["role"] in _SYSTEM else turn
             for turn in turns[first:]]  # fmt: skip
    head = [turn["content"] for turn in turns[:first] if turn["content"]]
    if not head:
        return later
    if all(isinstance(content, str) for content in head):
        return [{"role": "system", "content": "\n\n".join(head)}, *later]
    parts: list[Json] = []
    for content in head:
        parts += [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [{"role": "system", "content": parts}, *later]
