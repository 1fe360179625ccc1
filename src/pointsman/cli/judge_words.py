"""What the verbs of `pointsman judge` share: the judge that is meant, a number with its doubt."""

from typing import TYPE_CHECKING

from pointsman.domain.errors import UsageError

if TYPE_CHECKING:
    from pointsman.client import Workspace
    from pointsman.domain.judges import JudgeSpec
    from pointsman.stats.estimate import Estimate


def judge_of(workspace: "Workspace", name: str) -> "JudgeSpec":
    """The judge of that name in the configuration. Raises: UsageError."""
    spec = workspace.config.judges.get(name)
    if spec is None:
        known = ", ".join(workspace.config.judges) or "none"
        raise UsageError(f"no judge {name!r}", next=f"judges of the configuration: {known}")
    return spec


def number(estimate: "Estimate") -> str:
    """A number with its interval, as text."""
    if estimate.value is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.2f}"
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
