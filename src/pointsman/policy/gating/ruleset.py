"""Rules compiled into one scan, and the spans of a whole text."""

import hashlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from math import log2

import msgspec
import re2

from pointsman.policy.finding import Finding
from pointsman.policy.gating.front import Fronts
from pointsman.policy.gating.machine import Machine, Shelf
from pointsman.policy.gating.normalising import Reading, as_compared, reading
from pointsman.policy.gating.reading import Reader, Span
from pointsman.policy.gating.rules import RuleReport, SpanLiteral, SpanRule
from pointsman.policy.gating.runs import Follower
from pointsman.policy.gating.tracker import Tracker
from pointsman.policy.gating.triage import Triage
from pointsman.policy.gating.words import WordFollower, Words
from pointsman.policy.patterns.automaton import MAX_STATES, Automaton, TooManyStates
from pointsman.policy.patterns.errors import PatternError
from pointsman.policy.patterns.heads import beginning
from pointsman.policy.patterns.holding import worst_hold
from pointsman.policy.patterns.keywords import implied
from pointsman.policy.patterns.parsing import parse
from pointsman.policy.patterns.protecting import protect
from pointsman.policy.patterns.syntax import Alternate, Chars, Concat, Node

HOLD_LIMIT = 4_096  # characters
ENTROPY_SPAN = 1_024  # characters: a longer span counts whatever its entropy
DETECTOR = "gate"
_RE2_MEMORY = 64 << 20


class RuleSet:
    """Rules that are scanned for together. Safe to share between gates of one thread."""

    def __init__(
        self, rules: Iterable[SpanRule], *, literals: Iterable[SpanLiteral] = (),
        hold_limit: int = HOLD_LIMIT,
    ) -> None:  # fmt: skip
        """Compile what can be; `reports` says of each rule how it is kept, or why it is refused.

        Args: hold_limit is in characters. A rule that may have to hold more is endless: what of it
        is still undecided past the limit is taken for a span.
        """
        self.hold_limit = hold_limit
        self.rules = tuple(rules)
        self.literals = tuple(literals)
        self._trees: dict[int, Node] = {}
        self._shelf = Shelf()
        self._machines: list[Machine] = []
        self._shortest: set[int] = set()
        self._endless: dict[int, int] = {}
        self._keyed: dict[int, int] = {}
        seen: set[str] = set()
        self.reports = tuple(self._report(at, rule, seen) for at, rule in enumerate(self.rules))
        self._first_literal = 2 * len(self.rules)
        self.reports += tuple(self._literal_report(one, seen) for one in self.literals)

    @property
    def refused(self) -> tuple[RuleReport, ...]:
        """Rules that are not in the set."""
        return tuple(report for report in self.reports if report.mode == "refused")

    @cached_property
    def digest(self) -> str:
        """Changes with anything that spans depend on."""
        content = msgspec.json.encode((self.hold_limit, self.rules, self.literals))
        return "sha256:" + hashlib.sha256(content).hexdigest()

    def scan(
        self, text: str, *, normalise: bool = True, escapes: bool = False
    ) -> tuple[Finding, ...]:
        """Every protected span of a whole text, as a gate would find them, by start.

        Offsets count characters. Overlapping spans of one rule are one finding. What is read
        besides the text itself is as for `StreamGate`.
        """
        spans = self._read(text)
        compared = as_compared(text) if normalise else text
        if compared != text and (others := self._read(compared)):
            spans += _in_text(others, reading(text, normalise=True, escapes=False, ends=True))
        if escapes and (compared != text or "\\" in text):
            read = reading(text, normalise=normalise, escapes=True, ends=True)
            spans += _in_text(self._read(read.text), read)
        if not spans:
            return ()
        return self.findings(
            span for span in spans if self.counts(span.rule, text[span.start : span.end])
        )

    def findings(self, spans: Iterable[Span]) -> tuple[Finding, ...]:
        """Spans as findings, by start; one for overlapping spans of one rule."""
        return tuple(self._finding(span) for span in joined(spans))

    def _read(self, text: str) -> list[Span]:
        """Every run of spans in a text as it is, with its rule."""
        tracker: Tracker | None
        if self._triage is None:
            tracker = self._tracker()
            tracker.feed(text)
            tracker.finish()
        else:
            tracker = self._triage.read(text, self._tracker)
        if tracker is None:
            if not self._words:
                return []
            tracker = self._tracker()
        for words in self._words:
            words.find(text, tracker.runs)
        return [Span(*run, rule) for rule, runs in tracker.runs.items() for run in runs]

    def reader(self, *, normalise: bool, escapes: bool) -> Reader:
        """For one new text, as a gate reads it."""
        return Reader(self.follower(), normalise=normalise, escapes=escapes)

    def follower(self) -> Follower:
        """For one new text."""
        tracker = self._tracker()
        return WordFollower(tracker, self._words) if self._words else tracker

    def _tracker(self) -> Tracker:
        return Tracker(
            self._fronts,
            shortest=frozenset(self._shortest), endless=self._endless, keyed=self._keyed,
        )  # fmt: skip

    def certain(self, number: int) -> bool:
        """Whether spans of this number count whatever is in them."""
        return number >= self._first_literal or self.rules[number].entropy is None

    def counts(self, number: int, span: str) -> bool:
        """Whether the characters of overlapping spans, taken together, are what the rule means."""
        if self.certain(number):
            return True
        least = self.rules[number].entropy
        return least is None or len(span) > ENTROPY_SPAN or entropy(span) > least

    def named(self, number: int) -> SpanRule | SpanLiteral:
        """The rule or literal of a number."""
        if number < self._first_literal:
            return self.rules[number]
        return self.literals[number - self._first_literal]

    def _finding(self, span: Span) -> Finding:
        rule = self.named(span.rule)
        return Finding(
            detector=DETECTOR, rule=rule.id, kind=rule.kind, start=span.start, end=span.end
        )

    @cached_property
    def _triage(self) -> Triage | None:
        """None where a span may overrun the limit before RE2 could see where it began."""
        trees = dict(self._trees)
        for at in self._endless:
            found = beginning(trees[at], self.hold_limit)
            if found is None:
                return None
            trees[at] = found
        return Triage(trees, self._machines, self._keyed, frozenset(self._shortest))

    @cached_property
    def _words(self) -> tuple[Words, ...]:
        texts: dict[bool, list[tuple[int, str]]] = {}
        for at, (literal, report) in enumerate(
            zip(self.literals, self.reports[len(self.rules) :], strict=True)
        ):
            if report.mode != "refused":
                forms = dict.fromkeys((literal.text, as_compared(literal.text)))
                numbered = [(self._first_literal + at, form) for form in forms if form]
                texts.setdefault(literal.ignore_case, []).extend(numbered)
        return tuple(Words(words, ignore_case=ignore) for ignore, words in texts.items())

    def _literal_report(self, literal: SpanLiteral, seen: set[str]) -> RuleReport:
        why = "it is empty" if not literal.text else "another has this id"
        if not literal.text or literal.id in seen:
            return RuleReport(id=literal.id, mode="refused", why=why)
        seen.add(literal.id)
        if len(literal.text) > MAX_STATES:
            return RuleReport(id=literal.id, mode="refused", why="it is too long")
        return RuleReport(
            id=literal.id, mode="exact", hold=len(literal.text), states=len(literal.text)
        )

    @cached_property
    def _fronts(self) -> Fronts:
        return Fronts(self._machines, at_once=frozenset(self._shortest))

    def _report(self, at: int, rule: SpanRule, seen: set[str]) -> RuleReport:
        try:
            if rule.id in seen:
                raise ValueError("another rule of the set has this id")
            seen.add(rule.id)
            _checked_by_re2(rule.pattern)
            tree = parse(rule.pattern)
            protected = protect(tree, rule.group)
            automaton = Automaton(protected.tree)
        except (PatternError, TooManyStates, ValueError) as error:
            return RuleReport(id=rule.id, mode="refused", why=str(error))
        hold = worst_hold(automaton)
        if hold == 0:
            why = "it matches no character: there is nothing to protect"
            return RuleReport(id=rule.id, mode="refused", why=why)
        if protected.shortest:
            self._shortest.add(at)
        if rule.keywords and not implied(tree, rule.keywords):
            self._keyed[at] = len(self.rules) + at
            self._add(len(self.rules) + at, _any(rule.keywords))
        self._add(at, protected.tree, automaton)
        report = RuleReport(
            id=rule.id, mode="exact", hold=hold, states=automaton.size, notes=protected.notes
        )
        if hold is None or hold > self.hold_limit:
            self._endless[at] = self.hold_limit
            much = "without bound" if hold is None else f"up to {hold} characters"
            why = f"a span may stay undecided {much}; past {self.hold_limit} it is taken for one"
            return msgspec.structs.replace(report, mode="endless", hold=self.hold_limit, why=why)
        return report

    def _add(self, number: int, tree: Node, automaton: Automaton | None = None) -> None:
        self._trees[number] = tree
        self._machines.append(Machine(number, automaton or Automaton(tree), self._shelf))


def joined(spans: Iterable[Span]) -> list[Span]:
    """Spans by start, those of one rule that overlap as one."""
    made: list[Span] = []
    last: dict[int, int] = {}
    for span in sorted(spans):
        at = last.get(span.rule)
        if at is not None and made[at].end > span.start:
            made[at] = made[at]._replace(end=max(made[at].end, span.end))
        else:
            last[span.rule] = len(made)
            made.append(span)
    made.sort(key=lambda span: (span.start, -span.end, span.rule))
    return made


def _in_text(found: list[Span], read: Reading) -> list[Span]:
    return [Span(read.start(start), read.end(end - 1), rule) for start, end, rule in found]


def entropy(text: str) -> float:
    """Shannon's, of the characters of a text, in bits a character; 0 for the empty text."""
    counts: dict[str, int] = {}
    for character in text:
        counts[character] = counts.get(character, 0) + 1
    return sum(count * log2(len(text) / count) for count in counts.values()) / max(len(text), 1)


def _checked_by_re2(pattern: str) -> None:
    options = re2.Options()
    options.max_mem = _RE2_MEMORY
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        said = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise ValueError(f"RE2 does not take it: {said}") from None


def _any(words: tuple[str, ...]) -> Node:
    return Alternate(tuple(Concat(tuple(_letters(word.casefold()))) for word in words))


def _letters(word: str) -> Iterator[Chars]:
    tree = parse("(?i)" + "".join(f"\\x{{{ord(letter):X}}}" for letter in word))
    for item in tree.items if isinstance(tree, Concat) else (tree,):
        assert isinstance(item, Chars), "a word is made of characters"
        yield item
