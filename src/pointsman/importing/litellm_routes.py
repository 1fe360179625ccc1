"""Replicas, fallbacks and aliases of LiteLLM as routes and aliases of ours."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pointsman.config.schema import ALIAS_PATTERN
from pointsman.discovery.naming import free_name
from pointsman.importing.litellm_models import Entry
from pointsman.importing.notes import Notes, Reader

MOST_FALLBACKS = 16
_UNREAD = (
    ("context_window_fallbacks", "too long a prompt is no failure of its own here: a rule such as "
     "`when: request.text_chars > 60000` sends long ones elsewhere"),
    ("content_policy_fallbacks", "a refusal is an answer; a gate may look at it"),
)  # fmt: skip


class Group:
    """The entries of one `model_name`: a deployment, or a route over several."""

    def __init__(self, said: str, name: str, members: Sequence[Entry], taken: set[str]) -> None:
        self.said = said  # as clients say it
        self.name = name
        self.members = members
        self._taken = taken
        self._alone = len(members) == 1
        self.deployments: dict[str, Entry] = {}

    def settle(self, *, routed: bool) -> None:
        """Give the deployments their names: the group's own, unless a route has it."""
        if self._alone and not routed:
            self.deployments = {self.name: self.members[0]}
            return
        for number, entry in enumerate(self.members, 1):
            name = free_name(f"{self.name[:58]}-{number}", self._taken)
            self._taken.add(name)
            self.deployments[name] = entry


class Routes:
    """The routes and aliases of a file, and what a name of it means in ours."""

    def __init__(
        self, groups: Sequence[Group], router: Reader, module: Reader, notes: Notes
    ) -> None:
        self.groups = groups
        self._notes = notes
        self._by_said = {group.said: group for group in groups}
        fallbacks = self._fallbacks(router, module)
        for group in groups:
            group.settle(routed=bool(fallbacks.get(group.said)) or len(group.members) > 1)
        self.document = dict(self._routes(fallbacks))
        self.aliases = self._aliases(router)

    def target(self, said: str) -> str | None:
        """What a name of the file is called in ours."""
        group = self._by_said.get(said)
        return group.name if group is not None else self.aliases.get(said)

    def _fallbacks(self, router: Reader, module: Reader) -> dict[str, list[str]]:
        """Groups to go on to after a failure, by group; the router's stand above the module's."""
        found: dict[str, list[str]] = {}
        default: list[str] = []
        for reader in (router, module):
            for key, said in _UNREAD:
                if reader.take(key):
                    self._notes.none(reader.at(key), said)
            for name, names in self._pairs(reader.take("fallbacks"), reader.at("fallbacks")):
                found.setdefault(name, names)
            listed = self._known(reader.take("default_fallbacks"), reader.at("default_fallbacks"))
            default = default or listed
        wildcard = found.pop("*", default)
        for name in self._by_said:
            others = [each for each in found.get(name, wildcard) if each != name]
            found[name] = list(dict.fromkeys(others))
        return found

    def _pairs(self, value: Any, path: str) -> Iterator[tuple[str, list[str]]]:
        """`[{group: [group, …]}, …]`."""
        for index, each in enumerate(value if isinstance(value, list) else []):
            for name, names in each.items() if isinstance(each, dict) else ():
                where = f"{path}[{index}].{name}"
                if name != "*" and name not in self._by_said:
                    self._notes.none(where, "no such model is left")
                    continue
                yield str(name), self._known(names, where)

    def _known(self, value: Any, path: str) -> list[str]:
        """Those of a list of names that are groups which are left."""
        names = []
        for each in value if isinstance(value, list) else []:
            if isinstance(each, str) and each in self._by_said:
                names.append(each)
            else:
                said = "no such model is left" if isinstance(each, str) else "only names are taken"
                self._notes.none(path, f"{each}: {said}" if isinstance(each, str) else said)
        return names

    def _routes(self, fallbacks: dict[str, list[str]]) -> Iterator[tuple[str, dict[str, Any]]]:
        for group in self.groups:
            first, *others = group.deployments
            if others:
                said = (
                    f"{len(others) + 1} replicas: tried in order, where load was spread over them"
                )
                self._notes.approximated(group.members[0].path, said)
            names = [*others]
            for other in fallbacks[group.said]:
                names += self._by_said[other].deployments
            if len(names) > MOST_FALLBACKS:
                said = f"at most {MOST_FALLBACKS} fallbacks: the last are left out"
                self._notes.approximated(group.members[0].path, said)
            if names:
                yield group.name, {"steps": [first], "fallbacks": names[:MOST_FALLBACKS]}

    def _aliases(self, router: Reader) -> dict[str, str]:
        taken = {group.name for group in self.groups}
        taken |= {name for group in self.groups for name in group.deployments}
        aliases: dict[str, str] = {}
        for group in self.groups:
            if group.said != group.name:
                self._add(aliases, group.said, group.name, taken, group.members[0].path)
        path = router.at("model_group_alias")
        said = router.take("model_group_alias")
        for name, target in said.items() if isinstance(said, dict) else ():
            if isinstance(target, dict):
                if target.get("hidden"):
                    self._notes.approximated(f"{path}.{name}", "aliases are listed by /v1/models")
                target = target.get("model")
            group_of = self._by_said.get(str(target))
            if group_of is None:
                self._notes.none(f"{path}.{name}", "no such model is left")
                continue
            self._add(aliases, str(name), group_of.name, taken, f"{path}.{name}")
        return aliases

    def _add(
        self, aliases: dict[str, str], name: str, target: str, taken: set[str], path: str
    ) -> None:
        if not _fits(name):
            self._notes.none(path, f"a name that is not taken here: ask for {target}")
        elif name in taken or name in aliases or name == "auto" or name.startswith("task:"):
            self._notes.none(path, f"a name that means something else here: ask for {target}")
        else:
            aliases[name] = target


def _fits(name: str) -> bool:
    return re.fullmatch(ALIAS_PATTERN, name) is not None
