"""Records of requests as tests count and export them."""

from typing import Any

from pointsman.domain.money import Usage
from pointsman.domain.plan import Decision, Plan
from pointsman.domain.portfolio import Deployment
from pointsman.domain.records import Admission, Attempt, BodyRef, End, Failure
from pointsman.domain.verdict import GateResult

TRACE = "tr_01K0S2W7R5ABCDEFGHJKMNPQRS"
AT_US = 1_790_000_000_000_000
DEPLOYMENTS = {
    "small": Deployment(
        name="small", model="small@q4", base_url="http://10.0.0.7:8001/v1",
        served_name="small-model", engine="vllm", api_key="sk-engine-secret",
    ),
    "large": Deployment(
        name="large", model="large@bf16", base_url="https://models.example/v1",
        served_name="large-model", engine="openai",
    ),
}  # fmt: skip


def an_admission(**changes: Any) -> Admission:
    said: dict[str, Any] = {
        "trace": TRACE, "at_us": AT_US, "tenant": "acme", "principal": "app", "surface": "chat",
        "asked": "task:work", "task": "work", "config": "c0ffee", "stream": False,
        "decision": Decision(plan=Plan(steps=()), route="main", reason="said so"),
        "request": BodyRef(digest="d", size=1), **changes,
    }  # fmt: skip
    return Admission(**said)


def an_attempt(**changes: Any) -> Attempt:
    said: dict[str, Any] = {
        "step": 0, "deployment": "small", "model": "small-model", "started_ms": 1,
        "first_token_ms": 40, "total_ms": 240, "finish_reason": "stop",
        "usage": Usage(prompt_tokens=100, completion_tokens=21, cached_tokens=64,
                       reasoning_tokens=5),
        "cost_usd_picos": 1_500_000, "response_id": "chatcmpl-7", **changes,
    }  # fmt: skip
    return Attempt(**said)


def a_failure(kind: Any = "server_error", **changes: Any) -> Attempt:
    detail = "the engine said: PROMPT TEXT"
    return an_attempt(
        failure=Failure(kind=kind, detail=detail), usage=None, finish_reason=None,
        first_token_ms=None, response_id=None, model=None, cost_usd_picos=0, **changes,
    )  # fmt: skip


def an_end(*attempts: Attempt, **changes: Any) -> End:
    made = attempts or (an_attempt(),)
    said: dict[str, Any] = {
        "trace": TRACE, "at_us": AT_US + 250_000, "status": "delivered", "http_status": 200,
        "attempts": made, "delivered": len(made) - 1, "first_byte_ms": 42, "total_ms": 250,
        "cost_usd_picos": sum(each.cost_usd_picos for each in made), "overhead_us": 700, **changes,
    }  # fmt: skip
    return End(**said)


def escalated(**changes: Any) -> Attempt:
    return an_attempt(gate=GateResult(verdict="escalate", reason="a check found something"),
                      **changes)  # fmt: skip
