"""`${NAME}` and `${NAME:-default}` in the values of a file; what comes in is text, never YAML."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}\n]*)\}|\$\{")
_INSIDE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


class Variable(NamedTuple):
    """One reference: the name, and whether the environment has it (else its default stands)."""

    name: str
    is_set: bool


@dataclass(frozen=True, slots=True)
class Replaced:
    """A text with its variables replaced."""

    text: str
    placeholder: str | None  # `${NAME}` where the whole text was that one variable
    variables: tuple[Variable, ...]  # those it refers to, in order

    @property
    def from_variables(self) -> bool:
        return bool(self.variables)


def replace_variables(
    text: str, env: Mapping[str, str], report: Callable[[int, str], None]
) -> Replaced:
    """The text with every reference replaced; `$${` stands for a literal `${`.

    Args: report is called with the position and the sentence for each reference that fails.
    """
    if "${" not in text:
        return Replaced(text, None, ())
    found: list[Variable] = []

    def replace(match: re.Match[str]) -> str:
        if match.group() == "$${":
            return "${"
        inside = _INSIDE.fullmatch(match.group(1) or "")
        if inside is None:
            report(match.start(), "not a variable: write ${NAME}, or $${ for a literal ${")
            return ""
        name, default = inside.groups()
        value = env.get(name)
        is_set = bool(value) or (value is not None and default is None)
        found.append(Variable(name, is_set))
        if value is not None and is_set:
            return value
        if default is None:
            report(
                match.start(),
                f"the variable {name} is not set: set it, or write ${{{name}:-default}}",
            )
        return default or ""

    replaced = _REFERENCE.sub(replace, text)
    whole = _REFERENCE.fullmatch(text) is not None and len(found) == 1
    return Replaced(replaced, f"${{{found[0].name}}}" if whole else None, tuple(found))


def escape(text: str) -> str:
    """The text as a file must write it to mean itself."""
    return text.replace("${", "$${")
