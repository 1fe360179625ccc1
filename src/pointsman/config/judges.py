"""Judges: their rubric read, who is asked; and what of a task's traffic they look at."""

from collections.abc import Mapping

import msgspec

from pointsman.config.schema import RawJudge, RawTask
from pointsman.config.scope import Place, Scope
from pointsman.config.targets import resolve_target
from pointsman.domain.judges import JudgeSpec
from pointsman.domain.task import OnlineSettings

_OURS = ("model", "messages", "response_format", "stream", "n", "tools")


def resolve_judge(name: str, raw: RawJudge, scope: Scope) -> JudgeSpec:
    """One judge, every problem with it kept."""
    place: Place = ("judges", name)
    if (raw.rubric is None) == (raw.file is None):
        scope.problem(place, "needs a rubric, or a file with one")
    text = raw.rubric
    if raw.file is not None:
        text = scope.text_of_file((*place, "file"), raw.file)
    if raw.scale is not None and raw.kind == "pairwise":
        scope.problem((*place, "scale"), "a judge of pairs gives no grades")
    scale = (raw.scale[0], raw.scale[1]) if raw.scale is not None else None
    if scale is not None and not 1 <= scale[1] - scale[0] <= 100:
        scope.problem((*place, "scale"), "the lowest grade, then the highest; at most 101 of them")
    if raw.pass_at is not None and (scale is None or not scale[0] < raw.pass_at <= scale[1]):
        scope.problem((*place, "pass_at"), "a grade of its scale, above the lowest")
    for field in _OURS:
        if field in raw.fields:
            scope.problem((*place, "fields", field), "a judge's request has its own")
    said = msgspec.structs.asdict(raw)
    del said["file"]
    return JudgeSpec(
        **{
            **said,
            "name": name,
            "rubric": (text or "").strip(),
            "scale": scale,
            "model": resolve_target((*place, "model"), raw.model, scope),
        }
    )


def check_online(
    tasks: Mapping[str, RawTask], judges: Mapping[str, JudgeSpec], scope: Scope
) -> None:
    """A task's judge is there, and looks at one answer at a time."""
    for name, task in tasks.items():
        if task.online is None:
            continue
        place: Place = ("tasks", name, "online", "judge")
        known = scope.reference(place, "judge", task.online.judge, tuple(judges))
        if known and judges[task.online.judge].kind == "pairwise":
            scope.problem(place, "it compares two answers, and traffic has one")


def online_settings(raw: RawTask) -> OnlineSettings | None:
    """What is looked at of a task's traffic."""
    if raw.online is None:
        return None
    return OnlineSettings(**msgspec.structs.asdict(raw.online))
