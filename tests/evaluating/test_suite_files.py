"""Suite files: what they say, and where they are wrong, with file and line."""

import textwrap

import duckdb
import pytest
from jsonschema import Draft202012Validator

from pointsman.config.problems import Source
from pointsman.domain.errors import ConfigurationError
from pointsman.evaluating.suite_descriptions import SUITE_DESCRIPTIONS
from pointsman.evaluating.suite_files import load_suite, parse_suite, suite_json_schema

GOOD = """
name: tickets
subject: task:ticket
cases:
  - input: what is ${this}?
    expected: that
    tags: {hard: true}
  - id: talk
    messages: [{role: user, content: hi}]
    expected: {answer: hello, tool_calls: [{name: find}]}
    turns: [and?]
    tools:
      - name: find
        results: [{when: {q: x}, gives: [1]}, {error: none}]
scorers:
  - exact: {match: contains}
    expects: answer
    only: {kind: talk}
  - regex: {pattern: ".+"}
    name: something
epochs: 2
fields: {temperature: 0}
gate: {accepted_at_least: 0.8, cost_per_accepted_usd_at_most: 0.001}
"""


def said(text):
    return parse_suite(textwrap.dedent(text))


def wrong(text):
    with pytest.raises(ConfigurationError) as error:
        said(text)
    return str(error.value)


def test_what_a_suite_says():
    suite = said(GOOD)
    first, second = suite.cases
    assert (first.id, first.messages[0]["content"]) == ("case-1", "what is ${this}?")
    assert first.tags == {"hard": "true"}
    assert second.tools[0].results[0].gives == [1]
    assert second.turns == ("and?",)
    assert [scorer.name for scorer in suite.scorers] == ["exact", "something"]
    assert suite.gate.accepted_at_least == 0.8
    assert suite.gate.level == 0.95


@pytest.mark.parametrize(
    ("change", "place", "what"),
    [
        (("epochs: 2", "epochs: 0"), "21:9", "at least 1"),
        (("epochs: 2", "epoch: 2"), "21:1", "did you mean 'epochs'"),
        (("- exact: {match: contains}", "- exakt: {}"), "16:5", "did you mean 'exact'"),
        (("match: contains", "match: holds"), "16:20", "is not one of contains"),
        (('pattern: ".+"', 'pattern: "(?=x)"'), "19:12", "invalid perl operator"),
        (("name: something", "name: exact"), "19:5", "a second measure"),
        (("- id: talk", "- id: case-1"), "8:5", "a second case 'case-1'"),
        (("fields: {temperature: 0}", "fields: {stream: true}"), "22:18", "set by the run"),
        (("    messages:", "    input: x\n    messages:"), "8:5", "exactly one of input"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(change, place, what):
    assert change[0] in GOOD
    told = wrong(GOOD.replace(*change))
    assert f"suite.yaml:{place}" in told, told
    assert what in told


def test_a_case_that_could_never_be_accepted_is_told():
    told = wrong("""
        name: s
        cases: [{input: a, expected: x}, {id: b, input: b}]
        scorers: [{exact: {}}]
    """)
    assert "nothing is expected of b" in told
    assert said("""
        name: s
        cases: [{input: a, expected: x}, {id: b, input: b}]
        scorers: [{exact: {}, required: false}, {regex: {pattern: x}}]
    """)
    assert "no scorer is required" in wrong("""
        name: s
        cases: [{input: a, expected: x}]
        scorers: [{exact: {}, required: false}]
    """)


def a_suite(folder, source, *, more=""):
    (folder / "suite.yaml").write_text(
        f"name: s\ncases:\n  - {source}\nscorers:\n  - exact: {{}}\n{more}"
    )
    return load_suite(folder / "suite.yaml")


def test_cases_of_json_lines(tmp_path):
    (tmp_path / "c.jsonl").write_text(
        '{"id": "a", "input": "x", "expected": {"k": 1}, "tags": {"t": "u"}, "cluster": 7}\n\n'
        '{"messages": [{"role": "user", "content": "y"}], "expected": "z", "turns": ["more"]}\n'
    )
    one, two = a_suite(tmp_path, "file: c.jsonl\n    system: be brief").cases
    assert (one.id, one.expected, one.tags, one.cluster) == ("a", {"k": 1}, {"t": "u"}, "7")
    assert [each["role"] for each in one.messages] == ["system", "user"]
    assert (two.id, two.turns) == ("c-2", ("more",))


def test_cases_of_csv_and_parquet_are_the_same(tmp_path):
    (tmp_path / "c.csv").write_text('nr,question,answer,kind\n1,"two, or",2,a\n2,three,3,b\n')
    duckdb.sql(
        f"COPY (SELECT nr::INT AS nr, question, answer::VARCHAR AS answer, kind "
        f"FROM read_csv('{tmp_path}/c.csv')) TO '{tmp_path}/c.parquet' (FORMAT parquet)"
    )
    columns = "id: nr\n    input: question\n    expected: answer\n    tags: [kind]"
    of_csv = a_suite(tmp_path, f"file: c.csv\n    {columns}").cases
    assert of_csv == a_suite(tmp_path, f"file: c.parquet\n    {columns}").cases
    assert of_csv[0].messages[0]["content"] == "two, or"
    assert (of_csv[0].id, of_csv[0].expected, of_csv[1].tags) == ("1", "2", {"kind": "b"})


def test_a_template_puts_columns_together(tmp_path):
    (tmp_path / "c.jsonl").write_text('{"q": "why?", "docs": ["d1"], "expected": "x"}\n')
    [case] = a_suite(tmp_path, 'file: c.jsonl\n    template: "{{json}} {docs}: {q}"').cases
    assert case.messages[0]["content"] == '{json} ["d1"]: why?'


def test_a_draw_of_a_file_is_the_same_for_its_seed_and_in_order(tmp_path):
    rows = "".join(f'{{"id": "{i}", "input": "x", "expected": "x"}}\n' for i in range(50))
    (tmp_path / "c.jsonl").write_text(rows)
    first = a_suite(tmp_path, "file: c.jsonl\n    limit: 5").cases
    assert [case.id for case in first] == ["0", "1", "2", "3", "4"]
    drawn = [case.id for case in a_suite(tmp_path, "file: c.jsonl\n    limit: 5\n"
                                         "    sample_seed: 3").cases]  # fmt: skip
    again = [case.id for case in a_suite(tmp_path, "file: c.jsonl\n    limit: 5\n"
                                         "    sample_seed: 3").cases]  # fmt: skip
    assert drawn == again
    assert drawn != ["0", "1", "2", "3", "4"]
    assert sorted(drawn, key=int) == drawn


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("c.jsonl", '{"input": "x"}\n{"input": \n', "c.jsonl:2: not JSON"),
        ("c.jsonl", '{"input": "x", "expected": "y"}\n[1]\n', "c.jsonl:2: wants an object"),
        ("c.jsonl", '{"inputs": "x"}\n', "c.jsonl:1: no text in the column 'input'"),
        ("c.jsonl", '{"messages": []}\n', "c.jsonl:1: no message to ask"),
        ("c.jsonl", "", "no case came of it"),
        ("c.csv", "input,expected\nx\n", "c.csv:2: not as many fields"),
        ("c.csv", "question\nx\n", "c.csv:2: no text in the column 'input'"),
        ("c.parquet", "x", "c.parquet: cannot be read"),
        ("c.txt", "x", "c.txt: of an unknown kind"),
        ("c.jsonl", '{"id": "a", "input": "x", "expected": "y"}\n' * 2, "a second case 'a'"),
    ],
)
def test_what_is_wrong_with_a_file_of_cases_is_told_with_its_line(tmp_path, name, text, what):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigurationError) as error:
        a_suite(tmp_path, f"file: {name}")
    assert "suite.yaml:3:5" in str(error.value)
    assert what in str(error.value)


def test_a_column_that_is_not_there_is_named(tmp_path):
    (tmp_path / "c.jsonl").write_text('{"question": "x", "expected": "y"}\n')
    with pytest.raises(ConfigurationError, match=r"no column 'questions': it has question"):
        a_suite(tmp_path, "file: c.jsonl\n    input: questions")


def test_the_published_schema_is_one_and_takes_what_we_take():
    schema = suite_json_schema()
    Draft202012Validator.check_schema(schema)
    from ruamel.yaml import YAML

    value = YAML(typ="safe", pure=True).load(GOOD)
    assert list(Draft202012Validator(schema).iter_errors(value)) == []
    value["scorers"][0]["regex"] = {"pattern": "x"}
    assert list(Draft202012Validator(schema).iter_errors(value))


def test_every_key_of_the_schema_has_its_sentence():
    schema = suite_json_schema()
    tables = [schema, *schema["$defs"].values()]
    silent = [
        name for table in tables for name, said in table["properties"].items()
        if "description" not in said
    ]  # fmt: skip
    assert silent == []
    assert "RawSuite" in SUITE_DESCRIPTIONS


def test_a_text_without_a_folder_reads_no_file():
    text = "name: s\ncases: [{file: /etc/passwd.jsonl}]\nscorers: [{exact: {}}]\n"
    with pytest.raises(ConfigurationError, match="no folder"):
        parse_suite(text, source=Source("x.yaml", None))
