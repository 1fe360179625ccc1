"""A configuration as a file again: what was resolved, in the words of the schema, no secret."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from pointsman.config.deployments import HIDDEN, family_of, served_name_of
from pointsman.config.emitting import Verbatim, emit
from pointsman.domain.alerts import AlertChannel
from pointsman.domain.judges import JudgeSpec
from pointsman.domain.learned import Exploring, Learning, Objective, Staying
from pointsman.domain.limits import Allowance
from pointsman.domain.money import PICOS_PER_USD, Price
from pointsman.domain.policies import PolicyBinding
from pointsman.domain.portfolio import (
    BreakerRules,
    Deployment,
    EmbeddedModel,
    Limits,
    ProbeRules,
    RetryRules,
)
from pointsman.domain.task import (
    AcceptanceRule,
    AdminSettings,
    Arm,
    AuditSettings,
    BatchSettings,
    BudgetSettings,
    Configuration,
    DriftSettings,
    GateSpec,
    GuardSettings,
    JournalSettings,
    KeepingSettings,
    Key,
    MediaSettings,
    OnlineSettings,
    PromptVersion,
    ReviewSettings,
    Route,
    RouteRule,
    ServerSettings,
    StateSettings,
    Task,
    Team,
    TelemetrySettings,
    VirtualKeySettings,
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
            "arms": {name: self._arm(arm) for name, arm in config.arms.items()},
            "tasks": {name: self._task(task) for name, task in config.tasks.items()},
            "routes": {name: self._route(route) for name, route in config.routes.items()},
            "aliases": dict(config.aliases),
            "default": config.default,
            "keys": {key.name: self._key(key) for key in config.keys},
            "teams": {team.name: self._team(team) for team in config.teams},
            "tenants": {
                name: self._said([("limits", self._allowance(each), {})])
                for name, each in config.tenants.items()
            },
            "virtual_keys": self._said(_plainly(config.virtual_keys)),
            "budgets": self._said(_plainly(config.budgets)),
            "server": self._said(self._server(config.server)),
            "journal": self._said(self._journal(config.journal)),
            "keeping": self._said(_plainly(config.keeping)),
            "alerts": {each.name: self._alert(each) for each in config.alerts},
            "drift": self._said(_plainly(config.drift)),
            "state": self._said(self._state(config.state)),
            "telemetry": self._said(_plainly(config.telemetry)),
            "batches": self._said(_in_megabytes(config.batches)),
            "media": self._said(_in_megabytes(config.media)),
            "review": self._said(_plainly(config.review)),
            "guards": {name: self._guard(each) for name, each in config.guards.items()},
            "judges": {name: self._judge(each) for name, each in config.judges.items()},
            "policies": {each.name: self._said(_binding(each)) for each in config.policies},
        }
        return {name: section for name, section in sections.items() if section}

    def _state(self, state: StateSettings) -> _Lines:
        for name, said in (("url", state.shown), ("counters", state.shown_counters)):
            placeholder = self._secrets.get(f"state.{name}")
            yield name, Verbatim(placeholder) if placeholder else said, None

    def _journal(self, journal: JournalSettings) -> _Lines:
        for name in JournalSettings.__struct_fields__:
            value, default = getattr(journal, name), _default(JournalSettings, name)
            if name == "segment_bytes":
                yield "segment_mb", value // _MB, default // _MB
            elif name == "encryption" and value is not None:
                secret = self._secret("journal.encryption.key") if value.key else None
                lines = [("key_file", value.key_file, None), ("key", secret, None)]
                yield name, {key: said for key, said, _ in lines if said is not None}, default
            elif name == "audit":
                yield name, self._said(self._audit(value)), {}
            else:
                yield name, value, default

    def _guard(self, guard: GuardSettings) -> dict[str, Any]:
        shown = self._plain(guard)
        shown.pop("name", None)
        return shown

    def _alert(self, channel: AlertChannel) -> dict[str, Any]:
        place, mail = f"alerts.{channel.name}", channel.mail
        shown: dict[str, Any] | None = None
        if mail is not None:
            password = self._secret(f"{place}.mail.password") if mail.password else None
            plain = self._plain(msgspec.structs.replace(mail, password=None))
            shown = {**plain, **({"password": password} if password else {})}
        return self._said(
            [
                ("kind", channel.kind, _REQUIRED),
                ("url", self._secret(f"{place}.url") if channel.url else None, None),
                ("token", self._secret(f"{place}.token") if channel.token else None, None),
                ("mail", shown, None),
                ("runbook", channel.runbook, None),
                ("quiet_h", channel.quiet_h, 6.0),
            ]
        )

    def _audit(self, audit: AuditSettings) -> _Lines:
        for name in AuditSettings.__struct_fields__:
            value = getattr(audit, name)
            if name == "anchors":
                yield name, [self._plain(each) for each in value], []
            else:
                yield name, value, _default(AuditSettings, name)

    def _server(self, server: ServerSettings) -> _Lines:
        for name in ServerSettings.__struct_fields__:
            value, default = getattr(server, name), _default(ServerSettings, name)
            if name == "max_body_bytes":
                yield "max_body_mb", value // _MB, default // _MB
            elif name == "max_buffered_bytes":
                yield "max_buffered_mb", value // _MB, default // _MB
            elif isinstance(value, AdminSettings):
                yield name, self._said(self._admin(value)), None
            elif isinstance(value, msgspec.Struct):
                yield name, self._plain(value), None if default is None else {}
            else:
                yield name, _plain(value), _plain(default)

    def _admin(self, admin: AdminSettings) -> _Lines:
        for name in ("host", "port"):
            yield name, getattr(admin, name), _default(AdminSettings, name)
        keys = {key.name: self._secret(f"server.admin.keys.{key.name}") for key in admin.keys}
        yield "keys", keys, {}
        roles = {key.name: list(key.roles) for key in admin.keys if key.roles != ("owner",)}
        yield "roles", roles, {}
        if admin.oidc is not None:
            oidc = self._plain(admin.oidc)
            groups = {group: list(each) for group, each in admin.oidc.roles.items()}
            yield "oidc", {**oidc, **({"roles": groups} if groups else {})}, None

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
                ("operations", list(each.operations), ["chat", "completion"]),
                ("stream_usage", each.stream_usage, None),
                ("reasoning_field", each.reasoning_field, None),
                ("price", self._said(_price(each.price)) if each.price else None, None),
                ("limits", self._said(_limits(each.limits)), {}),
                ("breaker", self._said(_plainly(each.breaker)), {}),
                ("retries", self._said(_plainly(each.retries)), {}),
                ("probe", self._said(_plainly(each.probe)), {}),
                ("tls", self._plain(each.tls) if each.tls else None, None),
                ("proxy", self._proxy(each), None),
                ("identity", self._plain(each.identity) if each.identity else None, None),
            ]
        )

    def _arm(self, arm: Arm) -> dict[str, Any]:
        return self._said(
            [
                ("deployment", arm.deployment, _REQUIRED),
                ("thinking", arm.thinking, None),
                ("thinking_tokens", arm.thinking_tokens, None),
                ("prompt", _reference(arm.prompt), None),
                ("fields", arm.fields, {}),
            ]
        )

    def _task(self, task: Task) -> dict[str, Any]:
        verify = [{"name": each.name, each.kind: each.spec} for each in task.verifiers]
        return self._said(
            [
                ("prompt", _reference(task.prompt), None),
                ("route", task.route, _REQUIRED),
                ("verify", verify, []),
                ("gate", self._gate(task.gate), None),
                ("acceptance", self._said(_acceptance(task.acceptance)), {}),
                ("capture", task.capture, "bodies"),
                ("retention_days", task.retention_days, 30),
                ("thinking", task.thinking, None),
                ("stream", task.stream, None),
                ("objective", self._objective(task.objective), None),
                ("segments", list(task.segments), []),
                ("online", self._online(task.online), None),
            ]
        )

    def _online(self, online: OnlineSettings | None) -> dict[str, Any] | None:
        if online is None:
            return None
        return self._said(
            [
                ("judge", online.judge, _REQUIRED),
                ("sample", online.sample, 0.05),
                ("usd_per_day", online.usd_per_day, None),
            ]
        )

    def _judge(self, judge: JudgeSpec) -> dict[str, Any]:
        lines = [
            (name, _plain(getattr(judge, name)), _default(JudgeSpec, name))
            for name in JudgeSpec.__struct_fields__
            if name not in ("name", "model", "rubric")
        ]
        required = [("model", judge.model, _REQUIRED), ("rubric", judge.rubric, _REQUIRED)]
        return self._said([*required, *lines])

    def _objective(self, objective: Objective | None) -> dict[str, Any] | None:
        """Its one aim, and the rest; the other aims may not stand beside it."""
        if objective is None:
            return None
        said = self._said(_plainly(objective))
        return {key: each for key, each in said.items() if each is not None}

    def _learn(self, learn: Learning | None) -> dict[str, Any] | None:
        if learn is None:
            return None
        return self._said(
            [
                ("router", learn.router, None),
                ("names", learn.names, {}),
                ("explore", self._said(_plainly(learn.explore)), {}),
                ("session", self._said(_plainly(learn.session)), {}),
                ("least_outcomes", learn.least_outcomes, 30),
                ("memory_outcomes", learn.memory_outcomes, 500),
            ]
        )

    def _route(self, route: Route) -> dict[str, Any]:
        learn = route.learn
        return self._said(
            [
                ("steps", list(route.steps), _REQUIRED),
                ("gate", self._gate(route.gate), None),
                ("rules", [self._rule(rule) for rule in route.rules], []),
                ("fallbacks", list(route.fallbacks), []),
                ("stream", route.stream, "held"),
                ("hold_usd_per_s", route.hold_usd_per_s, 0.0),
                ("objective", self._objective(learn.objective if learn else None), None),
                ("learn", self._learn(learn), None),
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
                ("team", key.team, None),
                ("tasks", list(key.tasks), []),
                ("models", list(key.models), []),
                ("limits", self._allowance(key.limits), {}),
            ]
        )

    def _team(self, team: Team) -> dict[str, Any]:
        return self._said(
            [("tenant", team.tenant, "default"), ("limits", self._allowance(team.limits), {})]
        )

    def _allowance(self, allowance: Allowance) -> dict[str, Any]:
        return self._said(
            [
                ("requests_per_minute", allowance.requests_per_minute, None),
                ("tokens_per_minute", allowance.tokens_per_minute, None),
                ("concurrency", allowance.concurrency, None),
                ("usd_per_day", _dollars(allowance.day_usd_picos), None),
                ("usd_per_month", _dollars(allowance.month_usd_picos), None),
            ]
        )


def _reference(prompt: PromptVersion | None) -> str | None:
    return f"{prompt.name}@{prompt.version}" if prompt else None


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


def _dollars(picos: int | None) -> Decimal | None:
    """A budget in dollars, exact, without zeros at the end."""
    if picos is None:
        return None
    return Decimal(format((Decimal(picos) / PICOS_PER_USD).normalize(), "f"))


def _plainly(
    settings: DriftSettings
    | KeepingSettings
    | VirtualKeySettings
    | BudgetSettings
    | BreakerRules
    | RetryRules
    | ProbeRules
    | TelemetrySettings
    | Objective
    | Exploring
    | Staying
    | ReviewSettings,
) -> _Lines:
    kind = type(settings)
    for name in kind.__struct_fields__:
        yield name, getattr(settings, name), _default(kind, name)


def _in_megabytes(settings: BatchSettings | MediaSettings) -> _Lines:
    kind = type(settings)
    for name in kind.__struct_fields__:
        value, default = _plain(getattr(settings, name)), _plain(_default(kind, name))
        if name.endswith("_bytes"):
            yield name.replace("_bytes", "_mb"), value // _MB, default // _MB
        else:
            yield name, value, default


def _binding(binding: PolicyBinding) -> _Lines:
    yield "files", list(binding.files), _REQUIRED
    for name in ("tenants", "tasks", "routes"):
        yield name, list(getattr(binding, name)), []


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _default(struct: Any, name: str) -> Any:
    """The default of a field, declared once in the domain."""
    return struct.__struct_defaults__[
        struct.__struct_fields__.index(name)
        - len(struct.__struct_fields__)
        + len(struct.__struct_defaults__)
    ]
