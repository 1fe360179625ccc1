"""A circuit breaker: events of real traffic in, whether to call out; the clock is an argument.

          too many failures                 its time is over
closed ───────────────────────▶ open ───────────────────────▶ half open
   ▲                             ▲ ▲                            │    │
   │                             │ └──── a probe failed ────────┘    │
   └──────────────── enough probes were answered ────────────────────┘
"""

from typing import Final, Literal

from pointsman.domain.portfolio import BreakerRules
from pointsman.routing.windows import Window

Phase = Literal["closed", "open", "half_open"]
Result = Literal["good", "bad", "neutral"]
Ticket = int

_LONGEST: Final = 8  # times `open_s`, that repeated failures make it


class Breaker:
    """The breaker of one deployment in one process.

    Each call has a ticket from `begin`, given back to `end` once. A result counts only in the
    phase that its call began in: what was sent before a breaker opened neither closes it nor
    opens it anew. While it is half open no more than `rules.probes` calls run, beside those that
    were forced.
    """

    def __init__(self, rules: BreakerRules) -> None:
        self.rules = rules
        self.phase: Phase = "closed"
        self.since = 0.0  # of the phase
        self.reopens_at = 0.0  # when it may be tried again, of an open one
        self.openings = 0  # since the start
        self.streak = 0  # failures one after another
        self.probing = 0  # calls that run in the phase half open
        self._passed = 0  # good answers in it
        self._failed_probes = 0  # times that it opened again without having closed
        self._phases: Ticket = 0
        self._window = Window(rules.window_s)

    def change(self, rules: BreakerRules, now: float) -> None:
        """Other rules from now on; what was counted stays, where it counts alike."""
        if rules.window_s != self.rules.window_s:
            self._window = Window(rules.window_s)
        self.rules = rules
        if not rules.enabled and self.phase != "closed":
            self._turn("closed", now)

    def look(self, now: float) -> Phase:
        """The phase at this time: an open breaker is half open once its time is over."""
        if self.phase == "open" and now >= self.reopens_at:
            self._turn("half_open", now)
        return self.phase

    def admits(self, now: float) -> bool:
        """Whether a call may begin."""
        phase = self.look(now)
        return phase == "closed" or (phase == "half_open" and self.probing < self.rules.probes)

    def begin(self, now: float, *, force: bool = False) -> Ticket | None:
        """A call begins; None where it may not, unless it is forced."""
        if self.phase == "closed":
            return self._phases
        if not force and not self.admits(now):
            return None
        if self.look(now) == "half_open":
            self.probing += 1
        return self._phases

    def end(self, ticket: Ticket, result: Result, now: float) -> None:
        """A call ended; `neutral` tells nothing of the deployment."""
        if ticket != self._phases:
            return
        if self.phase == "half_open":
            self.probing -= 1
        if result == "good":
            self._good(now)
        elif result == "bad":
            self._bad(now)

    def invite(self, now: float) -> None:
        """A sign that it is back, from elsewhere: an open one may be tried at once."""
        if self.phase == "open":
            self._turn("half_open", now)

    def trip(self, now: float) -> None:
        """A sign that it is not there, from elsewhere."""
        if self.phase != "open" and self.rules.enabled:
            self._open(now)

    def back_in_s(self, now: float) -> float:
        """Seconds until an open one may be tried again."""
        return max(0.0, self.reopens_at - now) if self.phase == "open" else 0.0

    def _good(self, now: float) -> None:
        self.streak = 0
        if self.phase == "closed":
            self._window.add(now, all=1)
            return
        if self.phase == "open":  # a forced call: it is back before its time
            self._turn("half_open", now)
        self._passed += 1
        if self._passed >= self.rules.probes:
            self._turn("closed", now)

    def _bad(self, now: float) -> None:
        self.streak += 1
        if self.phase == "half_open":
            self._failed_probes += 1
            self._open(now)
        elif self.phase == "closed":
            window, rules = self._window, self.rules
            window.add(now, all=1, some=1)
            often = window.all >= rules.least and window.some >= rules.failure_rate * window.all
            if rules.enabled and (self.streak >= rules.failures or often):
                self._open(now)

    def _open(self, now: float) -> None:
        self.openings += 1
        self._turn("open", now)
        longer = min(2 ** min(self._failed_probes, 8), _LONGEST)
        self.reopens_at = now + self.rules.open_s * longer

    def _turn(self, phase: Phase, now: float) -> None:
        self.phase, self.since = phase, now
        self._phases += 1
        self.probing = self._passed = 0
        if phase == "closed":
            self.streak = self._failed_probes = 0
            self._window.clear()
