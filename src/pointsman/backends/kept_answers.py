"""An answer read again from where it was kept: whole JSON, or the chunks of a stream by line."""

import msgspec

from pointsman.backends.incoming import Assembler, parse, usage_of
from pointsman.domain.messages import Reply
from pointsman.domain.money import Usage


def kept_reply(body: bytes) -> Reply | None:
    """The first choice of it; None where it is no answer that anyone can read."""
    return kept_answer(body)[0]


def kept_answer(body: bytes) -> tuple[Reply | None, Usage | None]:
    """The same, with the tokens that the engine counted."""
    assembler, found = Assembler(), False
    usage: Usage | None = None
    whole = b"\n{" not in body
    try:
        for line in [body] if whole else body.split(b"\n"):
            if not line.strip():
                continue
            answer = parse(line)
            usage = usage_of(answer) or usage
            for choice in answer.choices or ():
                if choice.index == 0:
                    assembler.take(choice, choice.message or choice.delta)
                    found = True
    except msgspec.MsgspecError:
        return None, None
    return (assembler.reply() if found else None), usage
