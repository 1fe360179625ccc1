"""Many fixed texts looked for at once: canaries, known secrets, pieces of a system prompt.

Aho and Corasick's automaton (1975, CACM 18, 333-340). A node stands for the longest beginning of
some word that the text ends with, so its depth is what has to be held, exactly.
"""

from collections.abc import Iterable
from contextlib import suppress

import re2

from pointsman.policy.gating.runs import Follower, Run, Runs, record
from pointsman.policy.patterns import charsets

MEMORY = 64 << 20  # for RE2's view of the words


class Node(dict[str, "Node"]):
    """The longest beginning of a word that was read; from each next character to the next node."""

    __slots__ = ("depth", "fail", "found", "hold", "length", "root")
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __init__(self, depth: int, root: "Node | None") -> None:
        super().__init__()
        self.depth = depth
        self.hold = 0  # of the text read, what a word may still begin with
        self.root: Node = self if root is None else root
        self.fail: Node | None = None
        self.found = -1  # the longest word that ends here, and its length
        self.length = 0

    def __eq__(self, other: object) -> bool:
        return self is other

    def __missing__(self, character: str) -> "Node":
        shorter = self.fail
        while shorter is not None:
            found = shorter.get(character)
            if found is not None:
                return found
            shorter = shorter.fail
        return self.root


class Words:
    """The automaton of some words, each with its number."""

    def __init__(self, words: Iterable[tuple[int, str]], *, ignore_case: bool) -> None:
        self.root = Node(0, None)
        self._pattern: re2._Regexp | None = None
        listed = list(words)
        with suppress(re2.error):  # it is too large for RE2: then texts are read whole
            options = re2.Options()
            options.max_mem, options.case_sensitive = MEMORY, not ignore_case
            options.log_errors, options.literal = False, len(listed) == 1
            quoted = "|".join(word if options.literal else re2.escape(word) for _, word in listed)
            self._pattern = re2.compile(quoted.encode(), options)
        for number, word in listed:
            node = self.root
            for character in word:
                node = _child(node, character, ignore_case)
            if len(word) > node.length:
                node.found, node.length = number, len(word)
        self._link()

    def find(self, text: str, found: Runs) -> None:
        """Record every word of a whole text."""
        if not self._may_hold(text):
            return
        node = self.root
        for now, character in enumerate(text, 1):
            node = node[character]
            if node.length:
                record(found, node.found, Run(now - node.length, now))

    def _may_hold(self, text: str) -> bool:
        if self._pattern is None:
            return True
        try:
            return self._pattern.search(text.encode()) is not None
        except UnicodeEncodeError:
            return True

    def _link(self) -> None:
        waiting = [self.root]
        for node in waiting:  # which grows: by depth
            for character, child in node.items():
                if child.fail is not None:
                    continue  # the same under another case of the character
                child.fail = self.root if node is self.root else _linked(node, character)
                if not child.length:
                    child.found, child.length = child.fail.found, child.fail.length
                child.hold = child.depth if len(child) else child.fail.hold
                waiting.append(child)


def _child(node: Node, character: str, ignore_case: bool) -> Node:
    found = node.get(character)
    if found is None:
        found = Node(node.depth + 1, node.root)
        cases = ((ord(character), ord(character)),)
        for low, high in charsets.fold(cases) if ignore_case else cases:
            for code in range(low, high + 1):
                node[chr(code)] = found
    return found


def _linked(node: Node, character: str) -> Node:
    assert node.fail is not None, "nodes are linked by depth"
    return node.fail[character]


class WordFollower:
    """Follows words beside rules, and keeps what both find."""

    __slots__ = ("_nodes", "_rules", "length", "runs")

    def __init__(self, rules: Follower, words: Iterable[Words]) -> None:
        self._rules = rules
        self._nodes = [one.root for one in words]
        self.length = rules.length
        self.runs = rules.runs

    def feed(self, text: str) -> None:
        self._rules.feed(text)
        for at, node in enumerate(self._nodes):
            now = self.length
            for character in text:
                node = node[character]
                now += 1
                if node.length:
                    record(self.runs, node.found, Run(now - node.length, now))
            self._nodes[at] = node
        self.length += len(text)

    def finish(self) -> None:
        self._rules.finish()
        self._nodes = [node.root for node in self._nodes]

    def settle(self) -> None:
        self._rules.settle()

    @property
    def hold(self) -> int:
        most = max((node.hold for node in self._nodes), default=0)
        return min(self._rules.hold, self.length - most)

    @property
    def resting(self) -> bool:
        return self._rules.resting and not any(node.depth for node in self._nodes)

    def copy(self) -> "WordFollower":
        twin = WordFollower(self._rules.copy(), ())
        twin._nodes = list(self._nodes)
        twin.length = self.length
        return twin

    def like(self, other: Follower) -> bool:
        return (
            isinstance(other, WordFollower)
            and self.resting
            and self._nodes == other._nodes
            and self._rules.like(other._rules)
        )
