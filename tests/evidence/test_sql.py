"""SQL over tables: it computes what is asked, and reaches nothing but the tables it was given."""

import io
import json

import pytest
from click.testing import CliRunner

from pointsman.cli import cli
from pointsman.domain.errors import DocumentRefused
from pointsman.evidence.bounded_child import Refused
from pointsman.evidence.tables.asking import ask, profiles, table_names
from pointsman.evidence.tables.statement import checked

pytest.importorskip("sqlglot")

FUNCTIONS = ("regexp_matches", "getenv", "read_text", "list_transform")
CSV = "service,requests,errors,at\n" + "".join(
    f"s{i % 7},{i},{i * i % 11},2026-11-{i % 28 + 1:02}\n" for i in range(1000)
)


@pytest.fixture(scope="module")
def metrics(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "metrics.csv"
    path.write_text(CSV)
    return path


@pytest.mark.parametrize("sql", [
    "SELECT 1", "FROM m", "SELECT service, sum(errors) FROM m GROUP BY ALL ORDER BY 2 DESC LIMIT 3",
    "WITH a AS (SELECT * FROM m) SELECT count(*) FROM a", "FROM m UNION ALL FROM m",
    "SELECT sum(errors) OVER (PARTITION BY service) FROM m", "SELECT (SELECT max(errors) FROM m)",
    "SELECT regexp_matches(service, 'a.*') FROM m", "SELECT CAST(at AS DATE) FROM m;",
    "SELECT quantile_cont(errors, 0.5) FROM m", "SELECT service FROM m WHERE service LIKE '%a%'",
])  # fmt: skip
def test_one_select_over_the_tables_may_run(sql):
    assert checked(sql, ["m"], FUNCTIONS)


@pytest.mark.parametrize("sql", [
    "", ";", "SELECT 1; SELECT 2", "not sql at all (", "DROP TABLE m", "INSERT INTO m VALUES (1)",
    "UPDATE m SET a = 1", "DELETE FROM m", "CREATE TABLE x AS SELECT 1", "COPY m TO 'x'",
    "COPY (SELECT 1) TO 'x'", "ATTACH 'x'", "PRAGMA version", "SET threads = 4", "INSTALL httpfs",
    "LOAD httpfs", "EXPORT DATABASE 'x'", "CALL pragma_version()", "EXPLAIN SELECT 1", "VACUUM",
    "SELECT * FROM '/etc/passwd'", "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM glob('*')", "SELECT read_text('x')",
    "SELECT getenv('HOME')", "SELECT current_setting('memory_limit')", "SELECT * FROM other",
    "SELECT * FROM information_schema.tables", "SELECT * FROM duckdb_settings()",
    "SELECT * FROM query('SELECT 1')", "SELECT * FROM range(1000000000)", "SELECT $1", "SELECT ?",
    "SELECT no_such_function(1)", "SELECT * INTO x FROM m",
    "WITH \"/etc/passwd\" AS (SELECT 1) SELECT * FROM \"/etc/passwd\"",
    "SELECT " + "(" * 5000 + "1" + ")" * 5000, "SELECT 1 -- " + "x" * 30_000,
])  # fmt: skip
def test_nothing_else_may(sql):
    with pytest.raises(Refused):
        checked(sql, ["m"], FUNCTIONS)


def test_what_is_asked_is_computed(metrics):
    result = ask([metrics], "SELECT max(errors) AS worst, count(*) AS n FROM metrics")
    assert [column.name for column in result.columns] == ["worst", "n"]
    assert result.rows == [[9, 1000]]
    first = ask([metrics], "SELECT _row, requests FROM metrics ORDER BY _row LIMIT 1")
    assert first.rows == [[2, 0]]  # the head is row 1


def test_a_result_is_cut_and_says_so(metrics):
    result = ask([metrics], "SELECT * FROM metrics", rows=10)
    assert len(result.rows) == 10
    assert result.truncated


def test_a_question_without_end_is_ended(metrics, monkeypatch):
    from pointsman.evidence.bounded import Bounds
    from pointsman.evidence.tables import asking

    monkeypatch.setattr(asking, "_BOUNDS", Bounds(memory_bytes=6 << 30, cpu_s=2, wall_s=60))
    crossed = ", ".join(f"metrics m{i}" for i in range(4))
    with pytest.raises(DocumentRefused, match="too long"):
        ask([metrics], f"SELECT max(sin(m0.errors * m3.requests + m1._row)) FROM {crossed}")


def test_a_question_of_too_much_memory_is_refused(metrics):
    with pytest.raises(DocumentRefused):
        ask([metrics], "SELECT string_agg(a.at || b.at || c.service, ',') FROM metrics a, "
                       "metrics b, (SELECT * FROM metrics LIMIT 300) c")  # fmt: skip


def test_a_large_table_is_told_in_short_and_a_small_one_whole(metrics, tmp_path):
    small = tmp_path / "2 small.csv"
    small.write_text("a,b\n1,x\n2,\n")
    large, whole = profiles([metrics, small])
    assert (large.rows, large.whole, len(large.sample)) == (1000, False, 5)
    errors = next(column for column in large.columns if column["name"] == "errors")
    assert (errors["least"], errors["most"]) == (0, 9)
    assert large.sample[0].row == 2
    assert large.sample[1].row > 100
    assert (whole.table, whole.whole) == ("t_2_small", True)
    assert [sample.cells for sample in whole.sample] == [[1, "x"], [2, None]]


def test_a_workbook_is_a_table_too(tmp_path):
    xlsxwriter = pytest.importorskip("xlsxwriter")
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for i, row in enumerate((("service", "cost"), ("cart", 2), ("search", 3.5))):
            sheet.write_row(i, 0, row)
    path = tmp_path / "costs.xlsx"
    path.write_bytes(out.getvalue())
    result = ask([path], "SELECT _row, service, cost FROM costs ORDER BY cost DESC")
    assert result.rows == [[3, "search", 3.5], [2, "cart", 2.0]]


def test_files_that_are_no_tables_are_refused(tmp_path):
    for name, content in (("x.parquet", b"PAR1no"), ("x.xlsx", b"PK\x03\x04"), ("x.bin", b"1")):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(DocumentRefused):
            profiles([path])


def test_names_of_files_are_names_of_tables(tmp_path):
    paths = [tmp_path / name for name in ("A b.csv", "a-b.parquet", "7.csv", "é.csv")]
    assert table_names(paths) == ["a_b", "a_b_", "t_7", "t"]


def test_the_verb_tells_the_rows(metrics):
    said = CliRunner().invoke(cli, ["evidence", "sql", "--in", str(metrics), "--json",
                                    "SELECT count(*) AS n FROM metrics"])  # fmt: skip
    assert json.loads(said.stdout)["rows"] == [[1000]]
