"""Writes one request down: its admission, its end, its verifiers' outcome. Each once, in order."""

from collections.abc import Sequence

import msgspec

from pointsman.answering.asked import Asked, Clock
from pointsman.answering.capture import keep
from pointsman.domain.ids import TraceId, outcome_id
from pointsman.domain.messages import Features
from pointsman.domain.plan import Decision
from pointsman.domain.ports import Journal, SubjectKey
from pointsman.domain.records import Admission, BodyRef, Capture, End, OutcomeRecord
from pointsman.domain.task import PromptVersion
from pointsman.domain.verdict import CheckResult

_DAY_US = 86_400_000_000
_DAYS = 30  # for which bodies are kept where there is no task to say so
_encode = msgspec.json.Encoder().encode


class Scribe:
    """The records of one request."""

    def __init__(
        self,
        journal: Journal,
        config: str,
        asked: Asked,
        trace: TraceId,
        prompt: PromptVersion | None,
        key: SubjectKey | None = None,
    ) -> None:
        self._journal = journal
        self._config = config
        self._asked = asked
        self._trace = trace
        self._prompt = prompt
        self._key = key  # of the person whose words these are
        self._until_us = 0
        self._admission: Admission | None = None
        self.ended = False

    def admit(self, at_us: int, decision: Decision, features: Features) -> None:
        """Before the first upstream call. Raises: JournalUnavailable, and nothing is answered."""
        asked, task = self._asked, self._asked.target.task
        capture = task.capture if task else "bodies"
        self._until_us = at_us + (task.retention_days if task else _DAYS) * _DAY_US
        admission = Admission(
            trace=self._trace,
            at_us=at_us,
            tenant=asked.tenant,
            principal=asked.principal,
            surface=asked.surface,
            asked=asked.request.model,
            task=task.name if task else None,
            prompt=self._prompt.reference if self._prompt else None,
            config=self._config,
            stream=asked.request.stream,
            decision=decision,
            capture=capture,
            request=self._keep(asked.body, capture, _encode(features)),
            session=asked.session,
        )
        self._journal.append(admission)
        self._admission = admission

    def verified(self, clock: Clock, results: Sequence[CheckResult]) -> None:
        """What the task's verifiers say of the delivered answer: true, false, or could not look."""
        at_us = clock.now_us()
        statuses = {result.status for result in results}
        value = False if "found" in statuses else None if "unjudged" in statuses else True
        self._journal.append(
            OutcomeRecord(
                id=outcome_id(at_us // 1000, clock.entropy(10)),
                at_us=at_us,
                trace=self._trace,
                outcome="verified",
                value=value,
                source="verifier",
                tenant=self._asked.tenant,
            )
        )

    def end(self, end: End, body: bytes | None) -> tuple[Admission, End]:
        """Before the last byte to the client. Raises: JournalUnavailable."""
        assert self._admission is not None, "only what was admitted can end"
        assert not self.ended, "a request ends once"
        if body is not None:
            end = msgspec.structs.replace(end, response=self._keep(body, self._admission.capture))
        self._journal.append(end)
        self.ended = True
        return self._admission, end

    def _keep(self, body: bytes, capture: Capture, features: bytes = b"") -> BodyRef:
        return keep(
            self._journal, body, capture, key=self._key, until_us=self._until_us, features=features
        )
