"""Outcomes from the product: facts about traces, named by trace id or by the answer's own id."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from pointsman.answering.asked import Clock
from pointsman.domain.errors import InvalidRequest, NotFound
from pointsman.domain.ids import outcome_id
from pointsman.domain.ports import Reports
from pointsman.domain.records import Admission, End, OutcomeRecord, Record

_K = TypeVar("_K")
_V = TypeVar("_V")
_REMEMBERED = 100_000  # traces and keys looked up without a query
_FACTS = 100  # with a key, remembered of one trace for other processes
_MAX_TEXT = 4096  # characters of a value
_MAX_KEY = 512  # characters
_AHEAD_US = 86_400_000_000  # how far a client's clock may be before ours


class Refused(NamedTuple):
    """A row that was not recorded: its number, from 1, and why."""

    row: int
    why: str


class KnownTrace(Protocol):
    """A trace that another process looked up: whose it is, by what, and its keyed facts."""

    @property
    def trace(self) -> str: ...

    @property
    def tenant(self) -> str: ...

    @property
    def reference(self) -> str: ...

    @property
    def facts(self) -> Sequence[OutcomeRecord]: ...


class Recent:
    """The latest traces by trace id and by response id; bounded, newest kept."""

    def __init__(self, size: int | None = None) -> None:
        self._size = _REMEMBERED if size is None else size
        self._tenants: OrderedDict[str, str] = OrderedDict()
        # by tenant and response id; None where two traces of the tenant have the same
        self._by_response: OrderedDict[tuple[str, str], str | None] = OrderedDict()

    def ended(self, admission: Admission, end: End) -> None:
        """Remember a trace that ended."""
        _put(self._tenants, end.trace, admission.tenant, self._size)
        for attempt in end.attempts:
            if attempt.response_id is not None:
                self._answered(admission.tenant, attempt.response_id, end.trace)

    def remember(self, trace: str, tenant: str, *, response_id: str | None = None) -> None:
        """Remember a trace found in the journal."""
        _put(self._tenants, trace, tenant, self._size)
        if response_id is not None and response_id != trace:
            self._answered(tenant, response_id, trace)

    def _answered(self, tenant: str, response_id: str, trace: str) -> None:
        known = self._by_response.get((tenant, response_id), trace)
        _put(self._by_response, (tenant, response_id), trace if known == trace else None,
             self._size)  # fmt: skip

    def find(self, reference: str, tenant: str | None) -> tuple[str, str] | None:
        """Trace and tenant of a trace id or response id, if remembered.

        Args: tenant None: the operator, who may name the traces of any.
        Raises: InvalidRequest where several traces of the tenant have this response id.
        """
        owner = self._tenants.get(reference)
        if owner is not None:
            return (reference, owner) if tenant in (None, owner) else None
        tenants = [tenant] if tenant is not None else sorted(set(self._tenants.values()))
        found = [
            (self._by_response[name, reference], name)
            for name in tenants
            if (name, reference) in self._by_response
        ]
        if len(found) > 1 or (found and found[0][0] is None):
            raise InvalidRequest(
                f"several answers have the id {reference[:100]!r}",
                why="some engines give an id twice",
                next="name the trace id, from the x-pointsman-trace header",
                param="id",
                code="ambiguous_id",
            )
        trace = found[0][0] if found else None
        return (trace, found[0][1]) if trace is not None else None


class Appends(Protocol):
    """Where a fact goes; the journal is one such place."""

    def append(self, record: Record) -> None: ...


class Feedback:
    """Writes outcomes; the same key is the same fact, however often it is sent."""

    def __init__(
        self,
        journal: Appends,
        reports: Reports,
        recent: Recent,
        clock: Clock,
        *,
        recorded: Callable[[OutcomeRecord], None] = lambda record: None,
    ) -> None:
        """Args: recorded is told of every fact that was written down; of none twice."""
        self._journal = journal
        self._recorded = recorded
        self._reports = reports
        self._recent = recent
        self._clock = clock
        self._keys: OrderedDict[tuple[str, str], OutcomeRecord] = OrderedDict()
        self._keyed: OrderedDict[str, tuple[OutcomeRecord, ...]] = OrderedDict()  # by trace
        self.kinds: frozenset[str] | None = None  # those that rules mention; None: any

    def remembered(self, reference: str, tenant: str | None = None) -> bool:
        """True when `add` knows this trace id or response id without a query."""
        try:
            return self._recent.find(reference, tenant) is not None
        except InvalidRequest:
            return True

    def recall(self, references: Sequence[str]) -> None:
        """Look the references up in the journal and remember those that are there, with the facts
        about them that have a key.

        Queries that may take a while: never on an event loop.
        """
        found: list[str] = []
        missing = [item for item in references if not self.remembered(item)]
        if missing:
            for row in self._reports.query("find", {"references": missing}):
                self._recent.remember(
                    str(row["trace"]), str(row["tenant"]), response_id=row["reference"]
                )
                found.append(str(row["trace"]))
        if found:
            self.learn(keyed_facts(self._reports, found))

    def learn(self, facts: Iterable[OutcomeRecord]) -> None:
        """Remember facts that were recorded before, by another process or an earlier one."""
        for fact in facts:
            if fact.key is not None and (fact.tenant, fact.key) not in self._keys:
                self._remember(fact, fact.key)

    def known_facts(self, trace: str) -> tuple[OutcomeRecord, ...]:
        """The facts about a trace that have a key, as far as this process knows them."""
        return self._keyed.get(trace, ())

    def _remember(self, fact: OutcomeRecord, key: str) -> None:
        _put(self._keys, (fact.tenant, key), fact, _REMEMBERED)
        kept = (*self._keyed.get(fact.trace, ()), fact)[-_FACTS:]
        _put(self._keyed, fact.trace, kept, _REMEMBERED)

    def warning(self, kind: str) -> str | None:
        """What a client should know of a kind that decides nothing."""
        if self.kinds is None or kind in self.kinds:
            return None
        known = ", ".join(sorted(self.kinds)) or "none"
        return (
            f"no task's acceptance rule mentions {kind!r}: it is recorded and decides nothing; "
            f"kinds that do: {known}"
        )

    def add(
        self,
        reference: str,
        *,
        kind: str,
        value: Any = None,
        tenant: str | None = "default",
        source: str = "api",
        key: str | None = None,
        at_us: int | None = None,
    ) -> OutcomeRecord:
        """Record one fact about a trace that is remembered or was recalled.

        Args: reference is a trace id or the `id` of an answer; tenant None: any (the operator);
            at_us is when it happened, microseconds since 1970, if not now.
        Raises: NotFound for an unknown trace, and for one of another tenant; InvalidRequest
            for a kind, value, key or time that cannot be recorded.
        """
        now_us = self._clock.now_us()
        _check_kind(kind)
        _check_value(value)
        _check_key(key)
        _check_time(at_us, now_us)
        found = self._recent.find(reference, tenant)
        if found is None:
            raise NotFound(
                f"no trace or answer {reference[:100]!r}",
                next="the trace id is in the x-pointsman-trace header, the answer's in its `id`",
                param="trace",
                code="trace_not_found",
            )
        trace, owner = found
        if key is not None and (owner, key) in self._keys:
            return _same_fact(self._keys[owner, key], trace, kind, value)
        record = OutcomeRecord(
            id=outcome_id(now_us // 1000, self._clock.entropy(10)),
            at_us=at_us if at_us is not None else now_us,
            trace=trace,
            outcome=kind,
            value=value,
            source=source,
            tenant=owner,
            key=key,
        )
        self._journal.append(record)
        self._recorded(record)
        if key is not None:
            self._remember(record, key)
        return record

    def add_many(
        self,
        rows: Sequence[Mapping[str, Any]],
        *,
        source: str,
        progress: Callable[[int], None] = lambda done: None,
    ) -> tuple[int, list[Refused]]:
        """Record rows of `trace` (or `id`), `kind`, `value`, `key`, `at_us`: those that are good.

        Returns: how many were recorded, and the others with the reason.
        """
        done, refused = 0, []
        named = [_reference(row) for row in rows]
        self.recall([item for item in named if isinstance(item, str)])
        for number, (row, reference) in enumerate(zip(rows, named, strict=True), 1):
            try:
                if not isinstance(reference, str) or not isinstance(row.get("kind"), str):
                    raise InvalidRequest("a row needs `trace` (or `id`) and `kind`")
                self.add(
                    reference, kind=row["kind"], value=row.get("value"), tenant=None,
                    source=source, key=row.get("key"), at_us=row.get("at_us"),
                )  # fmt: skip
                done += 1
            except (InvalidRequest, NotFound) as error:
                refused.append(Refused(number, error.what))
            progress(number)
        return done, refused


def keyed_facts(reports: Reports, traces: Sequence[str]) -> list[OutcomeRecord]:
    """The facts about these traces that have a key, the first of each key."""
    rows = reports.query("keyed_facts", {"traces": list(traces)})
    return [msgspec.json.decode(row["payload"], type=OutcomeRecord) for row in rows]


def _reference(row: Mapping[str, Any]) -> Any:
    return row.get("trace") or row.get("id") or row.get("response_id")


def _same_fact(known: OutcomeRecord, trace: str, kind: str, value: Any) -> OutcomeRecord:
    """The fact that a key stands for. Raises: InvalidRequest where it is sent with another."""
    if (known.trace, known.outcome) == (trace, kind) and value in (None, known.value):
        return known
    raise InvalidRequest(
        "this key stands for another fact",
        why=f"it was used for {known.outcome!r} of {known.trace}",
        next="give each fact a key of its own",
        param="key",
        code="key_reused",
    )


def _check_kind(kind: str) -> None:
    if not kind or len(kind) > 64 or not kind.replace("_", "").replace("-", "").isalnum():
        raise InvalidRequest(
            "`kind` is a short word of letters, digits, - and _",
            next="`accepted`, `rejected`, `edited`, or your product's own word",
            param="kind",
            code="invalid_kind",
        )


def _check_value(value: Any) -> None:
    wrong = ""
    if value is not None and not isinstance(value, bool | int | float | str):
        wrong = "is a boolean, a number or a text"
    elif isinstance(value, str) and (len(value) > _MAX_TEXT or not _is_text(value)):
        wrong = f"is over {_MAX_TEXT} characters" if len(value) > _MAX_TEXT else "is not Unicode"
    elif isinstance(value, float) and not isfinite(value):
        wrong = "is not a finite number"
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
        wrong = "is over 64 bits"
    if wrong:
        raise InvalidRequest(f"`value` {wrong}", param="value", code="invalid_value")


def _check_key(key: Any) -> None:
    """A record with anything else could be written, and never be read again."""
    if key is not None and not (isinstance(key, str) and len(key) <= _MAX_KEY and _is_text(key)):
        raise InvalidRequest(
            f"`key` is a text of up to {_MAX_KEY} characters", param="key", code="invalid_key"
        )


def _check_time(at_us: Any, now_us: int) -> None:
    if at_us is None:
        return
    whole = isinstance(at_us, int) and not isinstance(at_us, bool)
    if not whole or not 0 <= at_us <= now_us + _AHEAD_US:
        raise InvalidRequest(
            "`at_us` is microseconds since 1970, and not in the future",
            param="at_us",
            code="invalid_time",
        )


def _is_text(text: str) -> bool:
    """False for half a surrogate pair, which no file of ours can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _put(table: OrderedDict[_K, _V], key: _K, value: _V, size: int) -> None:
    table[key] = value
    if len(table) > size:
        table.popitem(last=False)
