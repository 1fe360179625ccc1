"""The detector of injections, jailbreaks and requests for harm."""

from functools import cached_property
from importlib.resources import files

from pointsman.policy.detectors.injection import features, tokens
from pointsman.policy.detectors.injection.model import Model, rarities, strongest, unpacked
from pointsman.policy.finding import Channel, Finding, Judgement

_KINDS = {
    "persona": "jailbreak",
    "command": "injection",
    "stretch": "injection",
    "signs": "injection",
    "noise": "suffix",
    "harm": "harmful_request",
    "hidden": "injection",
}
_HIDDEN = 4.0  # rarity of a sentence in tag characters: no honest text has one
_LEAST_HIDDEN = 8
_LONGEST = 200_000  # characters; of a longer text only these are looked at


class Injection:
    """Judges texts for attempts to command the model.

    Args: threshold is the least score, in [0, 1], of a finding; the weights are shipped for 0.5:
    at most one honest text in a hundred, of sources that the classifier had not learned from.
    """

    name = "injection"

    def __init__(self, *, threshold: float = 0.5) -> None:
        self._threshold = threshold

    @property
    def version(self) -> str:
        return f"injection-1-{self._model.digest}"

    def judge(self, text: str, *, channel: Channel) -> Judgement:
        """The rarest head decides. Of more than 200,000 characters the rest is not looked at."""
        reading = features.read(text[:_LONGEST])
        found = rarities(self._model, reading)
        if len(reading.text.tagged) >= _LEAST_HIDDEN:
            found["hidden"] = _HIDDEN
        head = max(found, key=lambda name: found[name])
        score = found[head] / (found[head] + self._model.flagged)
        if score < self._threshold:
            cut = len(text) > _LONGEST
            return Judgement(
                detector=self.name,
                version=self.version,
                status="unjudged" if cut else "clear",
                score=score,
                reason=f"longer than {_LONGEST} characters" if cut else "",
            )
        start, end = self._place(head, text, reading)
        finding = Finding(
            detector=self.name, rule=head, kind=_KINDS[head], start=start, end=end, score=score
        )
        return Judgement(
            detector=self.name,
            version=self.version,
            status="found",
            findings=(finding,),
            score=score,
        )

    def _place(self, head: str, text: str, reading: features.Reading) -> tuple[int, int]:
        """Where it stands: what was encoded, the strongest stretch, or the whole."""
        if reading.payloads and head != "stretch":
            first = reading.payloads[0]
            return first.start, first.end
        if head == "stretch" and len(reading.text.text) == len(text):
            return tokens.extent(
                reading.text.text,
                strongest(self._model, tokens.Spread(tokens.words(reading.text.text)))[1],
            )
        return 0, len(text)

    @cached_property
    def _model(self) -> Model:
        data = files("pointsman.policy.detectors.injection").joinpath("weights.bin").read_bytes()
        return unpacked(data)
