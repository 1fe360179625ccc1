"""Makes one request happen: calls, judges, delivers, writes down.

What happens next is decided in machine.py, what is good enough in routing, how it looks to the
client in the sink; here is only the order of it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from pointsman.answering.access import Accesses
from pointsman.answering.asked import Asked, Clock
from pointsman.answering.delivery import Delivery, annotate
from pointsman.answering.holding import held_told, put_before_people, whole_of
from pointsman.answering.learning import Learner, Thought
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
from pointsman.answering.refusal import breakage, refusal, unasked
from pointsman.answering.remote_files import names_files, with_files
from pointsman.answering.scribe import Scribe
from pointsman.answering.sink import Headers, Sink
from pointsman.answering.subjects import Subjects
from pointsman.answering.visit import Visit
from pointsman.answering.watch import Watch
from pointsman.domain.errors import (
    AnswerHeld,
    JournalUnavailable,
    PointsmanError,
    PolicyBlocked,
    StateUnavailable,
)
from pointsman.domain.ids import trace_id
from pointsman.domain.limits import Bounds, Need
from pointsman.domain.messages import Reply
from pointsman.domain.money import Usage, cost_usd_picos, usd
from pointsman.domain.plan import Decision, Step
from pointsman.domain.portfolio import Deployment
from pointsman.domain.ports import (
    Admittance,
    AnswerStream,
    AttemptFailed,
    Backend,
    Chunk,
    Completion,
    Holds,
    Journal,
    Media,
    SubjectKey,
    UpstreamCall,
)
from pointsman.domain.records import Admission, Attempt, BodyRef, End, EndStatus, Failure
from pointsman.domain.subjects import subject_of
from pointsman.domain.task import MediaSettings, PromptVersion
from pointsman.domain.tracing import Parent, onward
from pointsman.domain.verdict import CheckResult, GateResult
from pointsman.governing.answers import texts_of_answer
from pointsman.governing.governor import Governor
from pointsman.governing.held import chunks_of
from pointsman.governing.screen import Screen
from pointsman.limits.bounding import need_of, tokens_of
from pointsman.policy.evaluating import Decided
from pointsman.prompts.rendering import render
from pointsman.routing.arms import Arms
from pointsman.routing.features import features_of
from pointsman.routing.gate import judge
from pointsman.routing.planner import decide
from pointsman.routing.turns import Who
from pointsman.verifiers import Verifier, run_verifiers

# Failures before which the engine surely did nothing that costs.
_FREE = frozenset({"refused", "connect_timeout", "busy", "circuit_open", "engine_down",
                   "rate_limited", "client_error", "server_error"})  # fmt: skip
_UNKNOWN = Failure(kind="cancelled")  # how a call ended that was given up, or met with a bug
# Checking 16 KiB takes well under a millisecond for ordinary schemas and patterns.
_CHECKED_INLINE_CHARS = 16 * 1024


# Told of every ended request, what its task's checks say of it, and the client's own trace.
Ended = Callable[[Admission, End, str | None, Parent | None], None]


@dataclass(frozen=True, slots=True)
class Answering:
    """Everything a request needs, wired once."""

    config: str  # digest
    deployments: Mapping[str, Deployment]
    backend: Backend
    journal: Journal
    arms: Arms
    accesses: Accesses
    clock: Clock
    ended: Ended
    request_timeout_s: float = 600.0
    keepalive_comment_s: float = 10.0
    wait_for_disk: bool = False
    subjects: Subjects | None = None  # None: no store of keys, bodies lie under none
    admittance: Admittance | None = None  # None: nothing is bounded
    learner: Learner | None = None  # None: no route learns
    spans: float | None = None  # share of requests whose spans are recorded; None: of none
    media: Media | None = None
    media_settings: MediaSettings = field(default_factory=MediaSettings)
    governor: Governor | None = None  # None: there are no policies
    holds: Holds | None = None  # None: nobody reviews here, what is held is blocked
    held_stream_s: float = 0.0

    async def answer(self, asked: Asked, sink: Sink) -> None:
        """Answer one request into the sink; exactly one End record follows its Admission.

        What it may cost is reserved before anything is asked or written down.
        Raises: RateLimited, BudgetExceeded, StateUnavailable where it is not let in;
            InvalidRequest where it names a file by URL that cannot be had;
            JournalUnavailable where the admission could not be written (nothing was asked,
            nothing told); CancelledError when the client went away.
        """
        key = None
        if self.subjects is not None:
            subject = subject_of(asked.subject, self.clock.now_us())
            key = self.subjects.known(asked.tenant, subject)
            if key is None:
                key = await self.subjects.key(asked.tenant, subject)
        if self.media_settings.urls != "forward" and names_files(asked.request):
            request = await with_files(asked.request, self.media, self.media_settings)
            asked = msgspec.structs.replace(asked, request=request)
        run = _Run(self, asked, sink, key)
        if asked.bounds is None or self.admittance is None:
            return await run.run()
        await run.run_within(asked.bounds, self.admittance)


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
        self.arms = asked.target.route.route.arms
        self.plain = asked.request  # as the policies let it go on, without a prompt of ours
        self.request = render(asked.request, self.prompt) if self.prompt else asked.request
        self.features = features_of(
            asked.request,
            task=task.name if task else None,
            tenant=asked.tenant,
            hour_utc=self.admitted_us // 3_600_000_000 % 24,
        )
        self.thought: Thought | None = None  # what a learned decision is taken on
        self.decision = self._decide()
        self.scribe = Scribe(owner.journal, owner.config, asked, self.trace, self.prompt, key)
        self.delivery = Delivery(sink, self._headers, self._elapsed_ms, owner.keepalive_comment_s)
        self.now, self.first = begin(self.decision.plan)
        self.kept: dict[int, Completion | list[Chunk]] = {}  # answers not shown, by attempt
        self.replies: dict[int, tuple[Reply, ...]] = {}
        self.said: dict[int, Completion] = {}  # where policies look, for people who might
        self.key = key
        self.running: tuple[Call, float, AnswerStream | None] | None = None
        self.visit: Visit | None = None  # of the latest attempt
        self.answered_by: Step | None = None  # the step whose answer the client gets
        self.upstream_s = 0.0
        self.screened_s = 0.0  # what policies took of the running stream
        self.delivering: int | None = None  # the attempt whose answer the client gets, at its end
        self.told: Sequence[tuple[bytes, bytes]] = ()  # to the client, of its rates
        self.verified: str | None = None  # of the delivered answer, once its checks have run
        self.watch: Watch | None = None
        if owner.governor is not None:
            self.watch = Watch(
                owner.governor,
                asked,
                clock,
                trace=self.trace,
                route=self.decision.route,
                at_us=self.admitted_us,
            )

    def _decide(self) -> Decision:
        owner, asked = self.owner, self.asked
        if owner.learner is not None and asked.target.route.route.learn is not None:
            thought = owner.learner.think(asked, self.features, now_us=self.admitted_us)
            self.thought = thought
        return decide(
            asked.target.route,
            self.features,
            task=asked.target.task,
            state=owner.arms.states,
            draw=owner.clock.draw(),
            unwell=owner.accesses.unwell(asked.arrived),
            learned=self.thought.learned if self.thought is not None else None,
        )

    async def run_within(self, bounds: Bounds, admittance: Admittance) -> None:
        """Reserve the most it can cost, answer, and settle what it did cost."""
        need, at_us = self._need(bounds), self.admitted_us
        reservation = admittance.at_once(bounds.scopes, need, at_us=at_us)
        if reservation is None:
            reservation = await admittance.admit(bounds.scopes, need, at_us=at_us)
        self.told = reservation.headers
        try:
            await self.run()
        finally:
            usages = [attempt.usage for attempt in self.now.attempts if attempt.usage]
            admittance.settle(
                reservation,
                usd_picos=sum(attempt.cost_usd_picos for attempt in self.now.attempts),
                tokens=sum(each.prompt_tokens + each.completion_tokens for each in usages),
            )

    def _need(self, bounds: Bounds) -> Need:
        plan, deployments = self.decision.plan, self.owner.deployments
        estimate = self.features.prompt_tokens_estimate
        if bounds.money:
            return need_of(
                self.asked.request,
                body_bytes=len(self.asked.body),
                prompt_bytes=self._prompt_bytes(),
                estimate=estimate,
                plan=plan,
                deployments=deployments,
            )
        if not bounds.tokens:
            return Need(0, 0)
        tokens = tokens_of(
            self.asked.request, estimate=estimate, plan=plan, deployments=deployments
        )
        return Need(tokens, 0)

    def _prompt_bytes(self) -> int:
        """Of the longest prompt that any step of the plan puts into the request."""
        prompts = [self._prompt_of(step) for step in self.decision.plan.steps]
        return max((len(each.system.encode()) for each in prompts if each), default=0)

    def _prompt_of(self, step: Step) -> PromptVersion | None:
        """The arm's, where its mode has one; else the task's."""
        arm = self.arms.get(step.arm) if step.arm is not None else None
        return arm.prompt if arm is not None and arm.prompt is not None else self.prompt

    async def run(self) -> None:
        blocked = None
        if self.watch is not None:
            if self.watch.asks:
                owner = self.owner
                await self.watch.ask_about_request(
                    self.asked.request, owner.backend, owner.deployments
                )
            blocked = self._blocked()
        self.scribe.admit(self.admitted_us, self.decision, self.features, self.watch)
        if self.owner.learner is not None and self.thought is not None:
            self.owner.learner.decided(
                self.trace, self.thought, self.decision, now_us=self.admitted_us
            )
        try:
            if blocked is not None:
                return self._give_up(blocked, "refused")
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
            self.delivery.let_go()

    def _blocked(self) -> PolicyBlocked | None:
        """The policies look at the request; what they take out of it, no engine sees."""
        assert self.watch is not None, "there are policies"
        try:
            self.plain = self.watch.request(self.asked.request)
        except PolicyBlocked as error:
            return error
        if self.plain is not self.asked.request:
            self.request = render(self.plain, self.prompt) if self.prompt else self.plain
        return None

    # One attempt

    async def _attempt(self, call: Call) -> Event:
        owner, clock, asked = self.owner, self.owner.clock, self.asked
        if call.after_s:
            self.upstream_s += call.after_s
            await asyncio.sleep(call.after_s)
        started = clock.monotonic()
        name, by = call.step.deployment, asked.arrived + owner.request_timeout_s
        access = owner.accesses.by_name[name]
        visit = self.visit = Visit(access, clock, started)
        self.running = (call, started, None)
        said: Completion | None = None
        failure: Failure | None = _UNKNOWN
        try:
            left = await visit.enter(
                Who(asked.tenant, asked.principal),
                by=by,
                forced=self._nothing_else(call) and access.deployment.breaker.last_resort,
                retry=call.retry > 0,
            )
            upstream = self._upstream(call.step, left)
            if self.request.stream:
                said = await self._streamed(call, upstream, started)
            else:
                said = await owner.backend.complete(upstream)
                number = len(self.now.attempts)
                if self.watch is not None and self.watch.asks:
                    texts = list(texts_of_answer(said.body))
                    await self.watch.ask_about_answer(texts, owner.backend, owner.deployments)
                self.kept[number] = self.watch.answer(number, said) if self.watch else said
            failure = None
        except AttemptFailed as error:
            said, failure = error.said, error.failure
        finally:
            ended = clock.monotonic()
            self.upstream_s += ended - started
            visit.leave(failure, ended)
        if failure is None:
            assert said is not None, "what did not fail has said something"
            self.replies[len(self.now.attempts)] = said.replies
            if self.watch is not None:
                self.said[len(self.now.attempts)] = said
            gate = await self._judge(call.step, said)
            if self.watch is not None:
                gate = self.watch.gate(len(self.now.attempts), gate)
            event: Event = Answered(self._record(call, started, said, None, gate))
        else:
            again_in_s = None
            if not self.now.shown and call.index + 1 == len(self.now.plan.steps):
                again_in_s = access.retry_in_s(
                    failure, retries=call.retry, left_s=by - ended, now=ended, draw=clock.draw()
                )
            event = Failed(self._record(call, started, said, failure), again_in_s)
        self.running = None
        return event

    def _upstream(self, step: Step, left_s: float) -> UpstreamCall:
        owner, asked = self.owner, self.asked
        upstream = UpstreamCall(
            deployment=owner.deployments[step.deployment],
            request=self.request,
            deadline_s=left_s,
            logprobs=asked.target.asks_logprobs(step.gate),
            thinking=self.thinking,
            lines=()
            if asked.parent is None and owner.spans is None
            else onward(self.trace, asked.parent, len(self.now.attempts), share=owner.spans),
        )
        arm = self.arms.get(step.arm) if step.arm is not None else None
        if arm is None:
            return upstream
        return msgspec.structs.replace(
            upstream,
            request=self.request if arm.prompt is None else render(self.plain, arm.prompt),
            thinking=arm.thinking or self.thinking,
            thinking_tokens=arm.thinking_tokens,
            fields=arm.fields,
        )

    def _nothing_else(self, call: Call) -> bool:
        """Whether the request has no answer, and no other step to get one from."""
        return call.index + 1 == len(self.now.plan.steps) and self.now.best is None

    async def _streamed(self, call: Call, upstream: UpstreamCall, started: float) -> Completion:
        stream = self.owner.backend.stream(upstream)
        self.running = (call, started, stream)
        screen = self.watch.screen() if self.watch is not None else None
        waiting: list[Chunk] = []
        if call.hold or (screen is not None and screen.whole):
            self.delivery.hold()
        source = stream if screen is None else self._screened(screen, stream)
        async for chunks in source:
            if self.now.shown:
                if self.delivery.opened_blind:  # the last chunk must wait: it will be annotated
                    chunks = [*waiting, *chunks]
                    waiting = [chunks.pop()]
                if (slow := self.delivery.show(chunks)) is not None:
                    await slow
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
                if (slow := self.delivery.show(waiting)) is not None:
                    await slow
                waiting = rest
                if screen is None and not rest:  # nothing looks at what follows
                    stream.pass_on(self.delivery.show)
        if screen is not None:
            assert self.watch is not None, "what is screened is watched"
            if self.watch.asks:
                owner = self.owner
                await self.watch.ask_about_answer(screen.texts(), owner.backend, owner.deployments)
            waiting += self._rest_of(screen)
        self.kept[len(self.now.attempts)] = waiting
        return stream.completion()

    async def _screened(self, screen: Screen, stream: AnswerStream) -> AsyncIterator[list[Chunk]]:
        """What the policies let go on; where they stop it, the engine stops as well."""
        clock = self.owner.clock
        self.screened_s = 0.0
        async for chunks in stream:
            began = clock.monotonic()
            passed = screen.push(chunks)
            self.screened_s += clock.monotonic() - began
            if screen.whole and any(chunk.content for chunk in chunks):
                self.delivery.held()
            if passed:
                yield passed
            if screen.stopped:
                stream.abort()
                return

    def _rest_of(self, screen: Screen) -> list[Chunk]:
        """What the policies kept back until the end, as their verdict leaves it."""
        assert self.watch is not None, "there are policies"
        began = self.owner.clock.monotonic()
        rest = screen.end()
        took_s = self.screened_s + self.owner.clock.monotonic() - began
        self.watch.streamed(len(self.now.attempts), screen, round(took_s * 1e6))
        return rest

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
        visit = self.visit
        called = visit is not None and visit.began is not None
        if called and said is None and failure is not None and failure.kind not in _FREE:
            estimate = self.features.prompt_tokens_estimate
            usage = Usage(prompt_tokens=estimate, source="estimated")
        queued_ms = round(visit.queued_s * 1000) if visit is not None else 0
        attempt = Attempt(
            step=call.index,
            deployment=deployment.name,
            arm=call.step.arm,
            model=said.model if said else None,
            started_ms=round((started - self.asked.arrived) * 1000),
            queued_ms=queued_ms,
            first_token_ms=queued_ms + said.first_token_ms if said else None,
            total_ms=round((self.owner.clock.monotonic() - started) * 1000),
            failure=failure,
            usage=usage,
            cost_usd_picos=cost_usd_picos(usage, deployment.price) if usage else 0,
            finish_reason=said.replies[0].finish_reason if said and said.replies else None,
            response_id=said.response_id if said else None,
            gate=gate,
            policy=self.watch.outbound.get(len(self.now.attempts)) if self.watch else None,
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
                error = self._refusal(failure)
                status: EndStatus = "refused" if failure.kind == "client_error" else "failed"
                self._give_up(error, status)
            case Break(failure):
                deployment = self.now.attempts[-1].deployment
                self._give_up(breakage(deployment, failure, self.trace), "cut")

    def _refusal(self, failure: Failure) -> PointsmanError:
        if not self.now.attempts:
            return unasked(self.decision, self.trace)
        return refusal(self.decision.route, failure, self.now.attempts, self.trace)

    async def _deliver(self, index: int) -> None:
        attempt, kept = self.now.attempts[index], self.kept[index]
        self.answered_by = self.decision.plan.steps[attempt.step]
        self.delivering = index
        withheld = self.watch is not None and self.watch.withheld(index)
        if withheld and self.owner.holds is not None and not self.now.shown:
            assert self.watch is not None, "what is withheld was watched"
            decided = self.watch.holds(index)
            if decided is not None and await self._hold(index, decided, self.owner.holds):
                return
        if not withheld:  # nobody reads what was checked
            await self._record_verified(index)
        if isinstance(kept, Completion):
            body: bytes | None = kept.body
            self.delivery.first_byte_ms = self._elapsed_ms()
        else:
            self.delivery.open(attempt.deployment)
            if self.delivery.opened_blind and kept:
                kept[-1] = self._annotated(kept[-1], attempt)
            if (slow := self.delivery.show(kept)) is not None:
                await slow
            body = self.delivery.body
        if withheld:
            self._end("refused", 200, error=PolicyBlocked.code, body=body, answered=index)
        else:
            self._end("delivered", 200, delivered=index, body=body)
        if self.owner.wait_for_disk:
            await self.owner.journal.durable()
        if isinstance(kept, Completion):
            self.delivery.whole(attempt.deployment, kept.body)
        else:
            self.delivery.close_stream()

    async def _hold(self, index: int, decided: Decided, holds: Holds) -> bool:
        """Have people look at an answer; False where it cannot be kept for them: it is blocked."""
        assert self.watch is not None, "what is held was watched"
        clock, request, said = self.owner.clock, self.request, self.said[index]
        created = clock.now_us() // 1_000_000
        body = self.watch.reviewable(index, lambda: whole_of(said, request.operation, created))
        try:
            held = await put_before_people(
                holds, self.asked, decided, body, trace=self.trace, clock=clock, key=self.key
            )
        except StateUnavailable:
            return False
        if request.stream and self.owner.held_stream_s > 0:
            self.delivery.hold()
            held, approved = await holds.decided(held.id, within_s=self.owner.held_stream_s)
            self.delivery.quiet()
            if approved is not None:
                await self._deliver_approved(index, approved)
                return True
            if held.status_at(clock.now_us()) != "waiting":
                self._give_up(
                    PolicyBlocked("people looked at this answer, and it is not delivered"),
                    "refused",
                )
                return True
        self._end("refused", 202, error=AnswerHeld.code, answered=index)
        self.delivery.wait_for_people(held_told(held))
        return True

    async def _deliver_approved(self, index: int, body: bytes) -> None:
        """A stream of what people let go."""
        attempt = self.now.attempts[index]
        self.delivery.open(attempt.deployment)
        data = chunks_of(body, usage=self.request.include_usage)
        chunks = [Chunk(data=each, content=True) for each in data]
        if self.delivery.opened_blind and chunks:
            chunks[-1] = self._annotated(chunks[-1], attempt)
        if (slow := self.delivery.show(chunks)) is not None:
            await slow
        self._end("delivered", 200, delivered=index, body=self.delivery.body)
        if self.owner.wait_for_disk:
            await self.owner.journal.durable()
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
        answered: int | None = None,
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
            cost_usd_picos=sum([attempt.cost_usd_picos for attempt in attempts]),
            first_byte_ms=self.delivery.first_byte_ms,
            held_ms=self.delivery.held_ms,
            total_ms=round(total_s * 1000),
            overhead_us=max(0, round((total_s - self.upstream_s) * 1e6)),
            error=error,
            response=self._kept_answer(body, answered if delivered is None else delivered),
        )
        admission = self.scribe.end(end)
        self.owner.ended(admission, end, self.verified, self.asked.parent)

    def _kept_answer(self, body: bytes | None, attempt: int | None) -> BodyRef | None:
        """Where what was shown is kept, as much of it as the task and the policies let be kept."""
        if self.watch is None or attempt is None:
            return self.scribe.answer(body)
        return self.scribe.answer(body, self.watch, self.watch.outbound.get(attempt))

    def _elapsed_ms(self) -> int:
        return round((self.owner.clock.monotonic() - self.asked.arrived) * 1000)

    def _headers(self, deployment: str | None) -> Headers:
        trace = self.trace.encode()
        headers = [
            (b"x-pointsman-trace", trace),
            (b"x-pointsman-config", self.owner.config.encode()),
        ]
        if not self.asked.named:
            headers.append((b"x-request-id", trace))
        headers += self.told
        step = self.answered_by
        prompt = self.prompt if step is None else self._prompt_of(step)
        if prompt is not None:
            headers.append((b"x-pointsman-prompt", prompt.reference.encode()))
        if step is not None and step.arm is not None:
            headers.append((b"x-pointsman-arm", step.arm.encode()))
        if self.watch is not None:
            verdict = self.watch.verdict(self.delivering)
            if verdict is not None:
                headers.append((b"x-pointsman-policy", verdict.encode()))
        if self.verified is not None:
            headers.append((b"x-pointsman-verified", self.verified.encode()))
        if deployment is not None:
            headers.append((b"x-pointsman-deployment", deployment.encode()))
            # an attempt that is still running counts
            count = len(self.now.attempts) + (self.running is not None)
            headers.append((b"x-pointsman-attempts", b"%d" % count))
            if self.running is None:  # what a stream costs is not known at its head
                cost = sum([attempt.cost_usd_picos for attempt in self.now.attempts])
                headers.append((b"x-pointsman-cost-usd-picos", b"%d" % cost))
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
