"""What gave an answer is in its records: from an engine's own words to a trace that is shown."""

import time

from tests.support.gateway import RunningGateway, a_config, a_deployment

from pointsman.cli.trace import _story
from pointsman.client import Workspace
from pointsman.domain.identity import Found
from pointsman.domain.records import ServedRecord
from pointsman.journal import iter_records
from pointsman.testing import ScriptedUpstream, chat_answer, status_answer


def an_engine(version):
    """vLLM as far as it is asked."""
    chat, models = chat_answer(), {"data": [{"id": "small-model", "root": "Qwen/Qwen3-8B-AWQ"}]}

    def script(request):
        if request.target == "/version":
            return status_answer(200, {"version": version})(request)
        if request.target == "/v1/models":
            return status_answer(200, models)(request)
        return chat(request)

    return ScriptedUpstream(default=script)


def test_an_answer_names_what_gave_it_and_the_trace_shows_it(tmp_path):
    with an_engine("0.11.0") as upstream:
        stated = Found(quantisation="awq", engine_version="0.10.2")
        small = a_deployment("small", upstream.base_url, engine="vllm", identity=stated)
        config = a_config(tmp_path, [small])
        with RunningGateway(config, identifies=True) as gateway:
            by = time.monotonic() + 30
            while "0.11.0" not in _told(tmp_path):
                assert time.monotonic() < by, "it was never asked"
                time.sleep(0.01)
            first = gateway.chat()
            assert first.status == 200
        found = Workspace(config).trace(first.headers["x-pointsman-trace"])
    said = found["served"]["small"]
    assert said["weights"] == "Qwen/Qwen3-8B-AWQ"
    assert said["sources"]["quantisation"] == "configuration"
    assert said["contradicted"] == {"engine_version": "0.10.2"}
    story = "\n".join(_story(found))
    assert "engine 0.11.0 (engine)" in story
    assert "unknown: weights' sha256, revision, template's sha256" in " ".join(story.split())
    assert "states engine 0.10.2: not what was found" in story


def _told(root):
    """Versions of the engine, as records say them."""
    return [each.identity.engine_version for each in iter_records(root)
            if isinstance(each, ServedRecord)]  # fmt: skip
