"""Where every value in force came from: a line of a file, a variable, or a default."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import msgspec

from pointsman.config.loading import Loaded, load_placed
from pointsman.config.nodes import ListNode, MapNode, Node, Scalar
from pointsman.config.problems import Mark
from pointsman.config.scope import Place, shown
from pointsman.config.showing import as_document

# Names that stand in for others when a configuration is resolved: what is shown is not what was
# written. Their origin is that of the value they were made from.
_MADE_FROM = {"accept": ("min_logprob", "mean_logprob"), "system": ("file",)}
_PASSWORD = re.compile(r"://[^/@]*:[^/@]+@")  # of a URL; none takes one among its options
_WHOLE = ("json_schema", "regex", "number", "fields", "expression")  # one check is one value


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One value in force and where it came from."""

    place: str  # `routes.thrifty.steps`
    value: Any  # secrets are `${NAME}` or `***`
    source: Literal["file", "default", "derived"]
    file: str | None = None
    line: int | None = None
    variables: tuple[str, ...] = ()  # those that gave the value
    unset: tuple[str, ...] = ()  # those whose default in the file stands in

    def __str__(self) -> str:
        if self.source == "default":
            return "default"
        parts = [f"{self.file}:{self.line}"]
        parts += [f"variable {name}" for name in self.variables]
        parts += [f"the default of variable {name}" for name in self.unset]
        return ", ".join(parts) + (" (derived)" if self.source == "derived" else "")


def load_origins(path: Path, *, env: Mapping[str, str]) -> tuple[Origin, ...]:
    """Every value in force in the order of `show`, defaults included. Raises: as `load`."""
    return origins(load_placed(path, env=env))


def origins(loaded: Loaded) -> tuple[Origin, ...]:
    """The same for a configuration that is loaded already."""
    document = as_document(loaded.config, with_defaults=True)
    return tuple(
        _origin(place, _plain(value), loaded.root) for place, value in _leaves(document, ())
    )


def literal_secrets(loaded: Loaded) -> tuple[tuple[str, str], ...]:
    """(place, file) of every secret that stands in a file instead of in a variable."""
    root = loaded.root
    places: list[Place] = [("deployments", name, "api_key") for name in root.names("deployments")]
    places += [("keys", name, "key") for name in root.names("keys")]
    admins = root.at("server", "admin", "keys")
    if isinstance(admins, MapNode):
        places += [("server", "admin", "keys", name) for name in admins.entries]
    places.append(("journal", "encryption", "key"))
    urls: list[Place] = [("deployments", name, "proxy") for name in root.names("deployments")]
    urls += [("state", "url"), ("state", "counters")]
    found = []
    for place in (*places, *urls):
        node = root.at(*place)
        if not isinstance(node, Scalar) or not node.text or _all_set(node):
            continue
        if place not in urls or _PASSWORD.search(node.text):
            found.append((shown(place), node.mark.source.name))
    return tuple(found)


def _all_set(node: Scalar) -> bool:
    return bool(node.variables) and all(each.is_set for each in node.variables)


def _leaves(value: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    if isinstance(value, dict) and value and not (place and place[-1] in _WHOLE):
        for key, inner in value.items():
            yield from _leaves(inner, (*place, key))
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        for index, inner in enumerate(value):
            yield from _leaves(inner, (*place, index))
    else:
        yield place, value


def _origin(place: Place, value: Any, root: MapNode) -> Origin:
    node = root.at(*place)
    made = None if node is not None else _made_from(place, root)
    source = node or made
    if source is None:
        return Origin(place=shown(place), value=value, source="default")
    mark = _mark(place, root) if node is not None else source.mark
    used = list(_variables(source))
    return Origin(
        place=shown(place),
        value=value,
        source="file" if made is None else "derived",
        file=mark.source.name,
        line=mark.line,
        variables=tuple(dict.fromkeys(each.name for each in used if each.is_set)),
        unset=tuple(dict.fromkeys(each.name for each in used if not each.is_set)),
    )


def _made_from(place: Place, root: MapNode) -> Node | None:
    """What a value was made from that the file says in other words."""
    above, last = place[:-1], str(place[-1])
    for name in _MADE_FROM.get(last, ()):
        if (node := root.at(*above, name)) is not None:
            return node
    if place[:1] == ("prompts",) and last == "system":  # the short form, without versions
        return root.at(*place[:2], "system") or root.at(*place[:2], "file")
    if last == "accept" and (node := root.at(*above)) is not None:
        return node
    return None


def _mark(place: Place, root: MapNode) -> Mark:
    """The line of the key, so that a long text is found where it begins."""
    above = root.at(*place[:-1])
    last = place[-1]
    if isinstance(above, MapNode) and isinstance(last, str) and last in above.entries:
        return above.entries[last].key_mark
    return root.mark_of(*place)


def _variables(node: Node) -> Iterator[Any]:
    if isinstance(node, Scalar):
        yield from node.variables
    elif isinstance(node, ListNode):
        for item in node.items:
            yield from _variables(item)
    else:
        for entry in node.entries.values():
            yield from _variables(entry.node)


def _plain(value: Any) -> Any:
    """Plain JSON: decimals as they are written, hidden secrets without their quotes."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value).strip('"') if type(value) is not str and isinstance(value, str) else value
