"""Every name that telemetry says, in one place: metrics, labels, attributes of spans, buckets.

The names that begin with `gen_ai`, `server` and `error` are OpenTelemetry's, of the version below;
when its conventions change, this file changes and nothing else. `pointsman` names are our own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from pointsman.domain.money import PICOS_PER_USD
from pointsman.domain.policies import VERDICTS as POLICY_VERDICTS
from pointsman.domain.records import EndStatus, FailureKind

# Semantic conventions for generative AI, status Development.
CONVENTIONS = "gen-ai 1.42.0"
SCHEMA_URL = "https://opentelemetry.io/schemas/gen-ai/1.42.0"

OTHER = "other"  # what a label says of a value that has no place of its own
NONE = "-"  # what a label says where there is nothing to say


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What one label may say. With no closed set: the first `most` values, then `other`."""

    meaning: str
    values: frozenset[str] | None = None
    most: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric. It counts in whole parts of its unit, `per_unit` of them, so that sums of many
    processes are exact; `bounds` of a histogram are in parts as well."""

    name: str  # Prometheus' name, without `_total`
    otel: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str  # UCUM
    meaning: str
    labels: tuple[str, ...] = ()
    per_unit: int = 1
    bounds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute of a span: of the request's, of an attempt's, or of both."""

    meaning: str
    on: Literal["request", "attempt", "both"]


# Attribute names of OpenTelemetry, as the code says them.
OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
REQUEST_STREAM = "gen_ai.request.stream"
RESPONSE_MODEL = "gen_ai.response.model"
RESPONSE_ID = "gen_ai.response.id"
FINISH_REASONS = "gen_ai.response.finish_reasons"
FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHED_TOKENS = "gen_ai.usage.cache_read.input_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
CONVERSATION = "gen_ai.conversation.id"
TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105  # a kind of token of a model
ERROR_TYPE = "error.type"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"
# Ours.
TRACE = "pointsman.trace"
CONFIG = "pointsman.config"
TENANT = "pointsman.tenant"
TASK = "pointsman.task"
ROUTE = "pointsman.route"
PROMPT = "pointsman.prompt"
SURFACE = "pointsman.surface"
STATUS = "pointsman.status"
DEPLOYMENT = "pointsman.deployment"
STEP = "pointsman.step"
ATTEMPTS = "pointsman.attempts"
COST = "pointsman.cost_usd"
OVERHEAD = "pointsman.overhead_s"
VERDICT = "pointsman.gate.verdict"
VERIFIED = "pointsman.verified"

ATTRIBUTES: Mapping[str, Attribute] = MappingProxyType(
    {
        OPERATION: Attribute(on="both", meaning="What was asked of a model."),
        PROVIDER: Attribute(on="both", meaning="Whose way of the protocol the engine speaks."),
        REQUEST_MODEL: Attribute(
            on="both", meaning="The request's: what the client named; an attempt's: what the "
            "engine was asked for."),
        REQUEST_STREAM: Attribute(on="both", meaning="Whether the answer was streamed."),
        RESPONSE_MODEL: Attribute(on="both", meaning="The model that the engine says answered."),
        RESPONSE_ID: Attribute(on="both", meaning="The answer's own id."),
        FINISH_REASONS: Attribute(on="both", meaning="Why the model stopped."),
        FIRST_CHUNK: Attribute(on="both", meaning="Seconds to the first content of a stream."),
        INPUT_TOKENS: Attribute(on="both", meaning="Tokens of the prompt."),
        OUTPUT_TOKENS: Attribute(on="both", meaning="Tokens of the answer."),
        CACHED_TOKENS: Attribute(on="both", meaning="Input tokens from the engine's cache."),
        REASONING_TOKENS: Attribute(on="both", meaning="Output tokens spent on thinking."),
        CONVERSATION: Attribute(on="request", meaning="The client's x-session-id."),
        ERROR_TYPE: Attribute(
            on="both", meaning="The request's: the error's code; an attempt's: how it failed."),
        SERVER_ADDRESS: Attribute(on="attempt", meaning="The engine's host."),
        SERVER_PORT: Attribute(on="attempt", meaning="The engine's port."),
        TRACE: Attribute(on="both", meaning="The trace id, as headers, records and commands say."),
        CONFIG: Attribute(on="request", meaning="Digest of the configuration it ran under."),
        TENANT: Attribute(on="request", meaning="Whose request it was."),
        TASK: Attribute(on="request", meaning="The task, where one was asked for."),
        ROUTE: Attribute(on="request", meaning="The route that answered it."),
        PROMPT: Attribute(on="request", meaning="The prompt version that was put in."),
        SURFACE: Attribute(on="request", meaning="The API it came by."),
        STATUS: Attribute(on="request", meaning="How it ended."),
        DEPLOYMENT: Attribute(on="both", meaning="The request's: whose answer was delivered."),
        STEP: Attribute(on="attempt", meaning="Which step of the plan it was."),
        ATTEMPTS: Attribute(on="request", meaning="How many attempts it took."),
        COST: Attribute(on="both", meaning="Dollars; the request's: of every attempt."),
        OVERHEAD: Attribute(on="request", meaning="Seconds that were ours, not an engine's."),
        VERDICT: Attribute(on="attempt", meaning="What its gate decided."),
        VERIFIED: Attribute(on="request", meaning="What the task's checks say of the answer."),
    }
)  # fmt: skip

# `gen_ai.operation.name` by surface.
OPERATIONS: Mapping[str, str] = MappingProxyType(
    {
        "chat": "chat",
        "responses": "chat",
        "messages": "chat",
        "completions": "text_completion",
        "embeddings": "embeddings",
        "rerank": "rerank",  # no value of the conventions' own
    }
)
# `gen_ai.provider.name` by engine, where the conventions or its makers have another word.
PROVIDERS: Mapping[str, str] = MappingProxyType({"embedded": "llamacpp"})
GATEWAY = "pointsman"  # the provider of a request that no engine answered

_FINISH = ("stop", "length", "tool_calls", "function_call", "content_filter")
LABELS: Mapping[str, Label] = MappingProxyType(
    {
        "task": Label(most=200, meaning="The task by name; `-` where none was asked for."),
        "deployment": Label(most=200, meaning="The deployment by name."),
        DEPLOYMENT: Label(most=200, meaning="The deployment by name."),
        REQUEST_MODEL: Label(most=200, meaning="What the engine was asked for."),
        PROVIDER: Label(most=32, meaning="Whose way of the protocol the engine speaks."),
        OPERATION: Label(values=frozenset(OPERATIONS.values()), meaning="What was asked."),
        TOKEN_TYPE: Label(values=frozenset({"input", "output"}), meaning="Prompt or answer."),
        ERROR_TYPE: Label(
            values=frozenset({NONE, *get_args(FailureKind)}),
            meaning="How an attempt failed; `-` where it did not."),
        "surface": Label(values=frozenset(OPERATIONS), meaning="The API it came by."),
        "status": Label(values=frozenset(get_args(EndStatus)), meaning="How a request ended."),
        "result": Label(
            values=frozenset({"answered", *get_args(FailureKind)}),
            meaning="`answered`, or how it failed."),
        "direction": Label(
            values=frozenset({"prompt", "completion"}), meaning="Prompt or answer."),
        "verdict": Label(values=frozenset({"accept", "escalate"}), meaning="What a gate decided."),
        "side": Label(
            values=frozenset({"request", "answer"}), meaning="What policies looked at."),
        "policy_verdict": Label(
            values=frozenset(POLICY_VERDICTS), meaning="What policies decided."),
        "finish_reason": Label(
            values=frozenset({NONE, *_FINISH}), meaning="Why the model stopped."),
        "code": Label(most=100, meaning="The error's code, as clients read it."),
        "outcome": Label(
            most=100, meaning="The outcome's kind: the usual ones and those of acceptance rules."),
        "value": Label(
            values=frozenset({NONE, "true", "false", "unjudged"}), meaning="Its value: yes or no."),
        "phase": Label(
            values=frozenset({"open", "half_open"}),
            meaning="`open`: left alone; `half_open`: a few requests try it."),
        "signal": Label(values=frozenset({"spans", "metrics"}), meaning="What was exported."),
        "fate": Label(
            values=frozenset({"exported", "failed", "dropped"}),
            meaning="`failed`: the endpoint did not take it; `dropped`: it never left."),
    }
)  # fmt: skip

_MS, _US = 1000, 1_000_000
_SECONDS_MS = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000,
               300_000)  # fmt: skip
_OVERHEAD_US = (100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 100_000, 1_000_000)
# The conventions' own buckets.
_DURATION_MS = tuple(10 * 2**power for power in range(14))
_FIRST_TOKEN_MS = (1, 5, 10, 20, 40, 60, 80, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000)
_PER_TOKEN_US = (10_000, 25_000, 50_000, 75_000, 100_000, 150_000, 200_000, 300_000, 400_000,
                 500_000, 750_000, 1_000_000, 2_500_000)  # fmt: skip
_TOKENS = tuple(4**power for power in range(14))
_SERVED = (OPERATION, PROVIDER, REQUEST_MODEL, DEPLOYMENT)

REQUESTS = Family(
    name="pointsman_requests", otel="pointsman.requests", kind="counter", unit="{request}",
    meaning="Requests that ended.", labels=("task", "status"),
)  # fmt: skip
SURFACE_REQUESTS = Family(
    name="pointsman_surface_requests", otel="pointsman.surface.requests", kind="counter",
    unit="{request}", meaning="Requests that ended, by the API they came by.",
    labels=("surface", "status"),
)  # fmt: skip
REQUEST_SECONDS = Family(
    name="pointsman_request_seconds", otel="pointsman.request.duration", kind="histogram",
    unit="s", meaning="Arrival to the last byte.", labels=("task",), per_unit=_MS,
    bounds=_SECONDS_MS,
)  # fmt: skip
FIRST_BYTE = Family(
    name="pointsman_first_byte_seconds", otel="pointsman.request.time_to_first_byte",
    kind="histogram", unit="s", meaning="Arrival to the first byte of the answer.",
    labels=("task",), per_unit=_MS, bounds=_SECONDS_MS,
)  # fmt: skip
HELD = Family(
    name="pointsman_held_seconds", otel="pointsman.request.held", kind="histogram", unit="s",
    meaning="How long a held stream waited for its gate after its first token.",
    labels=("task",), per_unit=_MS, bounds=_SECONDS_MS,
)  # fmt: skip
OVERHEAD_SECONDS = Family(
    name="pointsman_overhead_seconds", otel="pointsman.request.overhead", kind="histogram",
    unit="s", meaning="What a request took beyond the time that engines took: our own part.",
    per_unit=_US, bounds=_OVERHEAD_US,
)  # fmt: skip
IN_FLIGHT = Family(
    name="pointsman_requests_in_flight", otel="pointsman.requests.in_flight", kind="gauge",
    unit="{request}", meaning="Requests that are being answered now.",
)  # fmt: skip
ERRORS = Family(
    name="pointsman_errors", otel="pointsman.errors", kind="counter", unit="{error}",
    meaning="Errors that clients were told, at the door or later.", labels=("code",),
)  # fmt: skip
TASK_COST = Family(
    name="pointsman_task_cost_usd", otel="pointsman.task.cost", kind="counter", unit="USD",
    meaning="Dollars spent on requests, every attempt of them.", labels=("task",),
    per_unit=PICOS_PER_USD,
)  # fmt: skip
ATTEMPTS_MADE = Family(
    name="pointsman_attempts", otel="pointsman.attempts", kind="counter", unit="{attempt}",
    meaning="Attempts by how they ended.", labels=("deployment", "result"),
)  # fmt: skip
FINISHES = Family(
    name="pointsman_finish_reasons", otel="pointsman.finish_reasons", kind="counter",
    unit="{attempt}", meaning="Answers by why the model stopped.",
    labels=("deployment", "finish_reason"),
)  # fmt: skip
VERDICTS = Family(
    name="pointsman_gate_verdicts", otel="pointsman.gate.verdicts", kind="counter",
    unit="{verdict}", meaning="What gates decided of a deployment's answers.",
    labels=("deployment", "verdict"),
)  # fmt: skip
TOKENS = Family(
    name="pointsman_tokens", otel="pointsman.tokens", kind="counter", unit="{token}",
    meaning="Tokens of every attempt.", labels=("deployment", "direction"),
)  # fmt: skip
CACHED = Family(
    name="pointsman_cached_tokens", otel="pointsman.tokens.cached", kind="counter",
    unit="{token}", meaning="Prompt tokens that engines took from their cache.",
    labels=("deployment",),
)  # fmt: skip
REASONING = Family(
    name="pointsman_reasoning_tokens", otel="pointsman.tokens.reasoning", kind="counter",
    unit="{token}", meaning="Completion tokens spent on thinking.", labels=("deployment",),
)  # fmt: skip
COST_USD = Family(
    name="pointsman_cost_usd", otel="pointsman.cost", kind="counter", unit="USD",
    meaning="Dollars spent at a deployment.", labels=("deployment",), per_unit=PICOS_PER_USD,
)  # fmt: skip
QUEUED = Family(
    name="pointsman_queue_seconds", otel="pointsman.queue.duration", kind="histogram", unit="s",
    meaning="How long attempts that had to wait for a place on a deployment waited.",
    labels=("deployment",), per_unit=_MS, bounds=_SECONDS_MS,
)  # fmt: skip
WAITING = Family(
    name="pointsman_queue_waiting", otel="pointsman.queue.waiting", kind="gauge",
    unit="{request}", meaning="Requests that wait for a place on a deployment now.",
    labels=("deployment",),
)  # fmt: skip
RETRIES = Family(
    name="pointsman_retries", otel="pointsman.retries", kind="counter", unit="{attempt}",
    meaning="Attempts that sent a request to the same deployment again.", labels=("deployment",),
)  # fmt: skip
BREAKERS = Family(
    name="pointsman_breaker", otel="pointsman.breaker", kind="gauge", unit="{process}",
    meaning="Processes whose breaker of a deployment is in this phase; closed is not shown.",
    labels=("deployment", "phase"),
)  # fmt: skip
OPENINGS = Family(
    name="pointsman_breaker_openings", otel="pointsman.breaker.openings", kind="counter",
    unit="{opening}", meaning="Times that a deployment was left alone because it failed.",
    labels=("deployment",),
)  # fmt: skip
OUTCOMES = Family(
    name="pointsman_outcomes", otel="pointsman.outcomes", kind="counter", unit="{outcome}",
    meaning="Outcomes that the product sent and that checks gave.", labels=("outcome", "value"),
)  # fmt: skip
POLICY = Family(
    name="pointsman_policy_verdicts", otel="pointsman.policy.verdicts", kind="counter",
    unit="{verdict}", meaning="Verdicts of policies on requests and answers.",
    labels=("side", "policy_verdict"),
)  # fmt: skip
EXPORTS = Family(
    name="pointsman_telemetry", otel="pointsman.telemetry", kind="counter", unit="{item}",
    meaning="Requests and batches of metrics on their way to the OTLP endpoint.",
    labels=("signal", "fate"),
)  # fmt: skip
TOKEN_USAGE = Family(
    name="gen_ai_client_token_usage", otel="gen_ai.client.token.usage", kind="histogram",
    unit="{token}", meaning="Tokens of one attempt.", labels=(*_SERVED, TOKEN_TYPE),
    bounds=_TOKENS,
)  # fmt: skip
DURATION = Family(
    name="gen_ai_server_request_duration_seconds", otel="gen_ai.server.request.duration",
    kind="histogram", unit="s", meaning="One attempt at an engine, to its last token.",
    labels=(*_SERVED, ERROR_TYPE), per_unit=_MS, bounds=_DURATION_MS,
)  # fmt: skip
FIRST_TOKEN = Family(
    name="gen_ai_server_time_to_first_token_seconds", otel="gen_ai.server.time_to_first_token",
    kind="histogram", unit="s", meaning="An engine's first content of a streamed answer.",
    labels=_SERVED, per_unit=_MS, bounds=_FIRST_TOKEN_MS,
)  # fmt: skip
PER_TOKEN = Family(
    name="gen_ai_server_time_per_output_token_seconds",
    otel="gen_ai.server.time_per_output_token", kind="histogram", unit="s",
    meaning="Per token after the first of a streamed answer.", labels=_SERVED, per_unit=_US,
    bounds=_PER_TOKEN_US,
)  # fmt: skip

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        each.name: each
        for each in (
            REQUESTS, SURFACE_REQUESTS, REQUEST_SECONDS, FIRST_BYTE, HELD, OVERHEAD_SECONDS,
            IN_FLIGHT, ERRORS, TASK_COST, ATTEMPTS_MADE, FINISHES, VERDICTS, TOKENS, CACHED,
            REASONING, COST_USD, RETRIES, QUEUED, WAITING, BREAKERS, OPENINGS, OUTCOMES, POLICY,
            EXPORTS, TOKEN_USAGE, DURATION, FIRST_TOKEN, PER_TOKEN,
        )
    }
)  # fmt: skip
