"""`pointsman policy scan`: a line out for each line in, the text never written again."""

import base64
import json


def _written(tmp_path, lines):
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    return path


def test_a_line_out_for_each_line_in(run, tmp_path):
    text = "é ann@example.org"
    source = _written(
        tmp_path,
        [
            {"id": "a", "text": text},
            {"id": "b", "text_b64": base64.b64encode(b"nothing").decode()},
        ],
    )
    out = tmp_path / "out.jsonl"
    ran = run("policy", "scan", "--detector", "pii", "--in", str(source), "--out", str(out))
    first, second = (json.loads(line) for line in out.read_text().splitlines())
    assert ran.code == 0
    assert (first["id"], first["flag"]) == ("a", True)
    assert 0.0 < first["score"] <= 1.0
    assert first["spans"] == [{"type": "email", "start": 2, "end": len(text)}]
    assert second == {"id": "b", "score": 0.0, "flag": False, "spans": []}
    assert "ann@" not in out.read_text()


def test_rules_of_the_users_own_are_read(run, tmp_path):
    rules = tmp_path / "rules.toml"
    rules.write_text("[[rules]]\nid = 'ours'\nregex = '''ours-[a-z0-9]{12}'''\n")
    source, out = _written(tmp_path, [{"id": 1, "text": "ours-k3j9x0q1m2p4"}]), tmp_path / "o"
    ran = run("policy", "scan", "--detector", "secrets", "--rules", str(rules), "--json",
              "--in", str(source), "--out", str(out))  # fmt: skip
    assert ran.json["found"] == 1


def test_what_cannot_be_read_names_the_line(run, tmp_path):
    source = _written(tmp_path, [{"id": 1, "text": "x"}, {"text": "y"}])
    ran = run(
        "policy", "scan", "--detector", "pii", "--in", str(source), "--out", str(tmp_path / "o")
    )
    assert ran.code == 2
    assert "line 2" in ran.err


def test_an_unknown_detector_is_named_with_those_there_are(run, tmp_path):
    ran = run("policy", "scan", "--detector", "piii", "--in", "x", "--out", "y")
    assert ran.code == 2
    assert "pii" in ran.err
    assert "secrets" in run("policy", "scan", "--list").out


def test_a_threshold_is_set_on_honest_texts_of_ones_own(run, tmp_path):
    lines = [{"id": i, "text": f"please send the report number {i}"} for i in range(320)]
    source = str(_written(tmp_path, lines))
    told = run("policy", "calibrate", "--detector", "unsafe_code", "--in", source, "--json")
    assert told.code == 0
    assert told.json["enough"]
    assert 0.0 <= told.json["threshold"] <= 1.0
    few = run("policy", "calibrate", "--detector", "unsafe_code", "--in", source, "--fpr", "0.001")
    assert few.code == 4
    assert "2995" in few.err
