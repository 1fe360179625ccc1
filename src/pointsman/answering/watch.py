"""The policies over one request, as its shell asks them: before anybody is, and before anyone sees.

What follows is decided in `governing`; here is when it is asked, and what that took.
"""

from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from pointsman.answering.asked import Asked, Clock
from pointsman.answering.guarding import ask_guards
from pointsman.domain.errors import PolicyBlocked
from pointsman.domain.messages import WRITING, ModelRequest
from pointsman.domain.portfolio import Deployment
from pointsman.domain.ports import Backend, Completion
from pointsman.domain.records import Capture
from pointsman.domain.verdict import GateResult, Screening
from pointsman.governing.governor import Governor, Rules, reviewable
from pointsman.governing.guards import forget
from pointsman.governing.requests import Text, texts_of
from pointsman.governing.screen import Screen
from pointsman.policy.days import day_of
from pointsman.policy.evaluating import Decided
from pointsman.policy.facts import Facts
from pointsman.policy.obligations import narrowest
from pointsman.policy.verdicts import severity

_STOPS = ("escalate", "hold", "block")  # where nothing of an answer is delivered


class Watch:
    """One request under the policies that are for it."""

    def __init__(
        self, governor: Governor, asked: Asked, clock: Clock, *, trace: str, route: str, at_us: int
    ) -> None:
        self._governor = governor
        self._clock = clock
        self._trace = trace
        task = asked.target.task
        self.facts = Facts(
            tenant=asked.tenant,
            principal=asked.principal,
            team=asked.team or "",
            task=task.name if task else "",
            route=route,
            model=asked.request.model,
            surface=asked.surface,
            stream=asked.request.stream,
            day=day_of(at_us),
            unit=asked.session or trace,
        )
        self._rules: Rules = governor.rules(self.facts)
        self._writes = asked.request.operation in WRITING
        self.inbound: Screening | None = None
        self.outbound: dict[int, Screening] = {}  # by attempt
        self._decided: dict[int, Decided] = {}
        self._whole: dict[int, bytes] = {}  # answers that are held, as their engines gave them
        self._escalated = 0
        self._asked_of = ""

    @property
    def asks(self) -> bool:
        """Whether some model has to be asked before policies can judge."""
        return self._rules.asks

    async def ask_about_request(
        self, request: ModelRequest, backend: Backend, deployments: Mapping[str, Deployment]
    ) -> None:
        """Have guards look at a request."""
        forget()
        texts = list(texts_of(request))
        self._asked_of = _last_words(request)
        await ask_guards(
            self._rules.inbound, texts, backend=backend, deployments=deployments, before=None
        )

    async def ask_about_answer(
        self, texts: Sequence[Text], backend: Backend, deployments: Mapping[str, Deployment]
    ) -> None:
        """Have guards look at what a model said."""
        await ask_guards(
            self._rules.outbound, texts, backend=backend, deployments=deployments,
            before=self._asked_of,
        )  # fmt: skip

    def request(self, request: ModelRequest) -> ModelRequest:
        """The request as it may go on. Raises: PolicyBlocked, with `inbound` set."""
        if not self._rules.inbound:
            return request
        began = self._clock.monotonic()
        found = self._governor.request(self._rules.inbound, self.facts, request)
        self.inbound = replace(found.screening, took_us=self._since(began))
        if severity(found.decided.verdict) >= severity("rewrite"):
            raise self._refusal(found.decided)
        return found.request

    def screen(self) -> Screen | None:
        """What the chunks of a stream go through; None where nothing looks at them."""
        if not (self._rules.outbound and self._writes):
            return None
        ahead = self._governor.outlook(self.facts)
        return Screen(self._rules.outbound, self.facts, ahead, self._governor.compiled)

    def answer(self, attempt: int, said: Completion) -> Completion:
        """A whole answer as it may be delivered."""
        if not (self._rules.outbound and self._writes):
            return said
        began = self._clock.monotonic()
        found = self._governor.answer(self._rules.outbound, self.facts, said.body)
        self._decided[attempt] = found.decided
        if self.holds(attempt) is not None:
            self._whole[attempt] = said.body
        self.outbound[attempt] = replace(found.screening, took_us=self._since(began))
        return said if found.body is said.body else replace(said, body=found.body)

    def streamed(self, attempt: int, screen: Screen, took_us: int) -> None:
        """A stream came to its end, or was brought to it."""
        assert screen.decided is not None, "a stream is judged at its end"
        self._decided[attempt] = screen.decided
        self.outbound[attempt] = screen.screening(took_us=took_us)

    def gate(self, attempt: int, gate: GateResult | None) -> GateResult | None:
        """The gate's result, or an escalation that a policy wants and its bound allows."""
        decided = self._decided.get(attempt)
        if decided is None or decided.verdict != "escalate" or decided.escalate is None:
            return gate
        if self._escalated >= decided.escalate.most:
            return gate
        self._escalated += 1
        checks = gate.checks if gate else ()
        return GateResult(verdict="escalate", reason=f"policy {decided.why}", checks=checks)

    def withheld(self, attempt: int) -> bool:
        """Whether nothing of an answer may be delivered, or no more than was."""
        decided = self._decided.get(attempt)
        return decided is not None and decided.verdict in _STOPS

    def holds(self, attempt: int) -> Decided | None:
        """The decision to hold an answer, where that is what follows for it."""
        decided = self._decided.get(attempt)
        if decided is None:
            return None
        held = decided.verdict == "hold" or (
            decided.verdict == "escalate"
            and decided.escalate is not None
            and decided.escalate.otherwise == "hold"
        )
        return decided if held else None

    def reviewable(self, attempt: int, made: Callable[[], bytes]) -> bytes:
        """A held answer as people may let it go. Args: made gives a stream's as one body."""
        body = self._whole.get(attempt) or made()
        return reviewable(self._rules.outbound, self.facts, body)

    def verdict(self, attempt: int | None) -> str | None:
        """What the client is told of the answer, or else of the request."""
        said = self.outbound.get(attempt) if attempt is not None else None
        verdicts = [each.verdict for each in (said, self.inbound) if each is not None]
        worst = max(verdicts, key=severity, default="allow")
        return None if worst == "allow" else worst

    def capture(self, own: Capture, inbound: Screening | None) -> Capture:
        """The most that may be kept of the request: of one that policies changed or stopped, its
        shape."""
        if inbound is None:
            return own
        changed = severity(inbound.verdict) >= severity("redact")
        shape: tuple[Capture, ...] = ("redacted",) if changed else ()
        return self.narrowed(narrowest(own, shape), inbound)

    def narrowed(self, own: Capture, said: Screening) -> Capture:
        """The same, by what the rules oblige to."""
        return narrowest(own, said.obligations.get("capture", ()))

    def _refusal(self, decided: Decided) -> PolicyBlocked:
        policy = decided.why.split(":")[0]
        held = decided.verdict == "hold"
        return PolicyBlocked(
            f"the policy {policy!r} lets this request go no further",
            why="requests are not reviewed here, only answers" if held else "",
            next=f"pointsman trace show {self._trace}",
        )

    def _since(self, began: float) -> int:
        return round((self._clock.monotonic() - began) * 1e6)


def _last_words(request: ModelRequest) -> str:
    """What a person wrote last, for a guard that judges an answer to it."""
    for message in reversed(request.messages):
        if message.role == "user":
            if isinstance(message.content, str):
                return message.content
            parts = message.content or []
            return "\n".join(part["text"] for part in parts if isinstance(part.get("text"), str))
    return ""
