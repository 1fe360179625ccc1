"""Writes one request down: its admission, its end, its verifiers' outcome. Each once, in order."""

from collections.abc import Sequence

import msgspec

from pointsman.answering.asked import Asked, Clock
from pointsman.answering.capture import keep
from pointsman.answering.tags import tags_of
from pointsman.answering.watch import Watch
from pointsman.domain.ids import TraceId, outcome_id
from pointsman.domain.messages import Features
from pointsman.domain.plan import Decision
from pointsman.domain.ports import Journal, SubjectKey
from pointsman.domain.records import Admission, BodyRef, Capture, End, OutcomeRecord
from pointsman.domain.task import PromptVersion
from pointsman.domain.verdict import CheckResult, Screening
from pointsman.policy.obligations import narrowest

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

    def admit(
        self, at_us: int, decision: Decision, features: Features, watch: Watch | None = None
    ) -> None:
        """Before the first upstream call. Raises: JournalUnavailable, and nothing is answered."""
        asked, task = self._asked, self._asked.target.task
        capture: Capture = task.capture if task else "bodies"
        if asked.capture is not None:
            capture = narrowest(capture, (asked.capture,))
        inbound = watch.inbound if watch is not None else None
        kept = capture if watch is None else watch.capture(capture, inbound)
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
            request=self._keep(asked.body, kept, _encode(features)),
            session=asked.session,
            team=asked.team,
            policy=inbound,
            tags=tags_of(asked.request, task.segments) if task and task.segments else {},
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

    def answer(
        self, body: bytes | None, watch: Watch | None = None, said: Screening | None = None
    ) -> BodyRef | None:
        """Where the answer is kept, for the end's record. Raises: JournalUnavailable."""
        assert self._admission is not None, "only what was admitted is answered"
        if body is None:
            return None
        capture = self._admission.capture
        if watch is not None and said is not None:  # what was shown has nothing forbidden in it
            capture = watch.narrowed(capture, said)
        return self._keep(body, capture)

    def end(self, end: End) -> Admission:
        """Before the last byte to the client. Raises: JournalUnavailable."""
        assert self._admission is not None, "only what was admitted can end"
        assert not self.ended, "a request ends once"
        known = self._asked.target.served
        served = {
            each.deployment: id
            for each in end.attempts
            if each.failure is None and (id := known(each.deployment)) is not None
        }
        self._journal.append(msgspec.structs.replace(end, served=served) if served else end)
        self.ended = True
        return self._admission

    def _keep(self, body: bytes, capture: Capture, features: bytes = b"") -> BodyRef:
        return keep(
            self._journal, body, capture, key=self._key, until_us=self._until_us, features=features
        )
