"""Gateways with keys that have limits, and crowds that ask them at once."""

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from tests.support.gateway import Answer, RunningGateway, a_config, a_deployment

from pointsman.domain.limits import Allowance
from pointsman.domain.money import PICOS_PER_USD, Price
from pointsman.domain.portfolio import Limits
from pointsman.domain.records import End
from pointsman.domain.task import BudgetSettings, Configuration, Key
from pointsman.journal import iter_records
from pointsman.testing import Received, ScriptedUpstream, chat_answer, chat_stream

SECRET = "app-secret"
WORDS = "one two three four five six seven eight nine ten"
# Ten words are twenty tokens of answer or fewer; only they cost.
PRICE = Price(input_usd_picos=0, output_usd_picos=PICOS_PER_USD // 1000)


def a_key(secret: str = SECRET, name: str = "app", **settings: Any) -> Key:
    limits = Allowance(**settings.pop("limits", {}))
    return Key(name=name, sha256=sha256(secret.encode()).hexdigest(), limits=limits, **settings)


def limited(
    path: Path,
    upstream: ScriptedUpstream,
    *,
    keys: Sequence[Key],
    most: int | None = 100,
    price: Price | None = PRICE,
    **changes: Any,
) -> Configuration:
    """One deployment, keys with limits."""
    limits = Limits(connect_timeout_s=1, first_token_timeout_s=10, between_tokens_timeout_s=10,
                    timeout_s=20, max_output_tokens=most)  # fmt: skip
    place = a_deployment("small", upstream.base_url, price=price, limits=limits)
    config = a_config(path, [place], keys=keys)
    defaults = {"budgets": BudgetSettings(lease_s=1.5, wait_s=10)}
    return msgspec.structs.replace(config, **{**defaults, **changes})


def bearer(secret: str = SECRET) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def ask(gateway: RunningGateway, secret: str = SECRET, **fields: Any) -> Answer:
    return gateway.chat(headers=bearer(secret), **fields)


def crowd(gateways: Sequence[RunningGateway], count: int, *, secret: str = SECRET) -> Counter[int]:
    """So many ask at once, spread over the gateways; the statuses they got, 0 for none."""

    def one(number: int) -> int:
        try:
            return ask(gateways[number % len(gateways)], secret).status
        except OSError:
            return 0

    with ThreadPoolExecutor(count) as pool:
        return Counter(pool.map(one, range(count)))


def spent(root: Path) -> int:
    """The sum of the End records of a journal, in pico-dollars."""
    return sum(each.cost_usd_picos for each in iter_records(root) if isinstance(each, End))


def error_of(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.body)["error"]
    return found


def an_engine(after_s: float = 0.0, text: str = WORDS) -> Any:
    """Answers in its own time, streamed where that is asked for."""

    def script(request: Received) -> Any:
        streamed = request.json.get("stream")
        play = chat_stream(text) if streamed else chat_answer(text, after_s=after_s)
        return play(request)

    return script


def until(holds: Callable[[], bool], what: str, timeout_s: float = 20) -> None:
    """Return once it holds."""
    give_up = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < give_up, what
        time.sleep(0.01)
