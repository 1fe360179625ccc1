"""Where protected spans are, and where one may have begun, in a text that comes piece by piece.

What it knows after a text depends on the text alone, never on how it was cut.
"""

from collections.abc import Mapping
from types import MappingProxyType

from pointsman.policy.gating.front import Front, Fronts
from pointsman.policy.gating.machine import Before, Inside
from pointsman.policy.gating.runs import Follower, Run, Runs, record

_NONE: Mapping[int, int] = MappingProxyType({})


class Tracker:
    """Follows every thread of every rule through one text, in time linear in its length.

    Threads of one rule in equal states are one from then on, with the earliest start: whatever
    the later could protect, the earlier does.
    """

    __slots__ = (
        "_asleep",
        "_before",
        "_endless",
        "_front",
        "_inside",
        "_keyed",
        "_shortest",
        "length",
        "runs",
        "woken",
    )

    def __init__(
        self, fronts: Fronts, *, shortest: frozenset[int] = frozenset(),
        endless: Mapping[int, int] = _NONE, keyed: Mapping[int, int] = _NONE,
    ) -> None:  # fmt: skip
        """`shortest`: rules whose spans end at their first end. `endless`: rules whose threads are
        taken for spans once they are longer than so many characters. `keyed`: rules that count only
        once another, which protects nothing, was met."""
        self._front = fronts.start
        self._keyed = keyed
        self._asleep: list[tuple[int, int, int]] = []
        self._inside: dict[Inside, int] = {}
        self._before: dict[Before, None] = {}
        self._shortest = shortest
        self._endless = endless
        self.length = 0  # characters fed
        self.runs: Runs = {}  # by rule; sorted, apart from each other
        self.woken: dict[int, int] = {}  # by rule that protects nothing: where it first ended

    def copy(self) -> "Tracker":
        """One that goes its own way from here."""
        twin = Tracker.__new__(Tracker)
        twin._front, twin.length = self._front, self.length
        twin._inside, twin._before = dict(self._inside), dict(self._before)
        twin._shortest, twin._endless, twin._keyed = self._shortest, self._endless, self._keyed
        twin._asleep, twin.woken = list(self._asleep), dict(self.woken)
        twin.runs = {rule: list(runs) for rule, runs in self.runs.items()}
        return twin

    def like(self, other: Follower) -> bool:
        """Whether both have begun nothing, found nothing that is left, and go on alike."""
        return (
            isinstance(other, Tracker)
            and self._front is other._front
            and not self._front.threads
            and not (self._inside or other._inside or self._before or other._before)
            and not (self.runs or other.runs)
            and self.woken.keys() == other.woken.keys()
        )

    def feed(self, text: str) -> None:
        """Go on by a piece of text."""
        front, now = self._front, self.length
        for character in text:
            front = front[character]
            if self._inside:
                self._step_inside(character, now)
            if self._before:
                self._step_before(character, now)
            now += 1
            if front.fires:
                for handed, distance in front.fires:
                    if isinstance(handed, Inside):
                        self._enter(handed, now - distance, now)
                    else:
                        self._wait(handed, now)
            if self._asleep:
                self._stir()
        self._front, self.length = front, now

    def finish(self) -> None:
        """The text ends here: what waited for that is decided."""
        for inside, start in self._inside.items():
            back = inside.last()
            if back is not None:
                self._record(inside.rule, start, self.length - back)
        for inside, start in self._inside.items():
            self._overrun(inside.rule, start, self.length)
        self._inside = {}
        self._before = {}
        self._front = self._front.whole.start
        self._stir()

    @property
    def hold(self) -> int:
        """The earliest position that may be in a span not known yet; `length` where none may."""
        earliest = self.length - self._front.hold
        if self._inside:
            earliest = min(earliest, min(self._inside.values()))
        return earliest

    @property
    def live(self) -> int:
        """Sets of threads that each character goes through, beside the front."""
        return len(self._inside) + len(self._before)

    @property
    def resting(self) -> bool:
        """Whether nothing has begun."""
        return not (self._inside or self._before or self._front.threads)

    def jump(self, front: Front, to: int) -> None:
        """Go on from a later place, having begun nothing; `front` is what stands before it."""
        assert self.resting, "what has begun must be read on"
        self._front, self.length = front, to

    def settle(self) -> None:
        """Bring what depends on length up to date; needed before `runs` are read mid-text."""
        if self._endless:
            for inside, start in self._inside.items():
                self._overrun(inside.rule, start, self.length)

    def _step_inside(self, character: str, now: int) -> None:
        inside: dict[Inside, int] = {}
        ended: set[tuple[int, int]] = set()
        for state, start in self._inside.items():
            following = state[character]
            end = following.end
            if end is not None:
                self._record(state.rule, start, now + 1 - end)
                if state.rule in self._shortest:
                    ended.add((state.rule, start))
                    continue
            if following.alive:
                known = inside.get(following)
                if known is None or start < known:
                    inside[following] = start
            elif self._endless:
                self._overrun(state.rule, start, now)
        if ended:
            left = inside.items()
            inside = {state: start for state, start in left if (state.rule, start) not in ended}
        self._inside = inside

    def _step_before(self, character: str, now: int) -> None:
        before: dict[Before, None] = {}
        for state in self._before:
            following = state[character]
            if following.bare:
                self.woken.setdefault(following.rule, now + 1)
            if following.alive:
                before[following] = None
            if following.opened is not None:
                self._enter(following.opened, now, now + 1)
        self._before = before

    def _wait(self, before: Before, now: int) -> None:
        if before.bare:
            self.woken.setdefault(before.rule, now)
        self._before[before] = None

    def _enter(self, inside: Inside, start: int, now: int) -> None:
        if inside.end is not None:
            self._record(inside.rule, start, now - inside.end)
            if inside.rule in self._shortest:
                return
        if inside.alive:
            known = self._inside.get(inside)
            if known is None or start < known:
                self._inside[inside] = start

    def _stir(self) -> None:
        """Spans that ended with the last character count if their keyword ended with it, too."""
        asleep, self._asleep = self._asleep, []
        for rule, start, end in asleep:
            if self._keyed[rule] in self.woken:
                self._record(rule, start, end)

    def _overrun(self, rule: int, start: int, now: int) -> None:
        limit = self._endless.get(rule)
        if limit is not None and now - start > limit:
            self._record(rule, start, now)

    def _record(self, rule: int, start: int, end: int) -> None:
        if end <= start:
            return
        if rule in self._keyed and self._keyed[rule] not in self.woken:
            self._asleep.append((rule, start, end))
            return
        record(self.runs, rule, Run(start, end))
