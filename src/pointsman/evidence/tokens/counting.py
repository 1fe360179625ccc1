"""One count for a text or a file: exact, calibrated or estimated, and which of the three it is."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from pointsman.domain.errors import UsageError
from pointsman.evidence.tokens.calibrating import Calibration, Observation, calibrate, observation
from pointsman.evidence.tokens.exact import Counter, exact_for, qwen_counter, tokenizer_counter

How = Literal["exact", "calibrated", "estimated"]
_LEAST_OBSERVATIONS = 5
_MOST_LINE = 4 << 20  # bytes of a line of usage


class TextCounter(msgspec.Struct, frozen=True):
    """Counts a model's tokens of a text, and says how."""

    counter: Counter | Calibration
    how: How

    def tokens(self, text: str) -> int:
        """Tokens of a text, without any template."""
        return self.counter.tokens(text)


class _Usage(msgspec.Struct):
    text: str
    prompt_tokens: int
    model: str = ""
    messages: int = 1


def counter_for(
    model: str, *, tokenizer: Path | None = None, usage: Path | None = None
) -> TextCounter:
    """The best counter there is: a tokenizer's file, a known vocabulary, usage, or a guess.

    Raises: UsageError; ExtraMissing where a tokenizer's file is given and its library is not there.
    """
    if tokenizer is not None:
        read = tokenizer_counter if tokenizer.suffix == ".json" else qwen_counter
        return TextCounter(read(tokenizer), "exact")
    known = exact_for(model)
    if known is not None:
        return TextCounter(known, "exact")
    seen = list(observations(usage, model)) if usage is not None else []
    if len(seen) >= _LEAST_OBSERVATIONS:
        return TextCounter(calibrate(seen, model=model), "calibrated")
    return TextCounter(Calibration(model=model), "estimated")


def observations(usage: Path, model: str) -> Iterable[Observation]:
    """What engines counted, from JSON lines of {text, prompt_tokens, model, messages}.

    Lines of another model are passed over. Raises: UsageError with the line that cannot be read.
    """
    with usage.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(_MOST_LINE), b""), 1):
            if not line.strip():
                continue
            try:
                one = msgspec.json.decode(line, type=_Usage)
            except msgspec.DecodeError as error:
                raise UsageError(
                    f"{usage}:{number} is no usage", why=str(error),
                    next='{"text": "...", "prompt_tokens": 12, "model": "..."}',
                ) from error  # fmt: skip
            if one.model in ("", model):
                yield observation(one.text, one.prompt_tokens, messages=one.messages)
