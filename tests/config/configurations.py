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
    connect_timeout_s=SECONDS,
    timeout_s=SECONDS,
    max_output_tokens=st.integers(1, 10**6),
    max_answer_mb=st.integers(1, 1024),
)
SERVED = st.fixed_dictionaries(
    {"model": TEXTS, "base_url": st.sampled_from(["http://h/v1", "https://a.example:8443/x"])},
    optional={
        "engine": st.sampled_from(["openai", "vllm", "sglang", "ollama", "tgi", "dashscope"]),
        "served_name": TEXTS,
        "family": NAMES,
        "logprobs": st.booleans(),
        "price": PRICE,
        "limits": LIMITS,
    },
)
EMBEDDED = st.fixed_dictionaries(
    {
        "model": TEXTS,
        "embedded": st.fixed_dictionaries({"gguf": TEXTS}, optional={"threads": st.integers(1, 9)}),
    },
    optional={"price": PRICE},
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


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """What a valid file says."""
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    cut = draw(st.integers(1, len(names)))
    deployments = {name: draw(st.one_of(SERVED, EMBEDDED)) for name in names[:cut]}
    routes = {name: draw(_route(list(deployments), deployments)) for name in names[cut:]}
    prompts = draw(st.dictionaries(NAMES, st.fixed_dictionaries({"system": TEXTS}), max_size=2))
    tasks = draw(st.dictionaries(NAMES, _task(list(prompts)), max_size=3)) if routes else {}
    document: dict[str, Any] = {"deployments": deployments}
    sections = {"routes": routes, "prompts": prompts, "tasks": tasks}
    document |= {name: section for name, section in sections.items() if section}
    document |= draw(
        optional(
            version=st.just("pointsman/v1"),
            default=st.sampled_from([*deployments, *routes]),
            server=optional(port=st.integers(0, 65_535), request_timeout_s=SECONDS),
            journal=optional(path=TEXTS, segment_mb=st.integers(1, 4096)),
        )
    )
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
    return st.fixed_dictionaries(
        {"steps": steps},
        optional={
            "gate": gate,
            "fallbacks": st.lists(st.sampled_from(names), max_size=3),
            "stream": st.sampled_from(["held", "direct", "priced"]),
            "rules": st.lists(st.fixed_dictionaries({"when": WHEN, "steps": steps}), max_size=2),
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
