"""Taking a recorded decision again, from its record alone: is it the same, or is it erased."""

from typing import Any, Literal

import msgspec

from pointsman.answering.targets import Targets
from pointsman.domain.errors import NotFound
from pointsman.domain.messages import Features
from pointsman.domain.plan import Decision
from pointsman.domain.records import Admission
from pointsman.domain.task import Configuration
from pointsman.routing.planner import decide


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """A decision beside the one that its record gives now."""

    trace: str
    status: Literal["same", "different", "erased", "not kept", "unknown configuration"]
    recorded: Decision
    recomputed: Decision | None = None


def replay(admission: Admission, features: Features | None, configuration: str | None) -> Replay:
    """The decision of a request, taken again as it was then.

    Args: features as they lie beside the request's body, None where they are gone; configuration
        is the JSON text of the one in force then.
    Returns: `erased` where they are gone, never a decision taken on something else.
    """

    def told(
        status: Literal["same", "different", "erased", "not kept", "unknown configuration"],
        recomputed: Decision | None = None,
    ) -> Replay:
        return Replay(
            trace=admission.trace,
            status=status,
            recorded=admission.decision,
            recomputed=recomputed,
        )

    if features is None:
        return told("erased" if admission.request.pack is not None else "not kept")
    if configuration is None:
        return told("unknown configuration")
    try:
        target = Targets(_configuration(configuration)).resolve(admission.asked)
    except (NotFound, msgspec.ValidationError):
        return told("unknown configuration")
    recorded = admission.decision
    again = decide(
        target.route,
        features,
        task=target.task,
        state={arm.name: arm for arm in recorded.state},
        draw=recorded.draw,
        unwell={each.deployment: each for each in recorded.unwell},
        learned=recorded.learned,
    )
    return told("same" if again == recorded else "different", again)


def _configuration(text: str) -> Configuration:
    """The configuration of a record, which holds no key; none is needed to decide."""
    said: dict[str, Any] = msgspec.json.decode(text)
    said["keys"] = []
    config: Configuration = msgspec.convert(said, Configuration)
    return config
