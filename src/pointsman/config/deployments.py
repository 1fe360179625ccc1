"""Deployments: addresses checked, prices exact, what was left out filled in."""

import re
from decimal import Decimal
from urllib.parse import urlsplit

import msgspec

from pointsman.config.reached import check_proxy, resolve_upstream_tls
from pointsman.config.schema import RawDeployment, RawLimits, RawPrice, RawProbe
from pointsman.config.scope import Place, Scope
from pointsman.domain.identity import Found
from pointsman.domain.messages import Operation
from pointsman.domain.money import Price, price_per_token
from pointsman.domain.portfolio import (
    BreakerRules,
    Deployment,
    EmbeddedModel,
    Limits,
    ProbeRules,
    RetryRules,
)

HIDDEN = "***"  # how a secret is shown; never taken back as one
_MAX_USD_PER_MTOK = 1_000_000
_PATH = re.compile(r"/[!-~]*")
_PRINTABLE = re.compile(r"[!-~]+")
_USUAL: tuple[Operation, ...] = ("chat", "completion")


def resolve_deployment(name: str, raw: RawDeployment, scope: Scope) -> Deployment:
    """One deployment, every problem with it kept."""
    place: Place = ("deployments", name)
    if (raw.base_url is None) == (raw.embedded is None):
        scope.problem(place, "needs exactly one of base_url and embedded")
    if raw.base_url is not None:
        _check_url(raw.base_url, (*place, "base_url"), scope)
    if raw.engine is not None and (raw.engine == "embedded") != (raw.embedded is not None):
        scope.problem(
            (*place, "engine"), "embedded is the engine of `embedded:` and of nothing else"
        )
    if raw.api_key == HIDDEN:
        scope.problem((*place, "api_key"), "a hidden secret: write ${NAME} and set the variable")
    elif raw.api_key is not None and not _fits_a_header(raw.api_key):
        scope.problem(
            (*place, "api_key"), "holds a line break or another character no header takes"
        )
    check_proxy(raw, place, scope)
    return Deployment(
        name=name,
        model=raw.model,
        base_url=raw.base_url.rstrip("/") if raw.base_url else None,
        served_name=raw.served_name or served_name_of(raw.model),
        engine=raw.engine or ("embedded" if raw.embedded else "openai"),
        family=raw.family or family_of(raw.model),
        api_key=raw.api_key,
        price=_price(raw.price, (*place, "price"), scope) if raw.price else None,
        limits=_limits(raw.limits),
        breaker=BreakerRules(**msgspec.structs.asdict(raw.breaker)),
        retries=RetryRules(**msgspec.structs.asdict(raw.retries)),
        probe=_probe(raw.probe, (*place, "probe"), scope),
        embedded=_embedded(raw),
        logprobs=raw.logprobs,
        operations=_operations(raw, place, scope),
        stream_usage=raw.stream_usage,
        reasoning_field=raw.reasoning_field,
        tls=resolve_upstream_tls(raw, place, scope),
        proxy=raw.proxy,
        identity=Found(**msgspec.structs.asdict(raw.identity)) if raw.identity else None,
    )


def _operations(raw: RawDeployment, place: Place, scope: Scope) -> tuple[Operation, ...]:
    said = raw.operations if raw.operations is not None else _USUAL
    if not said or len(set(said)) < len(said):
        scope.problem((*place, "operations"), "wants at least one, and each once")
    if raw.embedded is not None and not set(said) <= {"chat", "completion"}:
        scope.problem((*place, "operations"), "an embedded model answers chat and completion")
    return tuple(said)


def _fits_a_header(text: str) -> bool:
    return text.isascii() and text.isprintable()


def served_name_of(model: str) -> str:
    """What the engine calls a model, unless said otherwise: its name up to the `@`."""
    return model.split("@", 1)[0] or model


def family_of(model: str) -> str:
    """How the model's thinking is switched, as far as its name tells."""
    name = model.lower()
    return "qwen3" if "qwen3" in name or "qwq" in name else "generic"


def _check_url(url: str, place: Place, scope: Scope) -> None:
    """The address may be quoted by logs, so it carries no secret: no user, no query."""
    try:
        parts = urlsplit(url)
        sound = bool(parts.hostname) and _PRINTABLE.fullmatch(url) is not None
        sound = sound and (parts.port is None or parts.port > 0)
    except ValueError:
        scope.problem(place, "not a URL")
        return
    if parts.scheme not in ("http", "https"):
        scope.problem(place, "wants http:// or https://")
    elif parts.username is not None or parts.password is not None:
        scope.problem(place, "no user or password in the URL: write api_key: ${NAME}")
    elif "?" in url or "#" in url:
        scope.problem(place, "no query or fragment in the URL")
    elif not sound:
        scope.problem(place, "not a URL")


def _price(raw: RawPrice, place: Place, scope: Scope) -> Price:
    def picos(field: str, value: Decimal) -> int:
        if not 0 <= value <= _MAX_USD_PER_MTOK:
            scope.problem((*place, field), f"wants a price from 0 to {_MAX_USD_PER_MTOK}")
            return 0
        if value * 1_000_000 != price_per_token(value):
            scope.problem((*place, field), "finer than a micro-dollar: at most 6 decimals")
        return price_per_token(value)

    cached = raw.cached_input_usd_per_mtok
    return Price(
        input_usd_picos=picos("input_usd_per_mtok", raw.input_usd_per_mtok),
        output_usd_picos=picos("output_usd_per_mtok", raw.output_usd_per_mtok),
        cached_input_usd_picos=(
            None if cached is None else picos("cached_input_usd_per_mtok", cached)
        ),
    )


def _limits(raw: RawLimits) -> Limits:
    return Limits(
        concurrency=raw.concurrency,
        queue=raw.queue,
        queue_timeout_s=raw.queue_timeout_s,
        connect_timeout_s=raw.connect_timeout_s,
        first_token_timeout_s=raw.first_token_timeout_s,
        between_tokens_timeout_s=raw.between_tokens_timeout_s,
        timeout_s=raw.timeout_s,
        max_output_tokens=raw.max_output_tokens,
        max_answer_bytes=raw.max_answer_mb * 2**20,
    )


def _probe(raw: RawProbe, place: Place, scope: Scope) -> ProbeRules:
    if raw.path is not None and _PATH.fullmatch(raw.path) is None:
        scope.problem((*place, "path"), "wants a path, beside the /v1 of base_url: /health")
    return ProbeRules(**msgspec.structs.asdict(raw))


def _embedded(raw: RawDeployment) -> EmbeddedModel | None:
    if raw.embedded is None:
        return None
    return EmbeddedModel(
        gguf=raw.embedded.gguf,
        threads=raw.embedded.threads,
        parallel=raw.embedded.parallel,
        context=raw.embedded.context,
    )
