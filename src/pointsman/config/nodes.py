"""A YAML file as plain data with positions: three kinds of node, nothing decided yet."""

from dataclasses import dataclass

from pointsman.config.problems import Mark
from pointsman.config.variables import Variable


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value as text; what type it is depends on what the schema wants there."""

    mark: Mark
    text: str  # variables already replaced
    plain: bool  # unquoted, so that `12` is a number and `null` nothing
    placeholder: str | None = None  # `${NAME}` where that is all the file says
    broken: bool = False  # a problem with it is kept already; nothing more is said
    text_mark: Mark | None = None  # of the first character, where the text stands as it is
    variables: tuple[Variable, ...] = ()  # those that some of the text came in through

    @property
    def from_variables(self) -> bool:
        return bool(self.variables)


@dataclass(frozen=True, slots=True)
class ListNode:
    """A sequence."""

    mark: Mark
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """The value of one key, and where the key stands."""

    key_mark: Mark
    node: "Node"


@dataclass(frozen=True, slots=True)
class MapNode:
    """A mapping; keys are always text."""

    mark: Mark
    entries: dict[str, Entry]

    def mark_of(self, *path: str | int) -> Mark:
        """Where the value at the path stands, or the nearest thing above it that exists."""
        node: Node = self
        for step in path:
            if isinstance(node, MapNode) and isinstance(step, str) and step in node.entries:
                node = node.entries[step].node
            elif isinstance(node, ListNode) and isinstance(step, int) and step < len(node.items):
                node = node.items[step]
            else:
                break
        return node.mark

    def at(self, *path: str | int) -> "Node | None":
        """The node at the path, or None."""
        node: Node = self
        for step in path:
            if isinstance(node, MapNode) and isinstance(step, str) and step in node.entries:
                node = node.entries[step].node
            elif isinstance(node, ListNode) and isinstance(step, int) and step < len(node.items):
                node = node.items[step]
            else:
                return None
        return node

    def names(self, section: str) -> tuple[str, ...]:
        """The keys under one section, sound or not."""
        entry = self.entries.get(section)
        return tuple(entry.node.entries) if entry and isinstance(entry.node, MapNode) else ()


Node = Scalar | ListNode | MapNode
