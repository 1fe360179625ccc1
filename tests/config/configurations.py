"""Valid configurations drawn at random, as plain data and as the text of a file."""

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from pointsman.config.emitting import emit

NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,10}", fullmatch=True).filter(
    lambda name: name not in ("auto", "direct")
)
TEXTS = st.text(
    alphabet=st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=30
).filter(lambda text: text != "***")
SECONDS = st.floats(0.001, 86_400, allow_nan=False)
PRICES = st.decimals(0, 1000, places=6).map(lambda each: Decimal(format(each.normalize(), "f")))
WHEN = st.sampled_from(["request.has_image", "request.task == 'a'", "request.text_chars > 100"])
ACCEPT = st.sampled_from(["verified", "verified && logprob.min > -0.5", "completion_tokens < 9"])


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


PRICE = st.fixed_dictionaries(
    {"input_usd_per_mtok": PRICES, "output_usd_per_mtok": PRICES},
    optional={"cached_input_usd_per_mtok": PRICES},
)
LIMITS = optional(
    concurrency=st.integers(1, 2**31),
    queue=st.integers(0, 65_536),
    queue_timeout_s=SECONDS,
    connect_timeout_s=SECONDS,
    timeout_s=SECONDS,
    max_output_tokens=st.integers(1, 10**6),
    max_answer_mb=st.integers(1, 1024),
)
BREAKER = optional(
    enabled=st.booleans(),
    failures=st.integers(1, 10_000),
    failure_rate=st.floats(0.01, 1),
    window_s=SECONDS,
    least=st.integers(1, 1_000_000),
    open_s=SECONDS,
    probes=st.integers(1, 1000),
    last_resort=st.booleans(),
)
RETRIES = optional(
    most=st.integers(0, 10),
    budget=st.floats(0, 1),
    floor=st.integers(0, 10_000),
    longest_wait_s=SECONDS,
)
PROBE = optional(
    when=st.sampled_from(["unwell", "always", "never"]),
    every_s=st.floats(0.1, 86_400),
    timeout_s=SECONDS,
    path=st.sampled_from(["/health", "/a/b?c=d"]),
)
USD = st.decimals(Decimal("0.000001"), 1_000_000, places=6).map(
    lambda each: Decimal(format(each.normalize(), "f"))
)
ALLOWANCE = optional(
    requests_per_minute=st.integers(1, 2**31),
    tokens_per_minute=st.integers(1, 2**31),
    concurrency=st.integers(1, 2**31),
    usd_per_day=USD,
    usd_per_month=USD,
)
SERVED = st.fixed_dictionaries(
    {"model": TEXTS, "base_url": st.sampled_from(["http://h/v1", "https://a.example:8443/x"])},
    optional={
        "engine": st.sampled_from(["openai", "vllm", "sglang", "ollama", "tgi", "dashscope"]),
        "served_name": TEXTS,
        "family": NAMES,
        "logprobs": st.booleans(),
        "stream_usage": st.sampled_from(["asked", "always", "never"]),
        "reasoning_field": st.sampled_from(["reasoning", "reasoning_content"]),
        "price": PRICE,
        "limits": LIMITS,
        "breaker": BREAKER,
        "retries": RETRIES,
        "probe": PROBE,
        "identity": optional(
            weights=TEXTS,
            weights_sha256=st.from_regex("[0-9a-f]{64}", fullmatch=True),
            quantisation=TEXTS,
        ),
    },
)
EMBEDDED = st.fixed_dictionaries(
    {
        "model": TEXTS,
        "embedded": st.fixed_dictionaries({"gguf": TEXTS}, optional={"threads": st.integers(1, 9)}),
    },
    optional={"price": PRICE},
)
OBJECTIVE = st.one_of(
    st.fixed_dictionaries(
        {"acceptance": st.floats(0.01, 0.99)}, optional={"certified": st.booleans()}
    ),
    st.fixed_dictionaries({"quality": st.floats(0.01, 2)}),
    st.fixed_dictionaries(
        {"value_usd": st.floats(0.001, 9)}, optional={"latency_usd_per_s": st.floats(0, 9)}
    ),
)
LEARN = optional(
    explore=optional(share=st.floats(0, 0.5), usd_per_day=st.floats(0, 9)),
    session=optional(enabled=st.booleans(), switch_usd=st.floats(0, 1), keep_s=SECONDS),
    least_outcomes=st.integers(1, 99),
    memory_outcomes=st.integers(20, 999),
)
GATE = st.one_of(
    st.fixed_dictionaries({"accept": ACCEPT}),
    optional(min_logprob=st.floats(-20, 0), mean_logprob=st.floats(-20, 0)),
)
CHECK = st.one_of(
    st.fixed_dictionaries({"regex": st.sampled_from(["[0-9]+", "^a$", "(?i)yes"])}),
    st.fixed_dictionaries({"number": optional(min=st.floats(-9, 0), max=st.floats(1, 9))}),
    st.fixed_dictionaries({"fields": optional(required=st.lists(TEXTS, max_size=3, unique=True))}),
    st.fixed_dictionaries({"json_schema": st.sampled_from([{}, {"type": "object"}])}),
    st.fixed_dictionaries({"expression": st.sampled_from(["json.a == 1", "answer != ''"])}),
)
ACCEPTANCE = optional(
    within_h=st.floats(0.5, 1000),
    otherwise=st.sampled_from(["unknown", "accepted", "rejected"]),
    accepted=st.just("outcome.kind == 'sent'"),
)


def _judge(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    rest = {
        "repeats": st.integers(1, 15),
        "max_chars": st.integers(100, 10**6),
        "fields": st.dictionaries(st.sampled_from(["temperature", "top_k"]), st.integers(0, 9)),
        "max_age_days": st.floats(1, 999),
    }
    said = {"model": st.sampled_from(names), "rubric": TEXTS.filter(lambda each: each.strip())}
    return st.one_of(
        st.fixed_dictionaries(said, optional=rest),
        st.fixed_dictionaries(
            {**said, "scale": st.just([1, 5])}, optional={"pass_at": st.integers(2, 5)}
        ),
        st.fixed_dictionaries(
            {**said, "kind": st.just("pairwise")}, optional={"tie": st.booleans()}
        ),
    )


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """What a valid file says."""
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    cut = draw(st.integers(1, len(names)))
    deployments = {name: draw(st.one_of(SERVED, EMBEDDED)) for name in names[:cut]}
    prompts = draw(st.dictionaries(NAMES, st.fixed_dictionaries({"system": TEXTS}), max_size=2))
    arms = draw(
        st.dictionaries(
            NAMES.filter(lambda name: name not in names),
            _arm(list(deployments), list(prompts)),
            max_size=2,
        )
    )
    routes = {name: draw(_route([*deployments, *arms], deployments)) for name in names[cut:]}
    tasks = draw(st.dictionaries(NAMES, _task(list(prompts)), max_size=3)) if routes else {}
    judges = draw(st.dictionaries(NAMES, _judge([*deployments, *routes]), max_size=2))
    looking = [name for name, each in judges.items() if each.get("kind") != "pairwise"]
    for task in tasks.values() if looking else ():
        online = {"sample": st.floats(0.01, 1), "usd_per_day": st.floats(0, 99)}
        said = st.fixed_dictionaries({"judge": st.sampled_from(looking)}, optional=online)
        task.update(draw(optional(online=said)))
    document: dict[str, Any] = {"deployments": deployments}
    sections = {
        "routes": routes,
        "prompts": prompts,
        "arms": arms,
        "tasks": tasks,
        "judges": judges,
    }
    document |= {name: section for name, section in sections.items() if section}
    document |= draw(
        optional(
            version=st.just("pointsman/v1"),
            default=st.sampled_from([*deployments, *routes]),
            server=optional(
                port=st.integers(0, 65_535),
                request_timeout_s=SECONDS,
                max_in_flight=st.integers(1, 2**31),
                max_buffered_mb=st.integers(32, 1_048_576),
                workers=st.integers(1, 64),
                logs=st.sampled_from(["text", "json"]),
                admin=optional(host=st.sampled_from(["::1", "unix:/a"]), port=st.integers(0, 99)),
            ),
            teams=st.dictionaries(NAMES, optional(tenant=TEXTS, limits=ALLOWANCE), max_size=2),
            tenants=st.dictionaries(NAMES, optional(limits=ALLOWANCE), max_size=2),
            virtual_keys=optional(enabled=st.booleans(), fresh_s=st.floats(0.1, 60)),
            budgets=optional(lease_s=st.floats(0.5, 3600), wait_s=st.floats(0, 600)),
            batches=optional(
                enabled=st.booleans(),
                path=TEXTS,
                concurrency=st.integers(1, 1024),
                while_in_flight=st.integers(1, 99),
                max_file_mb=st.integers(1, 16_384),
                max_lines=st.integers(1, 1_000_000),
                max_tenant_mb=st.integers(1, 99_999),
                keep_days=st.integers(1, 36_500),
            ),
            telemetry=optional(
                otlp_endpoint=st.sampled_from(["http://c:4318", "https://[::1]/otlp"]),
                sample=st.floats(0, 1),
                metrics_every_s=st.floats(1, 3600),
            ),
            journal=optional(path=TEXTS, segment_mb=st.integers(1, 4096)),
        )
    )
    if document.get("virtual_keys", {}).get("enabled"):  # an admin would want keys of its own
        document.get("server", {}).pop("admin", None)
    return document


@st.composite
def texts(draw: st.DrawFn) -> str:
    """The text of a valid file."""
    return emit(draw(documents()))


def _route(
    names: list[str], deployments: dict[str, dict[str, Any]]
) -> st.SearchStrategy[dict[str, Any]]:
    steps = st.lists(st.sampled_from(names), min_size=1, max_size=4)
    spoken = all(each.get("logprobs", True) for each in deployments.values())
    gate = GATE if spoken else st.fixed_dictionaries({"accept": ACCEPT})
    learning = st.nothing()
    if len(names) > 1:
        several = st.lists(st.sampled_from(names), min_size=2, max_size=4, unique=True)
        learning = st.fixed_dictionaries({"steps": several, "objective": OBJECTIVE, "learn": LEARN})
    return learning | st.fixed_dictionaries(
        {"steps": steps},
        optional={
            "gate": gate,
            "fallbacks": st.lists(st.sampled_from(names), max_size=3),
            "stream": st.sampled_from(["held", "direct", "priced"]),
            "rules": st.lists(st.fixed_dictionaries({"when": WHEN, "steps": steps}), max_size=2),
        },
    )


def _arm(deployments: list[str], prompts: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"deployment": st.sampled_from(deployments)},
        optional={
            "thinking": st.sampled_from(["on", "low", "high"]),
            "thinking_tokens": st.integers(1, 9999),
            "fields": st.dictionaries(st.sampled_from(["seed", "top_k"]), st.integers(0, 9)),
            **({"prompt": st.sampled_from(prompts)} if prompts else {}),
        },
    )


def _task(prompts: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return optional(
        **({"prompt": st.sampled_from(prompts)} if prompts else {}),
        verify=st.lists(CHECK, max_size=3),
        acceptance=ACCEPTANCE,
        capture=st.sampled_from(["bodies", "digests"]),
        retention_days=st.integers(1, 36_500),
        thinking=st.sampled_from(["off", "on", "low"]),
    )
