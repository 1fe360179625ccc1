"""Text of others inside a prompt of ours: fenced by marks that it cannot hold, its tricks blunted.

Fences are advice to a model, not a wall: what a judge says stays one opinion.
"""

import re
from collections.abc import Sequence
from hashlib import sha256

# What engines read as marks of a chat template even inside a message; a zero-width space after the
# first character leaves them readable and takes their effect.
_MARKS = re.compile(
    r"<(?=\|)|\|(?=>)|<(?=/?(?:s|bos|eos|pad|unk|think|tool_call|tool_response|start_of_turn|"
    r"end_of_turn|im_start|im_end|system|assistant|user)>)|\[(?=/?(?:INST|SYS|TOOL_CALLS)\])",
    re.IGNORECASE,
)
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]"
)


def seal_of(salt: str, texts: Sequence[str]) -> str:
    """12 hex digits that stand in none of the texts; the same for the same texts."""
    for attempt in range(1000):
        hashed = sha256(f"{salt}:{attempt}".encode())
        for text in texts:
            hashed.update(b"\0" + text.encode("utf-8", "surrogatepass"))
        seal = hashed.hexdigest()[:12]
        if not any(seal in text for text in texts):
            return seal
    raise AssertionError("no text holds a thousand digests of itself")


def fenced(name: str, text: str, seal: str) -> str:
    """The text between two lines that only we can write."""
    return f"<<<{name} {seal}>>>\n{blunted(text)}\n<<<END {name} {seal}>>>"


def blunted(text: str) -> str:
    """The text without control characters, hidden ones that turn it around, and template marks."""
    return _MARKS.sub(lambda mark: f"{mark.group()}\u200b", _CONTROL.sub("\ufffd", text))
