"""What a condition may know of a request: everything an evaluation depends on but the texts."""

from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any

import msgspec

from pointsman.domain.policies import PolicyMode, ScopeSpec


class Facts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who asks what, when. With the same facts and judgements a verdict is the same."""

    tenant: str = "default"
    principal: str = ""
    team: str = ""
    task: str = ""
    route: str = ""
    model: str = ""  # as the client named it
    surface: str = "chat"
    stream: bool = False
    day: str = "1970-01-01"  # UTC
    unit: str = ""  # what a canary draws by: the session, else the trace

    def env(self) -> dict[str, Any]:
        """As conditions read them."""
        return {
            "tenant": self.tenant,
            "principal": {"name": self.principal, "team": self.team},
            "task": self.task,
            "route": self.route,
            "model": self.model,
            "surface": self.surface,
            "stream": self.stream,
            "day": self.day,
        }


def in_scope(scope: ScopeSpec, facts: Facts) -> bool:
    """Whether a policy is for these requests."""
    return all(
        not patterns or any(fnmatchcase(word, pattern) for pattern in patterns)
        for word, patterns in (
            (facts.tenant, scope.tenants),
            (facts.team, scope.teams),
            (facts.task, scope.tasks),
            (facts.route, scope.routes),
            (facts.model, scope.models),
            (facts.surface, scope.surfaces),
        )
    )


def enforced(mode: PolicyMode, unit: str) -> bool:
    """Whether verdicts count for this unit: for a canary, the same answer for the same unit."""
    if mode.kind != "canary":
        return mode.kind == "enforce"
    drawn = int.from_bytes(sha256(f"{mode.seed}\0{unit}".encode()).digest()[:8])
    return drawn < mode.percent / 100 * 2**64
