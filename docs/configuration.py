"""The reference page of pointsman.yaml, from the schema that editors read: nothing said twice."""

from collections.abc import Iterator, Mapping
from typing import Any

from pointsman.config.json_schema import json_schema, policy_json_schema
from pointsman.domain.policies import FACTS, LOOKED, STAGES
from pointsman.policy.compiling import RUNS
from pointsman.policy.obligations import KNOWN
from pointsman.policy.registry import Registry

_Schema = Mapping[str, Any]
_ROOT = "The file"
_HEAD = """# Configuration

Every key of `pointsman.yaml`. Unknown or doubled keys are errors with file, line and the nearest
match. `NAME` stands for a name of your own; any scalar may be written `${VARIABLE}`. Durations end
in `_s` (seconds), `_h` or `_days`. `pointsman config show --with-defaults` prints what is in force,
`--origins` which line says so, `pointsman config schema` this page for editors.
"""


_POLICY_HEAD = """# Policy files

Every key of a policy file. `pointsman.yaml` names such files under `policies:`; the how-to
[Policies](../how-to/policies.md) says what they are for. Unknown keys, names, detectors and fields
in conditions are errors with file, line and the nearest match; `pointsman policy schema` prints
this page for editors. Days are written YYYY-MM-DD, in UTC.
"""


def configuration_page() -> str:
    """Every key: what it may hold, what stands where nothing is said, what it is for."""
    return _page(json_schema(), _HEAD)


def policy_page() -> str:
    """The same of a policy file, with what conditions read, and what there is to look at where."""
    facts = [f"`{name}.{each}`" for name, fields in FACTS.items() for each in fields or ("",)]
    looked = ", ".join(f"`NAME.{each}`" for each in LOOKED)
    rows = [f"| `{name}` | " + " | ".join("yes" if stage in stages else "" for stage in STAGES)
            + " |" for name, stages in RUNS.items()]  # fmt: skip
    obliged = [f"| `{name}` | {what} |" for name, what in KNOWN.items()]
    names = ", ".join(f"`{name}`" for name in Registry())
    parts = [
        _page(policy_json_schema(), _POLICY_HEAD),
        "## What conditions read\n\nThe facts of a request: "
        + ", ".join(each.replace(".`", "`") for each in facts)
        + f". Of each detector of the policy: {looked}; of one that could not look, the last.\n",
        f"## Detectors by name\n\n{names}; `regex` and `literal` are written out.\n",
        "## Obligations\n\n| name | what its value is |\n|---|---|\n" + "\n".join(obliged) + "\n",
        "## Stages by surface\n\n| surface | " + " | ".join(STAGES) + " |\n|---|"
        + "---|" * len(STAGES) + "\n" + "\n".join(rows),
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


def _page(schema: _Schema, head: str) -> str:
    places = {name: path for path, name, _ in _sections(schema)}
    parts = [head]
    for path, _, each in _sections(schema):
        title = f"`{path}`" if path else _ROOT
        parts.append(f"\n## {title}\n\n{_sentence(each.get('description', ''))}\n")
        parts.append("| key | holds | default | what it is for |\n|---|---|---|---|")
        needed = each.get("required", ())
        for name, field in each["properties"].items():
            default = "needed" if name in needed else _default(field)
            said = _escaped(field.get("description", ""))
            parts.append(f"| `{name}` | {_form(field, places)} | {default} | {said} |")
    return "\n".join(parts) + "\n"


def _sections(schema: _Schema) -> Iterator[tuple[str, str, _Schema]]:
    """Place, name and form of each table of keys, where the file has it first; depth first."""
    seen: set[str] = set()

    def walk(path: str, own: str, struct: _Schema) -> Iterator[tuple[str, str, _Schema]]:
        yield path, own, struct
        for name, field in struct["properties"].items():
            for suffix, definition in _inside(field):
                if definition not in seen:
                    seen.add(definition)
                    place = f"{path}.{name}{suffix}" if path else f"{name}{suffix}"
                    yield from walk(place, definition, schema["$defs"][definition])

    yield from walk("", "", schema)


def _inside(field: _Schema) -> Iterator[tuple[str, str]]:
    """The tables within a value: what follows its key in a path, and their definition."""
    if "$ref" in field:
        yield "", field["$ref"].rpartition("/")[2]
    for part in field.get("anyOf", ()):
        yield from _inside(part)
    if "items" in field:
        yield from ((f"[]{suffix}", name) for suffix, name in _inside(field["items"]))
    if isinstance(field.get("additionalProperties"), Mapping):
        inner = _inside(field["additionalProperties"])
        yield from ((f".NAME{suffix}", name) for suffix, name in inner)


def _form(field: _Schema, places: Mapping[str, str]) -> str:
    """What a value may be, in words."""
    if "anyOf" in field:
        parts = [_form(part, places) for part in field["anyOf"] if not _is_variable(part)]
        return " or ".join(dict.fromkeys(part for part in parts if part != "nothing"))
    if "enum" in field:
        return ", ".join(f"`{_json(value)}`" for value in field["enum"])
    if "$ref" in field:
        place = places[field["$ref"].rpartition("/")[2]]
        anchor = "".join(c for c in place.lower() if c.isalnum() or c in "_-")
        return f"[table](#{anchor})"
    match field.get("type"):
        case "object":
            inner = field.get("additionalProperties")
            return f"by name: {_form(inner, places)}" if isinstance(inner, Mapping) else "names"
        case "array":
            return f"list of {_form(field['items'], places)}"
        case "integer" | "number" as kind:
            word = "whole number" if kind == "integer" else "number"
            return word + _bounds(field)
        case "boolean":
            return "`true`, `false`"
        case "null":
            return "nothing"
        case "string":
            return "text"
    return "anything"


def _bounds(field: _Schema) -> str:
    low, above = field.get("minimum"), field.get("exclusiveMinimum")
    high = field.get("maximum")
    if low is not None and high is not None:
        return f", {_number(low)} to {_number(high)}"
    said = [
        f"{_number(low)} or more" if low is not None else "",
        f"over {_number(above)}" if above is not None else "",
        f"up to {_number(high)}" if high is not None else "",
    ]
    return "".join(f", {each}" for each in said if each)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _is_variable(part: _Schema) -> bool:
    return part == {"type": "string", "pattern": r"\$\{"}


def _default(field: _Schema) -> str:
    if "default" not in field or field["default"] in ("", [], {}):
        return ""
    return f"`{_json(field['default'])}`"


def _json(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_json, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _sentence(text: str) -> str:
    return _escaped(" ".join(text.split()))


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
