"""`pointsman eval compare`, `export` and `import`, on runs as they lie on the disk."""

import json
import zipfile
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace
from tests.evals.two_runs import a_case, an_arm, two_models

from pointsman.domain.ids import run_id
from pointsman.evals.gate import Gate
from pointsman.evaluating.baselines import mark_baseline
from pointsman.evaluating.store import RunStore


@pytest.fixture
def kept(tmp_path):
    """Keeps a run; gives its id."""
    store = RunStore(tmp_path / "runs")

    def keep(name, outcomes, *, gate=None):
        arm = an_arm(name, outcomes)
        begun = replace(arm.run, id=run_id(1000 + len(store.ids()), b"0123456789"), gate=gate)
        with_cases = store.begin(begun, [a_case(at) for at in range(len(outcomes))])
        with_cases.append(arm.samples)
        with_cases.seal(status="complete", ended_us=5)
        return begun.id

    keep.store = store
    return keep


@pytest.fixture
def cli(run, tmp_path):
    def call(verb, *words):
        return run("eval", verb, *map(str, words), "--runs", str(tmp_path / "runs"))

    return call


def test_a_verdict_of_two_runs(cli, kept):
    a, b = two_models(300, 0.9, 0.7)
    old, new = kept("old", a), kept("new", b)
    (said,) = cli("compare", old, new, "--json").json["comparisons"]
    assert (said["verdict"], said["not_worse"], said["cases"]) == ("worse", False, 300)
    assert said["primary"]["difference"]["high"] < 0
    assert said["assumptions"]
    page = cli("compare", old, "latest").out
    assert "300 paired cases · accepted" in page
    assert "worse" in page
    assert "McNemar" in page
    assert "lost: c" in page


def test_a_gate_exits_4_unless_nothing_is_shown_to_be_worse(cli, kept):
    a, b = two_models(400, 0.8, 0.8, agreement=0.98)
    old, same = kept("old", a), kept("same", b)
    assert cli("compare", old, same, "--margin", "0.05", "--gate").code == 0
    few = kept("few", a[:20])
    refused = cli("compare", old, few, "--gate")
    assert refused.code == 4
    assert "not shown to be no worse" in refused.err
    assert "380 cases were asked" in refused.out
    mark_baseline(kept.store.root, "demo", old)
    assert cli("compare", "baseline", same, "--margin", "0.05", "--gate").code == 0


def test_several_runs_are_held_against_the_first(cli, kept, tmp_path):
    a, b = two_models(300, 0.7, 0.8)
    names = [kept("old", a), kept("new", b), kept("newer", [True] * 300)]
    said = cli("compare", *names, "--json").json["comparisons"]
    assert [each["b"] for each in said] == names[1:]
    assert said[0]["primary"]["difference"]["level"] == pytest.approx(0.975)
    pytest.importorskip("matplotlib")
    drawn = cli("compare", *names, "--plot", tmp_path / "out.png")
    assert drawn.code == 0
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    assert cli("compare", *names, "--plot", tmp_path / "out.nothing").code == 2


def test_what_cannot_be_compared_is_told(cli, kept):
    old = kept("old", [True, False] * 10)
    assert cli("compare", old).code == 2
    assert "with itself" in cli("compare", old, old).err
    assert "cannot be compared" in cli("compare", old).err
    other = kept("new", [True, False] * 10)
    assert "not measured in both" in cli("compare", old, other, "--measure", "no").err
    assert cli("compare", old, "run_nothing").code == 2
    (kept.store.root / other / "samples.jsonl").write_bytes(b"")
    assert cli("compare", old, other).code == 4


@pytest.mark.parametrize("kind", ["junit", "markdown", "html", "csv", "inspect", "lm-eval"])
def test_a_run_is_exported(cli, kept, kind, tmp_path):
    kept("old", [True, False, None, True])
    out = tmp_path / "out"
    done = cli("export", "latest", "--format", kind, "--out", out)
    assert (done.code, done.out) == (0, "")
    assert "4 samples" in done.err
    assert cli("export", "latest", "--format", kind).out.encode() == out.read_bytes()
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".out")] == []


def test_an_export_holds_the_gate_and_the_comparison(cli, kept, tmp_path):
    a, b = two_models(200, 0.9, 0.7)
    old = kept("old", a)
    new = kept("new", b, gate=Gate(accepted_at_least=0.95, not_worse_than="baseline"))
    cli("export", new, "--format", "junit", "--out", tmp_path / "alone.xml")
    gate = ElementTree.parse(tmp_path / "alone.xml").getroot().findall("testsuite")[1]
    assert [each.get("name") for each in gate] == ["accepted_at_least"]
    cli("export", new, "--format", "junit", "--out", tmp_path / "held.xml", "--against", old)
    gate = ElementTree.parse(tmp_path / "held.xml").getroot().findall("testsuite")[1]
    assert [each.get("name") for each in gate] == ["accepted_at_least", "not_worse_than"]
    page = cli("export", new, "--format", "markdown", "--against", old).out
    assert "### Compared" in page


def test_parquet_and_the_archive_have_names(cli, kept, tmp_path):
    kept("old", [True, False])
    assert "needs a name" in cli("export", "--format", "parquet").err
    assert cli("export", "--format", "parquet", "--out", tmp_path / "a.parquet").code == 0
    cli("export", "--format", "inspect", "--out", tmp_path / "a.eval")
    assert "header.json" in zipfile.ZipFile(tmp_path / "a.eval").namelist()
    assert cli("export", "--format", "csv", "--out", tmp_path / "no" / "where.csv").code == 2


def test_another_harness_is_compared_with_ours(cli, kept, tmp_path):
    a, b = two_models(300, 0.7, 0.9)
    for name, outcomes in (("old", a), ("new", b)):
        run = kept(name, outcomes)
        cli("export", run, "--format", "inspect", "--out", tmp_path / f"{name}.eval")
    old = cli("import", tmp_path / "old.eval").out.strip()
    told = cli("import", tmp_path / "new.eval", "--subject", "their-model", "--json").json
    assert (told["suite"], told["subject"]["name"]) == ("demo", "their-model")
    (said,) = cli("compare", old, told["id"], "--json").json["comparisons"]
    assert said["verdict"] == "better"
    assert cli("import", tmp_path / "missing.eval").code == 2
    (tmp_path / "x.txt").write_text("no")
    assert "no kind" in cli("import", tmp_path / "x.txt").err
    (tmp_path / "x.json").write_text(json.dumps({"eval": {}, "samples": []}))
    assert "holds no sample" in cli("import", tmp_path / "x.json").err


def test_answers_are_scored_again_as_a_run_of_its_own(cli, kept, tmp_path):
    old = kept("old", [True, False, None, True])
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        "name: demo\nsubject: small\nscorers: [{exact: {match: contains}}]\ncases:\n"
        + "".join(
            f"  - {{id: c{at:04d}, input: question {at}, expected: sai}}\n" for at in range(4)
        )
    )
    told = cli("score", old, suite, "--on", "here", "--json").json
    assert told["run"]["origin"] == old
    assert told["summary"]["primary"]["estimate"]["value"] == 1.0
    assert told["summary"]["missing"] == 1
    assert "not measured" in cli("compare", old, told["run"]["id"]).err
