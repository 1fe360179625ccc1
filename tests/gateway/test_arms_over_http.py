"""An arm from the file to the bytes of the upstream, the journal and what the client is told."""

import json

from tests.support.gateway import RunningGateway

from pointsman.config import parse
from pointsman.testing import ScriptedUpstream, chat_answer

FILE = """
deployments:
  large:
    model: qwen3-8b
    base_url: "{url}"
    engine: vllm
    price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 2}}
prompts: {{work: {{versions: {{v1: {{system: "First."}}, v2: {{system: "Second."}}}}}}}}
arms:
  quick: {{deployment: large, thinking: off, prompt: work@v1, fields: {{top_k: 20}}}}
  deep: {{deployment: large, thinking: on, thinking_tokens: 512}}
tasks:
  work: {{prompt: work@v2, route: main, verify: [{{regex: "[0-9]+"}}]}}
routes: {{main: {{steps: [quick, deep]}}}}
server: {{port: 0}}
journal: {{path: "{journal}"}}
"""


def test_each_step_asks_in_its_arms_mode_and_the_journal_names_it(tmp_path):
    with ScriptedUpstream() as upstream:
        upstream.then(chat_answer("many"), chat_answer("42"))
        config = parse(FILE.format(url=upstream.base_url, journal=tmp_path))
        with RunningGateway(config) as gateway:
            answer = gateway.chat("6 x 7")
            alone = gateway.chat("6 x 7", model="quick")
            rows = gateway.rows("attempts")
        quick, deep, only = (each.json for each in upstream.requests)
    assert quick["chat_template_kwargs"] == {"enable_thinking": False}
    assert quick["messages"][0]["content"] == "First."
    assert quick["top_k"] == 20
    assert deep["chat_template_kwargs"] == {"enable_thinking": True}
    assert deep["thinking_token_budget"] == 512
    assert deep["messages"][0]["content"] == "Second."
    assert "top_k" not in deep
    assert answer.headers["x-pointsman-arm"] == "deep"
    assert answer.headers["x-pointsman-deployment"] == "large"
    assert answer.headers["x-pointsman-prompt"].startswith("work@v2#")
    assert alone.headers["x-pointsman-prompt"].startswith("work@v1#")
    assert only["messages"][0]["content"] == "First."
    assert [(row["arm"], row["deployment"]) for row in rows] == [
        ("quick", "large"), ("quick", "large"), ("deep", "large"),
    ]  # fmt: skip
    assert json.dumps(answer.json)
