"""The corrected quality of tasks as lines of a report; the numbers are decided elsewhere."""

from collections.abc import Sequence

from pointsman.analytics.formats import percent
from pointsman.analytics.quality import TaskQuality
from pointsman.analytics.tables import filled
from pointsman.domain.money import usd

_HOW = {
    "ppi": "people on some, the judge on all",
    "people": "people alone: the judge says nothing more",
    "rogan-gladen": "the judge, corrected by its card",
}


def quality_lines(found: Sequence[TaskQuality], *, width: int) -> list[str]:
    """One sentence for each task: corrected, then as the judge says, then what is missing."""
    lines: list[str] = []
    for each in found:
        name = each.task or "(no task)"
        words = [f"{name}: quality {percent(each.corrected)}"]
        if each.method == "none":
            words = [f"{name}: quality not known"]
            more = 10 - each.labels
            words.append(f"{each.labels} labels of drawn requests, {more} more tell")
        else:
            words.append(_HOW[each.method])
            words.append(f"{each.labels} labels")
        if each.judge is not None:
            words.append(f"{each.judge} alone says {percent(each.judge_mean)} of {each.judged}")
            if each.unjudged:
                words.append(f"{each.unjudged} unjudged")
            words.append(f"judging cost ${usd(each.judge_usd_picos):.4g}")
        if each.undrawn:
            words.append(f"{each.undrawn} labels of requests nobody drew are left out")
        if each.agreement is not None and each.agreement.value is not None:
            words.append(f"raters agree, alpha {each.agreement.value:.2f}")
        first, *rest = filled(words, width=width)
        lines += [first, *(f"  {line}" for line in rest)]
        if each.method == "none" and each.labels < 10:
            lines.append(f"  next: pointsman label next --task {each.task or 'NAME'}")
    return lines
