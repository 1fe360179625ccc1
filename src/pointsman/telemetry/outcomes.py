"""The kinds of outcomes that a configuration knows: a label has a place for these alone."""

import re
from collections.abc import Iterable

from pointsman.domain.task import Task

# A literal of the expression language that can be a kind.
_WORD = re.compile(r"""['"]([A-Za-z0-9_-]{1,64})['"]""")


def named_outcomes(tasks: Iterable[Task]) -> set[str]:
    """The words that acceptance rules compare with. Some are values, not kinds: no harm."""
    rules = [task.acceptance for task in tasks]
    return {
        word for rule in rules for text in (rule.accepted, rule.rejected) for word in
        _WORD.findall(text)
    }  # fmt: skip
