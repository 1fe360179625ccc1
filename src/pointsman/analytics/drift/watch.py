"""Who watches: a detector for each stream, and one budget of false alarms for all of them.

A stream that does not change raises an alarm within n values with probability n over its run
length at most (`stats/detectors.py`). Its run length is set to so many values that, over all
streams and the days of the budget, no more than the budget's false alarms are expected.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from statistics import median

import msgspec

from pointsman.analytics.drift.streams import Value
from pointsman.stats.detectors import DetectorState, DriftDetector, change_point

DAY_US = 86_400_000_000
_LOOK_BACK = 4000  # as the detector's: the values in which the beginning of a change is looked for
_SCALE = 50  # costs from which it is learned what is dear
_MOST = 300  # streams: more would cost each of them too much of the budget
_LEAST_RUN = 200.0
FORM = 1  # of what is kept


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """False alarms that all streams together may raise in so many days, on average."""

    alarms: float = 1.0
    days: float = 30.0
    reference: int = 200  # values from which each stream's baseline is learned


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A stream has changed."""

    stream: str
    what: str
    task: str
    noticed_us: int  # when the value became known that raised it
    began_us: int  # of the likeliest first changed request
    reference_us: int  # of the first request it is compared with
    before: float
    after: float
    n: int
    run_length: float
    count: int  # of the stream's alarms: with the stream a name for this one


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How one stream stands."""

    stream: str
    what: str
    task: str
    n: int
    since_us: int
    last_us: int
    baseline: float | None  # None: still being learned; of cost, on the scale of the detector
    recent: float | None  # mean of the last hundred values
    evidence: float  # an alarm at 1
    run_length: float
    expected_false: float  # alarms within the budget's days, at its present traffic
    alarms: int


class StreamState(msgspec.Struct, kw_only=True):
    """What is kept of a stream."""

    what: str
    task: str
    detector: DetectorState
    times: list[int]  # of the requests of the last values
    raws: list[float]
    first_us: int
    last_us: int
    total: int
    scale: float | None = None
    waiting: list[tuple[float, int, int]] = []


class WatchState(msgspec.Struct, kw_only=True):
    """All that is kept between two looks."""

    form: int = FORM
    now_us: int = 0
    cursor: dict[str, tuple[int, int]] = {}
    streams: dict[str, StreamState] = {}
    left_out: int = 0  # values of streams beyond the most


class _Stream:
    def __init__(self, state: StreamState) -> None:
        self.state = state
        self.detector = DriftDetector.load(state.detector)
        self.times = deque(state.times, maxlen=_LOOK_BACK)
        self.raws = deque(state.raws, maxlen=_LOOK_BACK)

    def dump(self) -> StreamState:
        return msgspec.structs.replace(
            self.state, detector=self.detector.dump(), times=list(self.times), raws=list(self.raws)
        )


class Watch:
    """All streams of one journal."""

    def __init__(self, state: WatchState, budget: Budget) -> None:
        self.budget = budget
        self.left_out = state.left_out
        self._streams = {name: _Stream(each) for name, each in state.streams.items()}
        self._share()

    def dump(self, *, now_us: int, cursor: dict[str, tuple[int, int]]) -> WatchState:
        """To go on from."""
        return WatchState(
            now_us=now_us,
            cursor=cursor,
            streams={name: stream.dump() for name, stream in self._streams.items()},
            left_out=self.left_out,
        )

    def take(self, values: Iterable[Value]) -> list[Found]:
        """Look at values in the order they became known; what changed."""
        found = []
        for value in values:
            stream = self._streams.get(value.stream) or self._begin(value)
            if stream is None:
                self.left_out += 1
                continue
            found += self._add(stream, value)
        self._share()
        return found

    def standing(self) -> tuple[Standing, ...]:
        """How each stream stands, by name."""
        return tuple(self._standing(name) for name in sorted(self._streams))

    def recent(self, stream: str) -> tuple[Sequence[int], Sequence[float]]:
        """Times of requests and values that a picture shows."""
        return tuple(self._streams[stream].times), tuple(self._streams[stream].raws)

    def _begin(self, value: Value) -> _Stream | None:
        if len(self._streams) >= _MOST:
            return None
        detector = DriftDetector(arl=_LEAST_RUN, reference=self.budget.reference)
        made = _Stream(
            StreamState(
                what=value.what, task=value.task, detector=detector.dump(), times=[], raws=[],
                first_us=value.known_us, last_us=value.known_us, total=0,
            )
        )  # fmt: skip
        self._streams[value.stream] = made
        self._share()
        return made

    def _add(self, stream: _Stream, value: Value) -> list[Found]:
        state = stream.state
        state.last_us = max(state.last_us, value.known_us)
        state.total += 1
        if value.what != "cost":
            return self._look(stream, value.stream, value.value, value.value, value)
        if state.scale is None:
            state.waiting.append((value.value, value.at_us, value.known_us))
            if len(state.waiting) < _SCALE:
                return []
            state.scale = median(cost for cost, _, _ in state.waiting)
            waiting, state.waiting = state.waiting, []
            found: list[Found] = []
            for cost, at_us, known_us in waiting:
                then = msgspec.structs.replace(value, value=cost, at_us=at_us, known_us=known_us)
                found += self._look(stream, value.stream, _cheap(cost, state.scale), cost, then)
            return found
        return self._look(
            stream, value.stream, _cheap(value.value, state.scale), value.value, value
        )

    def _look(
        self, stream: _Stream, name: str, seen: float, raw: float, value: Value
    ) -> list[Found]:
        stream.times.append(value.at_us)
        stream.raws.append(raw)
        begun = stream.detector.begun
        if stream.detector.n - begun == self.budget.reference:
            self._share()
        alarm = stream.detector.add(seen)
        if alarm is None:
            return []
        since = alarm.at - begun + 1
        # outcomes come late and out of order: the change is dated among requests as they came
        pairs = sorted([*zip(stream.times, stream.raws, strict=True)][-since:])
        raws = [each for _, each in pairs]
        scale = stream.state.scale
        at, _, _ = change_point(raws if scale is None else [_cheap(each, scale) for each in raws])
        before, after = raws[:at] or raws[:1], raws[at:]
        return [
            Found(
                stream=name,
                what=stream.state.what,
                task=stream.state.task,
                noticed_us=value.known_us,
                began_us=pairs[at][0],
                reference_us=pairs[0][0],
                before=sum(before) / len(before),
                after=sum(after) / len(after),
                n=since,
                run_length=stream.detector.arl,
                count=stream.detector.state.alarms,
            )
        ]

    def _share(self) -> None:
        """Run lengths by which the budget holds, at the traffic seen so far."""
        count = max(1, len(self._streams))
        for stream in self._streams.values():
            expected = self._a_day(stream) * self.budget.days
            stream.detector.arl = max(_LEAST_RUN, expected * count / self.budget.alarms)

    def _a_day(self, stream: _Stream) -> float:
        state = stream.state
        return state.total / max(1.0, (state.last_us - state.first_us) / DAY_US)

    def _standing(self, name: str) -> Standing:
        stream = self._streams[name]
        now, recent = stream.detector.state, list(stream.raws)[-100:]
        run_length = stream.detector.arl
        return Standing(
            stream=name,
            what=stream.state.what,
            task=stream.state.task,
            n=stream.state.total,
            since_us=stream.state.first_us,
            last_us=stream.state.last_us,
            baseline=now.baseline,
            recent=sum(recent) / len(recent) if recent else None,
            evidence=now.evidence / run_length,
            run_length=run_length,
            expected_false=self._a_day(stream) * self.budget.days / run_length,
            alarms=now.alarms,
        )


def _cheap(cost: float, scale: float) -> float:
    """A cost as a value in (0, 1] that falls as it rises: a half at what it was at first."""
    return 1.0 / (1.0 + cost / scale)
