"""What the journal tells of requests: lists, one with everything about it, decisions again."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from pointsman.client.opened import Opened
from pointsman.domain.errors import (
    InvalidRequest,
    NotFound,
)

if TYPE_CHECKING:
    from pointsman.analytics.experience import Experience
    from pointsman.analytics.explaining import Explained
    from pointsman.answering.replaying import Replay
    from pointsman.domain.records import Admission, BodyRef, End, ReviewRecord


class Traces(Opened):
    """Requests, one by one."""

    def traces(
        self, *, limit: int = 20, task: str | None = None, since_us: int = 0
    ) -> list[dict[str, Any]]:
        """The latest requests, newest first: the columns of the `requests` query.

        A request without an end has the status `running`, or `lost` once its process is gone.
        """
        params = {"limit": limit, "task": task, "since_us": since_us}
        rows = list(self._reports.query("requests", params))
        endless = {row["writer"] for row in rows if row["status"] is None}
        states = {writer: self._without_end(writer) for writer in endless}
        return [{**row, "status": row["status"] or states[row["writer"]]} for row in rows]

    def _without_end(self, writer: str) -> str:
        """What became of a request that this process admitted and never ended."""
        from pointsman.journal import is_writing

        return "running" if is_writing(self.root, writer) else "lost"

    def decisions(
        self, *, limit: int = 20, task: str | None = None, since_us: int = 0
    ) -> "dict[str, Admission]":
        """The latest requests as they were admitted, each with its whole decision, by trace."""
        import msgspec

        from pointsman.domain.records import Admission

        params = {"limit": limit, "task": task, "since_us": since_us}
        rows = self._reports.query("decisions", params)
        return {r["trace"]: msgspec.json.decode(r["admission"], type=Admission) for r in rows}

    def attempts(self, *, since_us: int = 0, task: str | None = None) -> list[dict[str, Any]]:
        """Every attempt of the requests that ended: the columns of the `attempts` query."""
        return list(self._reports.query("attempts", {"since_us": since_us, "task": task}))

    def trace(self, reference: str) -> dict[str, Any]:
        """Everything about one trace, named by its id or by the answer's own id.

        Returns: `admission`, `end`, `outcomes` and `reviews` (what was decided of a held answer,
            in order) as recorded, `served` (what each deployment that answered was, as far as it
            is known), the bodies where kept, and the `status`: that of the end;
            without one `running`, or `lost` once its process is gone; `acceptance`, judged by the
            task's rule as it is now.
        Raises: NotFound.
        """
        found = self._reports.query("find", {"references": [reference]})
        trace = str(found[0]["trace"]) if found else reference
        rows = self._reports.query("trace", {"trace": trace})
        parts: dict[str, Any] = {"trace": trace, "admission": None, "end": None}
        several: dict[str, list[dict[str, Any]]] = {"outcome": [], "review": []}
        writer = ""
        for row in rows:
            payload = json.loads(row["payload"])
            if row["kind"] in several:
                several[row["kind"]].append(payload)
            else:
                parts[row["kind"]] = payload
            if row["kind"] == "admission":
                writer = row["writer"]
        if parts["admission"] is None:
            raise NotFound(f"no trace {reference!r}", next="pointsman trace list")
        parts["outcomes"] = _once(several["outcome"])
        parts["reviews"] = sorted(several["review"], key=lambda review: review["at_us"])
        parts["served"] = self._served(parts["end"])
        parts["status"] = _in_the_end(parts) or self._without_end(writer)
        parts["acceptance"] = self._explained(parts)
        for name, said in (("request", parts["admission"]), ("response", parts["end"] or {})):
            ref = said.get(name)
            parts[f"{name}_body"] = body = self._body(ref)
            parts[f"{name}_kept"] = _kept(ref, body)
        return parts

    def _served(self, end: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
        ids = (end or {}).get("served") or {}
        if not ids:
            return {}
        rows = self._reports.query("served", {"ids": sorted(set(ids.values()))})
        known = {each["id"]: each["identity"] for each in map(_payload, rows)}
        return {name: known[id] for name, id in ids.items() if id in known}

    def _explained(self, parts: Mapping[str, Any]) -> "Explained":
        """By the rule of its task as it is now, or the default one."""
        from pointsman.analytics.acceptance import OutcomeRow
        from pointsman.analytics.explaining import explain
        from pointsman.domain.reviews import later_delivered, later_status
        from pointsman.domain.task import AcceptanceRule

        task = self.config.tasks.get(parts["admission"].get("task") or "")
        end, reviews = _told(parts)
        rows = [
            OutcomeRow(
                at_us=each["at_us"], outcome=each["outcome"], value=each.get("value"),
                source=each.get("source", "api"),
            )
            for each in parts["outcomes"]
        ]  # fmt: skip
        return explain(
            task.acceptance if task is not None else AcceptanceRule(),
            rows,
            status=later_status(end, reviews),
            delivered=later_delivered(end, reviews),
            at_us=parts["admission"]["at_us"],
            now_us=self._clock.now_us(),
        )

    def replay(self, reference: str) -> "Replay":
        """The decision of a trace, taken again from its record. Raises: NotFound."""
        import msgspec

        from pointsman.answering.replaying import replay
        from pointsman.domain.messages import Features
        from pointsman.domain.records import Admission

        admission = msgspec.convert(self.trace(reference)["admission"], Admission)
        content = self._reports.content(admission.request)
        features = (
            None
            if content is None or not content.features
            else msgspec.json.decode(content.features, type=Features)
        )
        configs = self._reports.query("configs")
        text = next((row["text"] for row in configs if row["digest"] == admission.config), None)
        return replay(admission, features, text)

    def experience(
        self,
        *,
        task: str | None = None,
        since_us: int = 0,
        progress: Any = lambda done, total: None,
    ) -> Iterator[dict[str, Any]]:
        """The journal's traffic as rows of an outcomes file: the first arm of each request whose
        answer was accepted or not, with the chance that it was asked.

        Requests whose text was erased or never kept are left out, and those that failed, or of
        which nobody knows yet. The same question falls on the same side of `split` everywhere.
        """
        import msgspec

        from pointsman.analytics.acceptance import AcceptanceJudge, OutcomeRow
        from pointsman.analytics.experience import experience
        from pointsman.domain.records import Admission, End
        from pointsman.domain.task import AcceptanceRule

        told: dict[str, list[OutcomeRow]] = {}
        for row in self._reports.query("outcomes", {"since_us": since_us}):
            told.setdefault(row["trace"], []).append(OutcomeRow.of(row))
        judges = {n: AcceptanceJudge(each.acceptance) for n, each in self.config.tasks.items()}
        other = AcceptanceJudge(AcceptanceRule())
        rows = self._reports.query("decisions", {"since_us": since_us, "task": task})
        for done, row in enumerate(reversed(rows), 1):
            admission = msgspec.json.decode(row["admission"], type=Admission)
            end = msgspec.json.decode(row["end"], type=End) if row["end"] else None
            if end is not None:  # of a held answer: what its client got later
                end = msgspec.structs.replace(end, status=row["status"], delivered=row["delivered"])
            judge = judges.get(admission.task or "", other)
            found = experience(
                admission, end, told.get(admission.trace, ()), judge=judge,
                now_us=self._clock.now_us(),
            )  # fmt: skip
            text = self._asked_text(admission) if found is not None else None
            if found is not None and text is not None:
                yield _outcome_row(found, text)
            progress(done, len(rows))

    def _asked_text(self, admission: "Admission") -> str | None:
        """What was asked, as routers read it; None where it is gone."""
        from pointsman.routing.features import text_of
        from pointsman.surfaces.table import SURFACES

        content = self._reports.content(admission.request)
        surface = next((s for s in SURFACES.values() if s.name == admission.surface), None)
        if content is None or surface is None:
            return None
        try:
            return text_of(surface.parse(content.body))
        except InvalidRequest:
            return None

    def _body(self, raw: Mapping[str, Any] | None) -> str | None:
        if raw is None:
            return None
        body = self._reports.body(_ref(raw))
        return None if body is None else body.decode("utf-8", "replace")


def _told(parts: Mapping[str, Any]) -> "tuple[End | None, list[ReviewRecord]]":
    import msgspec

    from pointsman.domain.records import End, ReviewRecord

    end = msgspec.convert(parts["end"], End) if parts["end"] else None
    return end, msgspec.convert(parts["reviews"], list[ReviewRecord])


def _in_the_end(parts: Mapping[str, Any]) -> str | None:
    from pointsman.domain.reviews import later_status

    return later_status(*_told(parts))


def _payload(row: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(row["payload"])
    return found


def _once(outcomes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The outcomes, of several with one key the first: one key is one fact."""
    first: dict[tuple[str, str], dict[str, Any]] = {}
    for each in outcomes:
        if each.get("key") is not None:
            first.setdefault((each.get("tenant", "default"), each["key"]), each)
    return [
        each
        for each in outcomes
        if each.get("key") is None or first[each.get("tenant", "default"), each["key"]] is each
    ]


def _kept(ref: Mapping[str, Any] | None, body: str | None) -> str:
    if body is not None:
        return "kept"
    return "erased" if ref is not None and ref.get("pack") is not None else "not kept"


def _ref(raw: Any) -> "BodyRef":
    import msgspec

    from pointsman.domain.records import BodyRef

    said = json.loads(raw) if isinstance(raw, str) else raw
    return msgspec.convert(said, BodyRef)


def _outcome_row(found: "Experience", text: str) -> dict[str, Any]:
    from pointsman.domain.money import usd

    return {
        "source": "journal", "task": found.task or "", "prompt_id": found.trace, "prompt": text,
        "model": found.arm, "sample_idx": 0, "response": None, "answer": None,
        "score": 1.0 if found.accepted else 0.0, "accepted": found.accepted,
        "input_tokens": found.input_tokens, "output_tokens": found.output_tokens,
        "hidden_reasoning": False, "cost_usd": usd(found.cost_usd_picos),
        "latency_ms": found.latency_ms, "split": _split(text), "propensity": found.propensity,
        "explored": found.explored, "at_us": found.at_us,
    }  # fmt: skip


def _split(text: str) -> str:
    """`test` for three in ten questions, by what they ask and not by how they are written."""
    plain = " ".join(re.findall("[a-z0-9]+", text.lower()))
    return "test" if int(sha256(plain.encode()).hexdigest()[:8], 16) % 10 >= 7 else "train"
