"""What scorers may use that does I/O: the sandbox, embeddings, models that judge, policies."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pointsman.domain.errors import ConfigurationError
from pointsman.domain.evaluations import Answered, Subject
from pointsman.domain.policies import PolicyBinding, PolicySpec, ScopeSpec
from pointsman.domain.ports import Answerer, CodeRun
from pointsman.evaluating.sandbox import sandbox
from pointsman.governing.governor import Governor
from pointsman.governing.testing import governor_of
from pointsman.policy.facts import Facts
from pointsman.policy.registry import Registry

_TIMEOUT_S = 120.0  # of a judge, of embeddings


class OwnMeans:
    """Implements the port `Means` over an answerer; programs run as many at once as processors."""

    def __init__(
        self,
        answerer: Answerer,
        *,
        policies: Sequence[PolicyBinding] = (),
        registry: Registry | None = None,
        day: str,
    ) -> None:
        """Args: day is today, YYYY-MM-DD: policies may have rules until a day."""
        self._answerer = answerer
        self._policies = {spec.id: spec for each in policies for spec in each.policies}
        self._registry = registry
        self._governors: dict[str, Governor] = {}
        self._day = day
        self._places = asyncio.Semaphore(max(1, os.cpu_count() or 1))

    async def run_code(
        self, files: Mapping[str, str], command: Sequence[str], *, limits: Mapping[str, float]
    ) -> CodeRun:
        """A program in the sandbox. Raises: ExtraMissing where there is none here."""
        closed = await asyncio.to_thread(sandbox)
        async with self._places:
            return await closed.run(files, command, limits=limits)

    async def embed(self, texts: Sequence[str], *, model: str) -> Sequence[Sequence[float]]:
        """One vector for each text. Raises: PointsmanError."""
        return await self._answerer.embed(texts, model=model, timeout_s=_TIMEOUT_S)

    async def ask(self, request: Mapping[str, Any], *, session: str) -> Answered:
        """One answer of the model that the request names."""
        model = str(request.get("model", ""))
        subject = Subject(kind="deployment", name=model, asks=model)
        return await self._answerer.ask(request, subject, session=session, timeout_s=_TIMEOUT_S)

    def judge_by_policy(self, texts: Sequence[str], *, policy: str) -> tuple[str, str]:
        """The verdict of a policy on texts of an answer, whatever its mode, and which rules fired.

        Raises: ConfigurationError where there is no such policy.
        """
        governor = self._governors.get(policy)
        if governor is None:
            everywhere = msgspec.structs.replace(self._spec(policy), scope=ScopeSpec())
            governor = self._governors[policy] = governor_of([everywhere], self._registry)
        facts = Facts(day=self._day)
        rules = governor.rules(facts)
        choices = [
            {"index": index, "message": {"role": "assistant", "content": text}}
            for index, text in enumerate(texts)
        ]
        body = msgspec.json.encode({"object": "chat.completion", "choices": choices})
        decided = governor.answer(rules.outbound, facts, body).decided
        return decided.verdict, "" if decided.verdict == "allow" else decided.why

    def _spec(self, policy: str) -> PolicySpec:
        spec = self._policies.get(policy)
        if spec is None:
            known = ", ".join(self._policies) or "none"
            raise ConfigurationError(
                f"there is no policy {policy[:64]!r}", next=f"the configuration has: {known}"
            )
        return spec
