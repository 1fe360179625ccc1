"""Outcomes from the product: facts about traces, named by trace id or by the answer's own id."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple, TypeVar

from pointsman.answering.asked import Clock
from pointsman.domain.errors import InvalidRequest, NotFound
from pointsman.domain.ids import outcome_id
from pointsman.domain.ports import Journal, Reports
from pointsman.domain.records import Admission, End, OutcomeRecord

_K = TypeVar("_K")
_V = TypeVar("_V")
_REMEMBERED = 100_000  # traces and keys looked up without a query
_MAX_TEXT = 4096  # characters of a value
_MAX_KEY = 512  # characters
_AHEAD_US = 86_400_000_000  # how far a client's clock may be before ours


class Refused(NamedTuple):
    """A row that was not recorded: its number, from 1, and why."""

    row: int
    why: str


class Recent:
    """The latest traces by trace id and by response id; bounded, newest kept."""

    def __init__(self, size: int = _REMEMBERED) -> None:
        self._size = size
        self._tenants: OrderedDict[str, str] = OrderedDict()
        self._by_response: OrderedDict[str, str] = OrderedDict()

    def ended(self, admission: Admission, end: End) -> None:
        """Remember a trace that ended."""
        _put(self._tenants, end.trace, admission.tenant, self._size)
        for attempt in end.attempts:
            if attempt.response_id is not None:
                _put(self._by_response, attempt.response_id, end.trace, self._size)

    def remember(self, trace: str, tenant: str, *, response_id: str | None = None) -> None:
        """Remember a trace found in the journal."""
        _put(self._tenants, trace, tenant, self._size)
        if response_id is not None:
            _put(self._by_response, response_id, trace, self._size)

    def find(self, reference: str) -> tuple[str, str] | None:
        """Trace and tenant of a trace id or response id, if remembered."""
        trace = self._by_response.get(reference, reference)
        tenant = self._tenants.get(trace)
        return None if tenant is None else (trace, tenant)


class Feedback:
    """Writes outcomes; the same key is the same fact, however often it is sent."""

    def __init__(
        self,
        journal: Journal,
        reports: Reports,
        recent: Recent,
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._reports = reports
        self._recent = recent
        self._clock = clock
        self._keys: OrderedDict[tuple[str, str], OutcomeRecord] = OrderedDict()

    def remembered(self, reference: str) -> bool:
        """True when `add` knows this trace id or response id without a query."""
        return self._recent.find(reference) is not None

    def recall(self, references: Sequence[str]) -> None:
        """Look the references up in the journal and remember those that are there.

        One query for all of them, which may take a while: never on an event loop.
        """
        missing = [item for item in references if not self.remembered(item)]
        if missing:
            for row in self._reports.query("find", {"references": missing}):
                self._recent.remember(
                    str(row["trace"]), str(row["tenant"]), response_id=row["reference"]
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
        found = self._recent.find(reference)
        if found is None or (tenant is not None and found[1] != tenant):
            raise NotFound(
                f"no trace or answer {reference[:100]!r}",
                next="the trace id is in the x-pointsman-trace header, the answer's in its `id`",
                param="trace",
                code="trace_not_found",
            )
        trace, owner = found
        if key is not None and (owner, key) in self._keys:
            return self._keys[owner, key]
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
        if key is not None:
            _put(self._keys, (owner, key), record, _REMEMBERED)
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


def _reference(row: Mapping[str, Any]) -> Any:
    return row.get("trace") or row.get("id") or row.get("response_id")


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
