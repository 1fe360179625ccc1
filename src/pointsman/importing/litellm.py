"""A LiteLLM proxy's config.yaml as a pointsman.yaml, with a note for whatever is not the same."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pointsman.config.emitting import Verbatim, emit
from pointsman.discovery.naming import deployment_name, free_name
from pointsman.domain.errors import ConfigurationError
from pointsman.domain.task import ServerSettings
from pointsman.importing import litellm_settings as known
from pointsman.importing.litellm_models import Entry, EntryReader
from pointsman.importing.litellm_routes import Group, Routes
from pointsman.importing.notes import Note, Notes, Reader
from pointsman.importing.values import Secrets, seconds, whole

_HEAD = "# Made from a LiteLLM configuration by `pointsman import litellm`.\n"
_MOST_BYTES = 4 * 2**20
_MOST_MB = 1024


@dataclass(frozen=True)
class Imported:
    """What was made."""

    text: str
    notes: tuple[Note, ...]
    variables: tuple[str, ...]  # those that must be set before it loads


def import_litellm(text: str, *, name: str = "config.yaml") -> Imported:
    """Our file, and a note for each setting that has no equivalent or not quite the same.

    Raises: ConfigurationError where it is not YAML, or nothing of it can be served.
    """
    notes = Notes()
    root = Reader(_read(text, name), "", notes)
    importer = _Importer(root, notes)
    document = importer.document()
    if not document["deployments"]:
        raise ConfigurationError(
            f"nothing in {name} can be served",
            why="\n        ".join(f"{each.path}: {each.said}" for each in notes)
            or "there is no model_list",
            next="give models an api_base that speaks the OpenAI protocol",
        )
    variables = dict.fromkeys(_variables(document))
    return Imported(_HEAD + emit(document), tuple(notes), tuple(variables))


def _read(text: str, name: str) -> dict[str, Any]:
    if len(text) > _MOST_BYTES:
        raise ConfigurationError(f"{name} is larger than 4 MB", next="split it")
    try:
        found = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, TypeError, AttributeError, RecursionError) as error:
        why = " ".join(str(getattr(error, "problem", None) or type(error).__name__).split())
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark is not None else name
        raise ConfigurationError(f"{where} is not YAML", why=why[:200], next="correct it") from None
    if not isinstance(found, dict):
        raise ConfigurationError(
            f"{name} is no mapping", next="name the file that holds `model_list`"
        )
    return found


class _Importer:
    def __init__(self, root: Reader, notes: Notes) -> None:
        self._notes = notes
        self._secrets = Secrets(notes)
        self._root = root
        self._models = root.take("model_list")
        self._router = Reader(root.take("router_settings"), "router_settings", notes)
        self._module = Reader(root.take("litellm_settings"), "litellm_settings", notes)
        self._general = Reader(root.take("general_settings"), "general_settings", notes)
        self._credentials = _credentials(root.take("credential_list"))

    def document(self) -> dict[str, Any]:
        """Every section in our words."""
        entries = list(self._entries())
        self._shared_limits(entries)
        routes = Routes(self._groups(entries), self._router, self._module, self._notes)
        server, keys = self._server(entries), self._keys()
        default = self._default(routes)
        self._router.leave(known.ROUTER)
        self._module.leave(known.MODULE)
        self._general.leave(known.GENERAL)
        self._root.leave(known.TOP)
        sections = {
            "deployments": {
                name: each.data
                for group in routes.groups
                for name, each in group.deployments.items()
            },
            "routes": routes.document,
            "aliases": routes.aliases,
            "default": default,
            "keys": keys,
            "server": server,
        }
        return {
            name: section for name, section in sections.items() if section or name == "deployments"
        }

    def _entries(self) -> Iterator[Entry]:
        models = self._models if isinstance(self._models, list) else []
        if self._models is not None and not isinstance(self._models, list):
            self._notes.none("model_list", "not a list, so nothing of it could be read")
        reader = EntryReader(self._credentials, self._secrets, self._notes)
        for index, value in enumerate(models):
            entry = reader.read(value, f"model_list[{index}]")
            if entry is not None:
                yield entry

    def _shared_limits(self, entries: Iterable[Entry]) -> None:
        """Timeouts and bounds that the bags give to every deployment that has none of its own."""
        timeout = self._timeout()
        most = self._general.take("max_parallel_requests")
        where = self._general.at("max_parallel_requests")
        concurrency = None if most is None else whole(most, path=where, notes=self._notes)
        for entry in entries:
            limits = entry.data.get("limits", {})
            if concurrency is not None and not entry.has_concurrency:
                limits = {"concurrency": concurrency, **limits}
            if timeout is not None and not entry.has_timeout:
                limits = {**limits, "timeout_s": timeout}
            if limits:
                entry.data["limits"] = limits

    def _timeout(self) -> float | None:
        """The router's stands above the module's."""
        found = None
        for reader, key in ((self._router, "timeout"), (self._module, "request_timeout")):
            value = reader.take(key)
            if value is not None and found is None:
                found = seconds(value, path=reader.at(key), notes=self._notes)
        stream = self._router.take("stream_timeout")
        if stream is not None:
            said = "write first_token_timeout_s under the limits of each deployment"
            self._notes.approximated(self._router.at("stream_timeout"), said)
        return found

    def _groups(self, entries: Iterable[Entry]) -> list[Group]:
        """Entries of one `model_name` together, each with the name it has in our file."""
        by_name: dict[str, list[Entry]] = {}
        for entry in entries:
            by_name.setdefault(entry.group, []).append(entry)
        taken: set[str] = set()
        groups = []
        for group, members in by_name.items():
            name = free_name(deployment_name(group), taken)
            taken.add(name)
            groups.append(Group(group, name, members, taken))
        return groups

    def _server(self, entries: Iterable[Entry]) -> dict[str, Any]:
        server: dict[str, Any] = {}
        size = self._general.take("max_request_size_mb")
        where = self._general.at("max_request_size_mb")
        found = None if size is None else whole(size, path=where, notes=self._notes)
        if found is not None and found > _MOST_MB:
            self._notes.approximated(where, f"at most {_MOST_MB} MB here")
        if found is not None:
            server["max_body_mb"] = min(found, _MOST_MB)
        limits = [each.data.get("limits", {}).get("timeout_s") for each in entries]
        longest = max((each for each in limits if isinstance(each, float)), default=0.0)
        if longest > ServerSettings().request_timeout_s:
            server["request_timeout_s"] = longest  # else it would end the attempt before its time
        return server

    def _keys(self) -> dict[str, Any]:
        key = self._general.text("master_key")
        where = self._general.at("master_key")
        if key is None:
            said = "there is none: only this machine may ask, where anyone could before"
            self._notes.approximated(where, said)
            return {}
        said = "one key that may ask for everything; it administers nothing"
        self._notes.approximated(where, said)
        wanted = "POINTSMAN_MASTER_KEY"
        return {"master": {"key": self._secrets.reference(key, path=where, wanted=wanted)}}

    def _default(self, routes: Routes) -> str | None:
        name = self._general.text("completion_model")
        if name is None:
            return None
        target = routes.target(name)
        if target is None:
            self._notes.none(self._general.at("completion_model"), "no such model is left")
        else:
            said = "what `auto` means; a request without a model is refused"
            self._notes.approximated(self._general.at("completion_model"), said)
        return target


def _credentials(value: Any) -> dict[str, Mapping[str, Any]]:
    """`credential_list` by name."""
    items = value if isinstance(value, list) else []
    return {
        str(each.get("credential_name")): each["credential_values"]
        for each in items
        if isinstance(each, dict) and isinstance(each.get("credential_values"), dict)
    }


def _variables(value: Any) -> Iterator[str]:
    if isinstance(value, Verbatim):
        yield value[2 : value.index("}")]
    elif isinstance(value, dict):
        for each in value.values():
            yield from _variables(each)
