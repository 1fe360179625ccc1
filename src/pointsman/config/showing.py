"""A configuration as a file again: what was resolved, in the words of the schema, no secret."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from pointsman.config.deployments import HIDDEN, family_of, served_name_of
from pointsman.config.emitting import Verbatim, emit
from pointsman.domain.money import Price
from pointsman.domain.portfolio import Deployment, EmbeddedModel, Limits
from pointsman.domain.task import (
    AcceptanceRule,
    Configuration,
    GateSpec,
    JournalSettings,
    KeepingSettings,
    Key,
    PromptVersion,
    Route,
    RouteRule,
    ServerSettings,
    StateSettings,
    Task,
)
from pointsman.domain.transport import shown_proxy

_REQUIRED: Any = object()  # the default of what is always shown
_Lines = Iterable[tuple[str, Any, Any]]  # key, value, default
_MB = 2**20


def show(config: Configuration, *, with_defaults: bool) -> str:
    """The configuration as YAML that loads again to the same digest.

    A secret that came from one variable is shown as `${NAME}`; any other as `***`, which a file
    may not hold, so that it is put right before it is used.
    """
    document = as_document(config, with_defaults=with_defaults)
    return f"# digest {config.digest}\n" + emit(document)


def as_document(config: Configuration, *, with_defaults: bool) -> dict[str, Any]:
    """What `show` writes, as plain data; secrets are `Verbatim`."""
    return _Shower(dict(config.secret_sources), with_defaults).configuration(config)


class _Shower:
    def __init__(self, secrets: dict[str, str], with_defaults: bool) -> None:
        self._secrets = secrets
        self._with_defaults = with_defaults

    def _said(self, lines: _Lines) -> dict[str, Any]:
        """The lines that differ from their defaults, or all of them."""
        return {
            key: value
            for key, value, default in lines
            if default is _REQUIRED or self._with_defaults or value != default
        }

    def _secret(self, place: str) -> Verbatim:
        placeholder = self._secrets.get(place)
        return Verbatim(placeholder if placeholder else f'"{HIDDEN}"')

    def configuration(self, config: Configuration) -> dict[str, Any]:
        sections = {
            "version": "pointsman/v1",
            "deployments": {n: self._deployment(d) for n, d in config.deployments.items()},
            "prompts": _prompts(config.prompts.values()),
            "tasks": {name: self._task(task) for name, task in config.tasks.items()},
            "routes": {name: self._route(route) for name, route in config.routes.items()},
            "aliases": dict(config.aliases),
            "default": config.default,
            "keys": {key.name: self._key(key) for key in config.keys},
            "server": self._said(self._server(config.server)),
            "journal": self._said(self._journal(config.journal)),
            "keeping": self._said(_plainly(config.keeping)),
            "state": self._said([("url", self._state_url(config.state), None)]),
        }
        return {name: section for name, section in sections.items() if section}

    def _state_url(self, state: StateSettings) -> Any:
        placeholder = self._secrets.get("state.url")
        return Verbatim(placeholder) if placeholder else state.shown

    def _journal(self, journal: JournalSettings) -> _Lines:
        for name in JournalSettings.__struct_fields__:
            value, default = getattr(journal, name), _default(JournalSettings, name)
            if name == "segment_bytes":
                yield "segment_mb", value // _MB, default // _MB
            elif name == "encryption" and value is not None:
                secret = self._secret("journal.encryption.key") if value.key else None
                lines = [("key_file", value.key_file, None), ("key", secret, None)]
                yield name, {key: said for key, said, _ in lines if said is not None}, default
            else:
                yield name, value, default

    def _server(self, server: ServerSettings) -> _Lines:
        for name in ServerSettings.__struct_fields__:
            value, default = getattr(server, name), _default(ServerSettings, name)
            if name == "max_body_bytes":
                yield "max_body_mb", value // _MB, default // _MB
            elif isinstance(value, msgspec.Struct):
                yield name, self._plain(value), None if default is None else {}
            else:
                yield name, _plain(value), _plain(default)

    def _plain(self, settings: msgspec.Struct) -> dict[str, Any]:
        """Settings whose names are those of the file."""
        kind = type(settings)
        required = len(kind.__struct_fields__) - len(kind.__struct_defaults__)
        return self._said(
            (
                name,
                _plain(getattr(settings, name)),
                _REQUIRED if index < required else _plain(_default(kind, name)),
            )
            for index, name in enumerate(kind.__struct_fields__)
        )

    def _proxy(self, each: Deployment) -> Any:
        placeholder = self._secrets.get(f"deployments.{each.name}.proxy")
        return Verbatim(placeholder) if placeholder else shown_proxy(each.proxy)

    def _deployment(self, each: Deployment) -> dict[str, Any]:
        secret = self._secret(f"deployments.{each.name}.api_key") if each.api_key else None
        engine = "embedded" if each.embedded else "openai"
        where: tuple[str, Any, Any] = ("base_url", each.base_url, _REQUIRED)
        if each.embedded is not None:
            where = ("embedded", self._said(_embedded(each.embedded)), _REQUIRED)
        return self._said(
            [
                ("model", each.model, _REQUIRED),
                where,
                ("served_name", each.served_name, served_name_of(each.model)),
                ("engine", each.engine, engine),
                ("family", each.family, family_of(each.model)),
                ("api_key", secret, None),
                ("logprobs", each.logprobs, True),
                ("price", self._said(_price(each.price)) if each.price else None, None),
                ("limits", self._said(_limits(each.limits)), {}),
                ("tls", self._plain(each.tls) if each.tls else None, None),
                ("proxy", self._proxy(each), None),
            ]
        )

    def _task(self, task: Task) -> dict[str, Any]:
        prompt = f"{task.prompt.name}@{task.prompt.version}" if task.prompt else None
        verify = [{"name": each.name, each.kind: each.spec} for each in task.verifiers]
        return self._said(
            [
                ("prompt", prompt, None),
                ("route", task.route, _REQUIRED),
                ("verify", verify, []),
                ("gate", self._gate(task.gate), None),
                ("acceptance", self._said(_acceptance(task.acceptance)), {}),
                ("capture", task.capture, "bodies"),
                ("retention_days", task.retention_days, 30),
                ("thinking", task.thinking, None),
                ("stream", task.stream, None),
            ]
        )

    def _route(self, route: Route) -> dict[str, Any]:
        return self._said(
            [
                ("steps", list(route.steps), _REQUIRED),
                ("gate", self._gate(route.gate), None),
                ("rules", [self._rule(rule) for rule in route.rules], []),
                ("fallbacks", list(route.fallbacks), []),
                ("stream", route.stream, "held"),
                ("hold_usd_per_s", route.hold_usd_per_s, 0.0),
            ]
        )

    def _rule(self, rule: RouteRule) -> dict[str, Any]:
        gate = self._gate(rule.gate)
        return self._said(
            [
                ("when", rule.when, _REQUIRED),
                ("steps", list(rule.steps), _REQUIRED),
                ("gate", gate, None),
            ]
        )

    def _gate(self, gate: GateSpec | None) -> dict[str, Any] | None:
        if gate is None:
            return None
        return self._said([("accept", gate.accept, _REQUIRED), ("checks", list(gate.checks), [])])

    def _key(self, key: Key) -> dict[str, Any]:
        return self._said(
            [
                ("key", self._secret(f"keys.{key.name}.key"), _REQUIRED),
                ("tenant", key.tenant, "default"),
                ("tasks", list(key.tasks), []),
            ]
        )


def _prompts(versions: Iterable[PromptVersion]) -> dict[str, Any]:
    prompts: dict[str, Any] = {}
    for each in versions:
        prompt = prompts.setdefault(each.name, {"versions": {}})
        prompt["versions"][each.version] = {"system": each.system}
    return prompts


def _embedded(each: EmbeddedModel) -> _Lines:
    yield "gguf", each.gguf, _REQUIRED
    for name in ("threads", "parallel", "context"):
        yield name, getattr(each, name), _default(EmbeddedModel, name)


def _price(price: Price) -> _Lines:
    yield "input_usd_per_mtok", _usd(price.input_usd_picos), _REQUIRED
    yield "output_usd_per_mtok", _usd(price.output_usd_picos), _REQUIRED
    cached = price.cached_input_usd_picos
    yield "cached_input_usd_per_mtok", None if cached is None else _usd(cached), None


def _usd(picos: int) -> Decimal:
    """Dollars per million tokens, exact, without zeros at the end."""
    return Decimal(format((Decimal(picos) / 1_000_000).normalize(), "f"))


def _limits(limits: Limits) -> _Lines:
    for name in Limits.__struct_fields__:
        if name != "max_answer_bytes":
            yield name, getattr(limits, name), _default(Limits, name)
    default = _default(Limits, "max_answer_bytes")
    yield "max_answer_mb", limits.max_answer_bytes // _MB, default // _MB


def _acceptance(rule: AcceptanceRule) -> _Lines:
    for name in AcceptanceRule.__struct_fields__:
        yield name, getattr(rule, name), _default(AcceptanceRule, name)


def _plainly(settings: KeepingSettings) -> _Lines:
    for name in KeepingSettings.__struct_fields__:
        yield name, getattr(settings, name), _default(KeepingSettings, name)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _default(struct: Any, name: str) -> Any:
    """The default of a field, declared once in the domain."""
    return struct.__struct_defaults__[
        struct.__struct_fields__.index(name)
        - len(struct.__struct_fields__)
        + len(struct.__struct_defaults__)
    ]
