"""Makes one request happen: calls, judges, delivers, writes down.

What happens next is decided in machine.py, what is good enough in routing, how it looks to the
client in the sink; here is only the order of it.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pointsman.answering.asked import Asked, Clock
from pointsman.answering.delivery import Delivery, annotate
from pointsman.answering.machine import (
    Answered,
    Break,
    Call,
    Deliver,
    Effect,
    Event,
    Failed,
    Refuse,
    Shown,
    Vanished,
    advance,
    begin,
)
from pointsman.answering.refusal import breakage, refusal
from pointsman.answering.scribe import Scribe
from pointsman.answering.sink import Headers, Sink
from pointsman.answering.subjects import Subjects
from pointsman.domain.errors import JournalUnavailable, PointsmanError
from pointsman.domain.ids import trace_id
from pointsman.domain.messages import Reply
from pointsman.domain.money import Usage, cost_usd_picos, usd
from pointsman.domain.plan import Decision, Step
from pointsman.domain.portfolio import Deployment
from pointsman.domain.ports import (
    AnswerStream,
    AttemptFailed,
    Backend,
    Chunk,
    Completion,
    Journal,
    SubjectKey,
    UpstreamCall,
)
from pointsman.domain.records import Admission, Attempt, End, EndStatus, Failure
from pointsman.domain.subjects import subject_of
from pointsman.domain.verdict import CheckResult, GateResult
from pointsman.prompts.rendering import render
from pointsman.routing.arms import Arms
from pointsman.routing.features import features_of
from pointsman.routing.gate import judge
from pointsman.routing.planner import decide
from pointsman.verifiers import Verifier, run_verifiers

# Failures before which the engine surely did nothing that costs.
_FREE = frozenset({"refused", "connect_timeout", "busy", "engine_down", "rate_limited",
                   "client_error", "server_error"})  # fmt: skip
# Checking 16 KiB takes well under a millisecond for ordinary schemas and patterns.
_CHECKED_INLINE_CHARS = 16 * 1024


@dataclass(frozen=True, slots=True)
class Answering:
    """Everything a request needs, wired once."""

    config: str  # digest
    deployments: Mapping[str, Deployment]
    backend: Backend
    journal: Journal
    arms: Arms
    clock: Clock
    ended: Callable[[Admission, End], None]  # told of every ended request: metrics, indexes
    request_timeout_s: float = 600.0
    keepalive_comment_s: float = 10.0
    wait_for_disk: bool = False
    subjects: Subjects | None = None  # None: no store of keys, bodies lie under none

    async def answer(self, asked: Asked, sink: Sink) -> None:
        """Answer one request into the sink; exactly one End record follows its Admission.

        Raises: JournalUnavailable where the admission could not be written (nothing was asked,
            nothing told); CancelledError when the client went away.
        """
        key = None
        if self.subjects is not None:
            subject = subject_of(asked.subject, self.clock.now_us())
            key = self.subjects.known(asked.tenant, subject)
            if key is None:
                key = await self.subjects.key(asked.tenant, subject)
        await _Run(self, asked, sink, key).run()


class _Run:
    """The moving parts of one request."""

    def __init__(self, owner: Answering, asked: Asked, sink: Sink, key: SubjectKey | None) -> None:
        clock, task = owner.clock, asked.target.task
        self.owner = owner
        self.asked = asked
        self.admitted_us = clock.now_us()
        self.trace = trace_id(self.admitted_us // 1000, clock.entropy(10))
        self.prompt = task.prompt if task else None
        self.thinking = task.thinking if task else None
        self.request = render(asked.request, self.prompt) if self.prompt else asked.request
        self.features = features_of(
            asked.request,
            task=task.name if task else None,
            tenant=asked.tenant,
            hour_utc=self.admitted_us // 3_600_000_000 % 24,
        )
        self.decision = self._decide()
        self.scribe = Scribe(owner.journal, owner.config, asked, self.trace, self.prompt, key)
        self.delivery = Delivery(sink, self._headers, self._elapsed_ms, owner.keepalive_comment_s)
        self.now, self.first = begin(self.decision.plan)
        self.kept: dict[int, Completion | list[Chunk]] = {}  # answers not shown, by attempt
        self.replies: dict[int, tuple[Reply, ...]] = {}
        self.running: tuple[Call, float, AnswerStream | None] | None = None
        self.upstream_s = 0.0
        self.verified: str | None = None  # of the delivered answer, once its checks have run

    def _decide(self) -> Decision:
        return decide(
            self.asked.target.route,
            self.features,
            task=self.asked.target.task,
            state=self.owner.arms.states,
            draw=self.owner.clock.draw(),
        )

    async def run(self) -> None:
        self.scribe.admit(self.admitted_us, self.decision, self.features)
        try:
            if self.owner.wait_for_disk:
                await self.owner.journal.durable()
            effect: Effect | None = self.first
            while isinstance(effect, Call):
                event = await self._attempt(effect)  # changes `now` when it first shows text
                self.now, effect = advance(self.now, event)
            assert effect is not None, "the end of an attempt always leads on"
            await self._conclude(effect)
        except asyncio.CancelledError:
            self._vanish()
            raise
        except JournalUnavailable as trouble:
            self.delivery.fail(trouble)
        except Exception:
            self._end("failed", 500, error="internal_error")
            raise
        finally:
            self.delivery.quiet()

    # One attempt

    async def _attempt(self, call: Call) -> Event:
        clock = self.owner.clock
        started = clock.monotonic()
        left = self.asked.arrived + self.owner.request_timeout_s - started
        self.running = (call, started, None)
        upstream = UpstreamCall(
            deployment=self.owner.deployments[call.step.deployment],
            request=self.request,
            deadline_s=left,
            logprobs=self.asked.target.asks_logprobs(call.step.gate),
            thinking=self.thinking,
        )
        try:
            if left <= 0:
                late = Failure(kind="total_timeout", detail="the request ran out of its time")
                raise AttemptFailed(late)
            if self.request.stream:
                said = await self._streamed(call, upstream)
            else:
                said = await self.owner.backend.complete(upstream)
                self.kept[len(self.now.attempts)] = said
        except AttemptFailed as error:
            self.upstream_s += clock.monotonic() - started
            event: Event = Failed(self._record(call, started, error.said, error.failure))
        else:
            self.upstream_s += clock.monotonic() - started
            self.replies[len(self.now.attempts)] = said.replies
            gate = await self._judge(call.step, said)
            event = Answered(self._record(call, started, said, None, gate))
        self.running = None
        return event

    async def _streamed(self, call: Call, upstream: UpstreamCall) -> Completion:
        stream = self.owner.backend.stream(upstream)
        self.running = (call, self.owner.clock.monotonic(), stream)
        waiting: list[Chunk] = []
        if call.hold:
            self.delivery.hold()
        async for chunks in stream:
            if self.now.shown:
                if self.delivery.opened_blind:  # the last chunk must wait: it will be annotated
                    chunks = [*waiting, *chunks]
                    waiting = [chunks.pop()]
                await self.delivery.show(chunks)
                continue
            waiting.extend(chunks)
            if not any(chunk.content for chunk in chunks):
                continue
            if call.hold:
                self.delivery.held()
            else:  # lifecycle frames waited for the first content, so that failures stay unseen
                self.now, _ = advance(self.now, Shown())
                self.delivery.open(call.step.deployment)
                rest = [waiting.pop()] if self.delivery.opened_blind else []
                await self.delivery.show(waiting)
                waiting = rest
        self.kept[len(self.now.attempts)] = waiting
        return stream.completion()

    def _record(
        self,
        call: Call,
        started: float,
        said: Completion | None,
        failure: Failure | None,
        gate: GateResult | None = None,
    ) -> Attempt:
        deployment = self.owner.deployments[call.step.deployment]
        usage = said.usage if said else None
        if said is None and failure is not None and failure.kind not in _FREE:
            estimate = self.features.prompt_tokens_estimate
            usage = Usage(prompt_tokens=estimate, source="estimated")
        attempt = Attempt(
            step=call.index,
            deployment=deployment.name,
            model=said.model if said else None,
            started_ms=round((started - self.asked.arrived) * 1000),
            first_token_ms=said.first_token_ms if said else None,
            total_ms=round((self.owner.clock.monotonic() - started) * 1000),
            failure=failure,
            usage=usage,
            cost_usd_picos=cost_usd_picos(usage, deployment.price) if usage else 0,
            finish_reason=said.replies[0].finish_reason if said and said.replies else None,
            response_id=said.response_id if said else None,
            gate=gate,
        )
        self.owner.arms.observe(attempt)
        return attempt

    async def _judge(self, step: Step, said: Completion) -> GateResult | None:
        if step.gate is None:
            return None
        target = self.asked.target
        chosen = [item for item in target.verifiers if item.name in step.checks]
        return judge(
            target.gates[step.gate],
            said.replies,
            await _checked(chosen, said.replies),
            completion_tokens=_visible_tokens(said.usage),
            choices=self.request.choices,
        )

    # The end

    async def _conclude(self, effect: Effect) -> None:
        self.delivery.quiet()
        match effect:
            case Deliver(index):
                await self._deliver(index)
            case Refuse(failure):
                error = refusal(self.decision.route, failure, self.now.attempts, self.trace)
                status: EndStatus = "refused" if failure.kind == "client_error" else "failed"
                self._give_up(error, status)
            case Break(failure):
                deployment = self.now.attempts[-1].deployment
                self._give_up(breakage(deployment, failure, self.trace), "cut")

    async def _deliver(self, index: int) -> None:
        attempt, kept = self.now.attempts[index], self.kept[index]
        await self._record_verified(index)
        if isinstance(kept, Completion):
            body: bytes | None = kept.body
            self.delivery.first_byte_ms = self._elapsed_ms()
        else:
            self.delivery.open(attempt.deployment)
            if self.delivery.opened_blind and kept:
                kept[-1] = self._annotated(kept[-1], attempt)
            await self.delivery.show(kept)
            body = self.delivery.body
        self._end("delivered", 200, delivered=index, body=body)
        if self.owner.wait_for_disk:
            await self.owner.journal.durable()
        if isinstance(kept, Completion):
            self.delivery.whole(attempt.deployment, kept.body)
        else:
            self.delivery.close_stream()

    def _give_up(self, error: PointsmanError, status: EndStatus) -> None:
        code = 200 if self.delivery.opened else error.status
        self._end(status, code, error=error.reported_code, body=self.delivery.body)
        self.delivery.fail(error)

    def _vanish(self) -> None:
        """The client is gone: the engine stops, and what was spent is still counted."""
        if self.running is not None and not self.now.ended:
            call, started, stream = self.running
            said = None
            if stream is not None:
                stream.abort()
                said = stream.completion()
            gone = Failure(kind="cancelled", detail="the client went away")
            attempt = self._record(call, started, said, gone)
            self.now, _ = advance(self.now, Vanished(attempt))
        self._end("cancelled", 499, body=self.delivery.body)

    async def _record_verified(self, index: int) -> None:
        """The task's own checks on the delivered answer, as an outcome of the trace."""
        verifiers = self.asked.target.verifiers
        if not verifiers:
            return
        gate = self.now.attempts[index].gate
        results: tuple[CheckResult, ...] = gate.checks if gate else ()
        if {result.check for result in results} != {item.name for item in verifiers}:
            groups = await _checked(verifiers, self.replies[index])
            results = tuple(result for group in groups for result in group)
        self.verified = verified_word(results)
        self.scribe.verified(self.owner.clock, results)

    def _end(
        self,
        status: EndStatus,
        http_status: int,
        *,
        delivered: int | None = None,
        error: str | None = None,
        body: bytes | None = None,
    ) -> None:
        """Write the end, unless it is written. Raises: JournalUnavailable."""
        if self.scribe.ended:
            return
        total_s = self.owner.clock.monotonic() - self.asked.arrived
        attempts = self.now.attempts
        end = End(
            trace=self.trace,
            at_us=self.owner.clock.now_us(),
            status=status,
            http_status=http_status,
            attempts=attempts,
            delivered=delivered,
            cost_usd_picos=sum(attempt.cost_usd_picos for attempt in attempts),
            first_byte_ms=self.delivery.first_byte_ms,
            held_ms=self.delivery.held_ms,
            total_ms=round(total_s * 1000),
            overhead_us=max(0, round((total_s - self.upstream_s) * 1e6)),
            error=error,
        )
        admission, end = self.scribe.end(end, body)
        self.owner.ended(admission, end)

    def _elapsed_ms(self) -> int:
        return round((self.owner.clock.monotonic() - self.asked.arrived) * 1000)

    def _headers(self, deployment: str | None) -> Headers:
        trace = self.trace.encode()
        headers = [
            (b"x-request-id", trace),
            (b"x-pointsman-trace", trace),
            (b"x-pointsman-config", self.owner.config.encode()),
        ]
        if self.prompt is not None:
            headers.append((b"x-pointsman-prompt", self.prompt.reference.encode()))
        if self.verified is not None:
            headers.append((b"x-pointsman-verified", self.verified.encode()))
        if deployment is not None:
            headers.append((b"x-pointsman-deployment", deployment.encode()))
            # an attempt that is still running counts
            count = len(self.now.attempts) + (self.running is not None)
            headers.append((b"x-pointsman-attempts", b"%d" % count))
        return headers

    def _annotated(self, chunk: Chunk, attempt: Attempt) -> Chunk:
        """The last chunk of a stream whose head left early tells what the head could not."""
        attempts = self.now.attempts
        told = {
            "trace": self.trace,
            "deployment": attempt.deployment,
            "attempts": len(attempts),
            "cost_usd": usd(sum(item.cost_usd_picos for item in attempts)),
        }
        return Chunk(data=annotate(chunk.data, told), content=chunk.content)


def verified_word(results: Sequence[CheckResult]) -> str:
    """What a client is told of the task's checks: `true`, `false` or `unjudged`."""
    statuses = {result.status for result in results}
    return "false" if "found" in statuses else "unjudged" if "unjudged" in statuses else "true"


def _visible_tokens(usage: Usage | None) -> int:
    """Those that a client sees, and that logprobs are given for."""
    return usage.completion_tokens - usage.reasoning_tokens if usage else 0


async def _checked(
    verifiers: Sequence[Verifier], replies: Sequence[Reply]
) -> list[tuple[CheckResult, ...]]:
    """The check results of each reply; a long answer is checked off the loop, where it may take
    half a second without keeping other requests waiting."""
    if not verifiers:
        return [() for _ in replies]
    chars = sum(
        len(reply.content) + sum(len(call.arguments) for call in reply.tool_calls)
        for reply in replies
    )
    if chars <= _CHECKED_INLINE_CHARS:
        return [run_verifiers(verifiers, reply) for reply in replies]
    return await asyncio.to_thread(lambda: [run_verifiers(verifiers, reply) for reply in replies])
