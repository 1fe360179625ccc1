"""Rows of a journal in memory, for tests of reports."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pointsman.domain.money import Usage
from pointsman.domain.records import Attempt, BodyRef, Failure, FailureKind
from pointsman.domain.verdict import GateResult

PICOS_PER_MILLIDOLLAR = 10**9


class RowsInMemory:
    """The `Reports` port over lists of rows; ranges are half open, as in the journal."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {"requests": [], "outcomes": []}

    def query(self, name: str, params: Mapping[str, Any] | None = None) -> Sequence[dict[str, Any]]:
        assert params is not None
        found = [
            r for r in self.rows[name] if params["since_us"] <= r["at_us"] < params["until_us"]
        ]
        return [row for row in found if params["tenant"] in (None, row["tenant"])]

    def body(self, ref: BodyRef) -> bytes | None:
        return None

    def request(
        self,
        *attempts: Attempt,
        trace: str,
        at_us: int = 1_000,
        task: str | None = "ticket",
        route: str = "thrifty",
        status: str | None = "delivered",
        outcome: str | None = None,
        **columns: Any,
    ) -> None:
        """A request that delivered its last attempt, unless told otherwise; maybe an outcome."""
        delivered = len(attempts) - 1 if status == "delivered" else None
        row = {
            "trace": trace, "at_us": at_us, "tenant": "default", "principal": "key:app",
            "task": task, "route": route, "asked": "auto", "prompt": "ticket@v2", "config": "c1",
            "stream": False, "status": status, "http_status": 200,
            "cost_usd_picos": sum(attempt.cost_usd_picos for attempt in attempts),
            "first_byte_ms": 40, "held_ms": None, "total_ms": 100, "overhead_us": 900,
            "attempts": msgspec.json.encode(attempts).decode() if attempts else None,
            "delivered": delivered, "error": None,
        }  # fmt: skip
        self.rows["requests"].append({**row, **columns})
        if outcome is not None:
            self.outcome(trace, outcome, at_us=at_us + 500)

    def outcome(self, trace: str, outcome: str, *, at_us: int, value: str | None = None) -> None:
        self.rows["outcomes"].append({
            "trace": trace, "outcome": outcome, "value": value, "source": "api", "at_us": at_us,
            "key": None, "tenant": "default",
        })  # fmt: skip


def tried(
    deployment: str,
    *,
    step: int = 0,
    millidollars: float = 1.0,
    gate: str | None = None,
    failure: FailureKind | None = None,
) -> Attempt:
    """One attempt: an answer, or a failure that cost nothing."""
    return Attempt(
        step=step,
        deployment=deployment,
        failure=None if failure is None else Failure(kind=failure),
        usage=None if failure else Usage(prompt_tokens=100, completion_tokens=10),
        cost_usd_picos=0 if failure else round(millidollars * PICOS_PER_MILLIDOLLAR),
        gate=None if gate is None else GateResult(verdict=gate, reason="checks"),  # type: ignore[arg-type]
    )
