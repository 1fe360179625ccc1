# ruff: noqa: E501 - a row of words is one line
"""Which language a text is in, and which subjects it touches: by script, frequent words, and terms."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping

from pointsman.policy.detectors.made import judged, unjudged
from pointsman.policy.finding import Channel, Finding, Judgement

_WORD = re.compile(r"[^\W\d_]+")
_SCRIPTS = {"HIRAGANA": "ja", "KATAKANA": "ja", "HANGUL": "ko", "ARABIC": "ar", "DEVANAGARI": "hi", "HEBREW": "he",
            "GREEK": "el", "THAI": "th", "BENGALI": "bn", "TAMIL": "ta", "GEORGIAN": "ka", "ARMENIAN": "hy"}  # fmt: skip
# The words that tell apart languages of one script: frequent, and rare in the others.
_FREQUENT: Mapping[str, frozenset[str]] = {
    lang: frozenset(words.split())
    for lang, words in {
        "en": "the of and to is that for it with was are this have from you they which not what how",
        "de": "der die das und ist nicht ein eine zu mit den von für auf sich dem auch wie ich sie wird bei",
        "fr": "le la les des est une que pour dans vous pas sur avec je nous qui ce du et au plus sont",
        "es": "el los las una que por para con del es se como pero más su está son lo y qué mi",
        "pt": "o os as uma que para com não do da em é se mais por como foi são você um ao",
        "it": "il gli una che per con non del della è sono come più di nel questo anche si lo",
        "nl": "het een van en dat niet voor met zijn op aan ook de ik je wordt bij naar maar dit",
        "pl": "nie się na do że jest jak co to od ale czy przez dla są być ma tak po już",
        "ru": "и не что на как это по но из для он от так все мы вы я с в у же за был",
        "uk": "і не що на як це та але від для він так всі ми ви у є з його до",
        "tr": "ve bir bu için ile çok da ne daha gibi olarak var ama ben olan kadar mi değil",
        "vi": "và của là có cho không được một những các với người trong này như để đã tôi",
        "id": "yang dan di ini untuk dengan tidak dari itu pada adalah akan saya ke anda dalam bisa",
        "sv": "och att det som en på är av för med inte den till har jag om var ett",
        "cs": "je se na to že jsem jako ale pro jsou tak by být co jak když už není nebo",
        "ro": "și nu este care pentru din cu sunt mai pe la ca fi de să a în un",
    }.items()
}  # fmt: skip
_LEAST = 20  # letters: shorter texts are in no language for certain


def language(text: str) -> tuple[str, float]:
    """The likeliest language (ISO 639-1, `und` where none) and how far it leads, in [0, 1]."""
    letters = [c for c in text[:4000] if c.isalpha()]
    if len(letters) < 6:
        return "und", 0.0
    scripts = Counter(unicodedata.name(c, "").split(" ", 1)[0] for c in letters)
    for script, lang in _SCRIPTS.items():
        if scripts[script] >= (0.1 if lang == "ja" else 0.4) * len(letters):
            return lang, scripts[script] / len(letters)
    if scripts["CJK"] >= 0.4 * len(letters):
        return "zh", scripts["CJK"] / len(letters)
    words = [w.lower() for w in _WORD.findall(text[:4000])]
    hits = sorted(
        ((sum(w in known for w in words), lang) for lang, known in _FREQUENT.items()), reverse=True
    )
    (best, lang), (second, _) = hits[0], hits[1]
    if best < 2 or best == second:
        return "und", 0.0
    return lang, (best - second) / best


class Language:
    """Judges whether a text is in one of the languages allowed. Args: ISO 639-1 codes."""

    name = "language"
    version = "language-1"

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = allowed

    def judge(self, text: str, *, channel: Channel) -> Judgement:
        """`unjudged` for a text too short or too mixed to say; an empty one is clear."""
        if not text.strip():
            return judged(self.name, self.version, [])
        lang, sure = language(text)
        if lang == "und" or sum(c.isalpha() for c in text[:200]) < min(_LEAST, len(text)) * 0.5:
            return unjudged(self.name, self.version, "too short or too mixed to tell its language")
        if lang in self._allowed:
            return judged(self.name, self.version, [])
        return judged(self.name, self.version, [
            Finding(detector=self.name, rule=lang, kind="language", start=0, end=len(text),
                    score=max(0.5, sure)),
        ])  # fmt: skip


class Topics:
    """Judges texts for subjects named by their terms; a term is one or more words, whole words only.

    Raises: ValueError for a subject without terms.
    """

    name = "topics"

    def __init__(
        self, terms: Mapping[str, frozenset[str]], *, least: int = 1, version: str = "1"
    ) -> None:
        if empty := [topic for topic, words in terms.items() if not words]:
            raise ValueError(f"topic {empty[0]} has no terms")
        self._least = least
        self.version = f"topics-{version}"
        self._patterns = {
            topic: re.compile(r"(?<!\w)(?:" + "|".join(sorted(map(re.escape, words), key=len, reverse=True)) + r")(?!\w)", re.I)
            for topic, words in terms.items()
        }  # fmt: skip

    def judge(self, text: str, *, channel: Channel) -> Judgement:
        """A subject is touched where at least `least` different terms of it stand in the text."""
        findings = []
        for topic, pattern in self._patterns.items():
            places = list(pattern.finditer(text))
            if len({m.group().lower() for m in places}) >= self._least:
                findings += [
                    Finding(
                        detector=self.name, rule=topic, kind="topic", start=m.start(), end=m.end()
                    )
                    for m in places
                ]
        return judged(self.name, self.version, findings)
