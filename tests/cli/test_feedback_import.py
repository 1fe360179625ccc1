"""Outcomes by hand and by file: good rows are kept, bad ones named, nothing unreadable written."""

import json
from pathlib import Path

import pytest

from pointsman.journal import JournalReader, iter_records, verify


def outcomes(lived) -> list[dict]:
    with JournalReader(lived.journal) as reader:
        return [row for row in reader.query("outcomes") if row["source"] in ("cli", "import")]


def test_an_outcome_is_added_by_trace_id_and_by_response_id(run, lived) -> None:
    assert run("feedback", "add", lived.traces["plain"], "accepted").code == 0
    assert run("feedback", "add", lived.response_id, "edited", "--value", "0.4").code == 0
    added = outcomes(lived)
    assert [(row["trace"], row["outcome"], row["value"]) for row in added] == [
        (lived.traces["plain"], "accepted", None),
        (lived.traces["escalated"], "edited", "0.4"),
    ]


@pytest.mark.parametrize(
    ("said", "kept"),
    [("true", True), ("4.5", 4.5), ("resolved", "resolved"), ('"x"', "x"), ("[1]", "[1]"),
     ("NaN", None), ("1e999", None)],
)  # fmt: skip
def test_a_value_is_json_or_else_a_text(run, lived, said: str, kept: object) -> None:
    ran = run("feedback", "add", lived.traces["plain"], "rated", "--value", said)
    if kept is None:
        assert ran.code == 2
        assert "finite" in ran.err
        return
    assert ran.code == 0
    [row] = outcomes(lived)
    assert json.loads(row["value"]) == kept


def test_good_rows_of_a_csv_are_recorded_and_the_others_named_by_line(run, lived) -> None:
    plain, escalated = lived.traces["plain"], lived.traces["escalated"]
    Path("outcomes.csv").write_text(
        "\ufefftrace,id,kind,value,key,at_us\r\n"
        f'{plain},,accepted,"two\r\nlines, quoted",k1,1700000000000000\r\n'
        "tr_unknown,,accepted,,,\r\n"
        f",{lived.response_id},edited,0.5,,\r\n"
        f"{plain},,,,,\r\n"
        f"{plain},,accepted,,,tomorrow\r\n"
        f"{plain},,accepted,1,2,3,4\r\n"
        f"{plain},,accepted,,k1,\r\n"
    )
    ran = run("feedback", "import", "outcomes.csv", "--json")
    assert ran.code == 4
    assert ran.json["recorded"] == 3
    assert [(row["line"], row["why"][:20]) for row in ran.json["refused"]] == [
        (4, "no trace or answer '"),
        (6, "a row needs `trace` "),
        (7, "`at_us` is microseco"),
        (8, "it has more columns "),
    ]
    assert "outcomes.csv:4: no trace or answer 'tr_unknown'" in ran.err
    added = {row["trace"]: row for row in outcomes(lived)}
    assert json.loads(added[plain]["value"]) == "two\r\nlines, quoted"
    assert added[plain]["at_us"] == 1_700_000_000_000_000
    assert added[escalated]["value"] == "0.5"


def test_good_rows_of_json_lines_are_recorded_and_the_others_named_by_line(run, lived) -> None:
    trace = lived.traces["plain"]
    rows = [
        json.dumps({"trace": trace, "kind": "accepted", "value": "a\u2028b"}, ensure_ascii=False),
        "{broken",
        "",
        "[1]",
        json.dumps({"trace": trace, "kind": 7}),
        json.dumps({"trace": trace, "kind": "accepted", "key": 7}),
        json.dumps({"trace": trace, "kind": "accepted", "at_us": "1"}),
        json.dumps({"trace": trace, "kind": "accepted", "at_us": 2**63}),
        json.dumps({"trace": trace, "kind": "accepted", "value": {"a": 1}}),
        json.dumps({"trace": trace, "kind": "accepted", "value": "\ud800"}),
        json.dumps({"trace": trace, "kind": "accepted", "value": float("nan")}),
        json.dumps({"id": lived.response_id, "kind": "rejected"}),
    ]
    Path("outcomes.jsonl").write_text("\n".join(rows), encoding="utf-8")
    ran = run("feedback", "import", "outcomes.jsonl", "--json")
    assert ran.code == 4
    assert ran.json["recorded"] == 2
    assert [row["line"] for row in ran.json["refused"]] == [2, 4, 5, 6, 7, 8, 9, 10, 11]
    assert [row["outcome"] for row in outcomes(lived)] == ["accepted", "rejected"]
    assert verify(lived.journal).ok
    assert len(list(iter_records(lived.journal))) == verify(lived.journal).records


def test_a_file_without_fault_exits_0(run, lived) -> None:
    Path("outcomes.csv").write_text(f"trace,kind\n{lived.traces['plain']},accepted\n")
    ran = run("feedback", "import", "outcomes.csv")
    assert (ran.code, ran.out) == (0, "")
    assert "1 recorded, 0 refused" in ran.err


def test_importing_twice_with_keys_counts_once(run, lived) -> None:
    Path("outcomes.csv").write_text(f"trace,kind,key\n{lived.traces['plain']},accepted,k1\n")
    assert [run("feedback", "import", "outcomes.csv").code for _ in range(2)] == [0, 0]
    assert len(outcomes(lived)) == 1


@pytest.mark.parametrize("name", ["outcomes.csv", "outcomes.jsonl"])
def test_a_file_that_is_no_text_exits_2(run, lived, name: str) -> None:
    Path(name).write_bytes(b"\xff\xfe\x00")
    ran = run("feedback", "import", name)
    assert (ran.code, ran.out) == (2, "")
    assert "UTF-8" in ran.err


def test_many_bad_rows_are_told_shortly(run, lived) -> None:
    Path("outcomes.csv").write_text("trace,kind\n" + "tr_unknown,accepted\n" * 50)
    ran = run("feedback", "import", "outcomes.csv")
    assert ran.code == 4
    assert len(ran.err.splitlines()) < 30
    assert "and 30 more" in ran.err
