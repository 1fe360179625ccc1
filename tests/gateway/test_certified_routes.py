"""A route with a router's file: its rule where a floor is proven, else the strong arm, and why."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from tests.learning.worlds import rows, write
from tests.support.gateway import RunningGateway

from pointsman.config import load
from pointsman.domain.errors import ConfigurationError
from pointsman.domain.records import Admission
from pointsman.journal import JournalReader
from pointsman.learning import fitting
from pointsman.learning.certificates import read_certificates, write_certificates
from pointsman.learning.certifying import certify
from pointsman.learning.choosing import Goal
from pointsman.learning.outcomes import read_outcomes
from pointsman.learning.router import Point, Router
from pointsman.testing import ScriptedUpstream

FILE = """
deployments:
  small: {{model: small, base_url: "{url}"}}
  middle: {{model: middle, base_url: "{url}"}}
  large: {{model: large, base_url: "{url}"}}
tasks:
  proofs: {{route: learned}}
  sums: {{route: learned}}
routes:
  learned:
    steps: [small, middle, large]
    objective: {{quality: 0.9}}
    stream: direct
    learn: {{router: my.router}}
server: {{port: 0}}
journal: {{path: journal}}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A router and what is certified of it."""
    folder = tmp_path_factory.mktemp("router")
    train = read_outcomes(write(folder / "train.jsonl", rows(300)), split="all", replies=False)
    fresh = rows(2000, seed=5)
    test = read_outcomes(write(folder / "test.jsonl", fresh), split="all", replies=False)
    with pytest.MonkeyPatch.context() as patch:  # few trees know enough of this world
        patch.setattr(fitting, "TREES", 4)
        patch.setattr(fitting, "COST_TREES", 4)
        fitting.fit(train, Goal("quality", 0.98)).save(folder / "my.router")
    router = Router.load(folder / "my.router")
    proof = certify(router, test, alpha=0.06, delta=0.1, seed=3, made_at_us=1, reference="large")
    assert proof.certificate is not None, "the world is made so that there is one"
    loyal = msgspec.structs.replace(proof.certificate, loyalty=max(0.02, proof.certificate.loyalty))
    write_certificates(folder / "my.router", [loyal])
    return folder


@pytest.fixture
def gateway(tmp_path):
    with ScriptedUpstream() as upstream:
        path = tmp_path / "pointsman.yaml"
        path.write_text(FILE.format(url=upstream.base_url))
        with RunningGateway(load(path, env={})) as running:
            yield running


def brought(made: Path, tmp_path: Path, *, certified: bool = True) -> None:
    names = ["my.router", "my.router.certificates.json"][: 2 if certified else 1]
    for name in names:
        (tmp_path / name).write_bytes((made / name).read_bytes())


def reload(gateway, tmp_path) -> str:
    config = load(tmp_path / "pointsman.yaml", env={})
    asyncio.run_coroutine_threadsafe(gateway.app.change(config), gateway._loop).result(30)
    return config.digest


def asked(gateway, text: str, task: str, said: str | None = None) -> str:
    answer = gateway.chat(text, model=f"task:{task}")
    if said is not None:
        trace = answer.headers["x-pointsman-trace"]
        gateway.request("POST", "/v1/feedback", {"trace": trace, "kind": said})
    return answer.headers["x-pointsman-deployment"]


def decisions(tmp_path):
    with JournalReader(tmp_path / "journal") as reader:
        found = reader.query("decisions")
    return [msgspec.json.decode(row["admission"], type=Admission).decision for row in found]


PROMPTS = [
    ("prove the integral over the manifold converges uniformly", "proofs"),
    ("add these two short numbers for my shopping list", "sums"),
    ("prove that the integral that converges", "proofs"),
    ("please add my numbers", "sums"),
]


def test_the_certified_rule_is_followed_to_the_letter(gateway, made, tmp_path):
    assert asked(gateway, *PROMPTS[1]) == "large"
    before = gateway.config.digest
    brought(made, tmp_path)
    assert reload(gateway, tmp_path) != before  # new files are a new configuration
    router = Router.load(made / "my.router")
    [proof] = read_certificates(made / "my.router")
    texts, tasks = zip(*PROMPTS, strict=True)
    point = Point("p", proof.value_usd, of="accepted", loyalty=proof.loyalty, reference="large")
    rule = router.choose(router.estimate_many(texts, tasks), point)
    given = [asked(gateway, *each) for each in PROMPTS]
    assert given == [router.models[at] for at in rule]
    assert len(set(given)) > 1
    latest, *_, first = decisions(tmp_path)
    assert first.reason.startswith("the strong arm: there is no router's file")
    assert latest.learned.router == router.digest[:12]
    assert latest.learned.ground == proof.statement
    assert "worth most at the certified point" in latest.reason
    assert len(latest.plan.steps) <= 2  # one call, and the strong arm should it fail


def test_without_its_certificate_the_strong_arm_answers(gateway, made, tmp_path):
    brought(made, tmp_path, certified=False)
    reload(gateway, tmp_path)
    assert asked(gateway, *PROMPTS[1]) == "large"
    assert "no certificate was made" in decisions(tmp_path)[0].reason


def test_outcomes_that_refute_it_revoke_it_here_and_in_its_file(gateway, made, tmp_path):
    brought(made, tmp_path)
    reload(gateway, tmp_path)
    given = [asked(gateway, *PROMPTS[1], said="rejected") for _ in range(40)]
    assert given[0] == "small"
    assert given[-1] == "large"
    reason = decisions(tmp_path)[0].reason
    assert "its certificate was revoked: within" in reason
    for _ in range(100):  # the file is written beside the requests
        [kept] = read_certificates(tmp_path / "my.router")
        if kept.revoked is not None:
            break
        asked(gateway, *PROMPTS[0])
    assert kept.revoked is not None
    assert kept.revoked.kind == "drift"


def test_a_file_that_is_no_router_leaves_the_old_configuration(gateway, made, tmp_path):
    brought(made, tmp_path)
    reload(gateway, tmp_path)
    (tmp_path / "my.router").write_bytes(b"something else, long enough to have a digest of sorts")
    with pytest.raises(ConfigurationError, match=r"routes\.learned\.learn\.router"):
        reload(gateway, tmp_path)
    assert asked(gateway, *PROMPTS[1]) == "small"


def test_a_quality_that_nobody_certified_is_not_claimed(made, tmp_path):
    with ScriptedUpstream() as upstream:
        path = tmp_path / "pointsman.yaml"
        path.write_text(FILE.format(url=upstream.base_url).replace("0.9}", "0.999}"))
        brought(made, tmp_path)
        with RunningGateway(load(path, env={})) as running:
            assert asked(running, *PROMPTS[1]) == "large"
    assert "what is certified is less than quality 0.999" in decisions(tmp_path)[0].reason


def test_an_arm_that_the_router_does_not_know_is_no_part_of_the_certified_rule(made, tmp_path):
    with ScriptedUpstream() as upstream:
        path = tmp_path / "pointsman.yaml"
        text = FILE.format(url=upstream.base_url).replace("[small, middle,", "[new, small, middle,")
        other = f'  new: {{model: new, base_url: "{upstream.base_url}"}}\n'
        path.write_text(text.replace("tasks:\n", other + "tasks:\n", 1))
        brought(made, tmp_path)
        with RunningGateway(load(path, env={})) as running:
            assert asked(running, *PROMPTS[1]) == "small"
    assert decisions(tmp_path)[0].learned.certified
