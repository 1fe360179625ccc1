"""The named queries on a small journal whose answers are known, sealed and unsealed alike."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from journal_facts import (
    a_config,
    an_admission,
    an_attempt,
    an_end,
    an_outcome,
    segments,
    write,
)

from pointsman.domain.errors import UsageError
from pointsman.domain.identity import identity_of
from pointsman.domain.money import Usage
from pointsman.domain.records import (
    AcknowledgementRecord,
    BodyRef,
    Drawn,
    ErasureRecord,
    Failure,
    Record,
    SamplingRecord,
    ServedRecord,
)
from pointsman.domain.verdict import GateResult
from pointsman.journal import QUERIES, JournalReader, JournalWriter, roll_up, seal
from pointsman.journal.frames import decode_record, next_chain
from pointsman.journal.tables import connect

ESCALATED = GateResult(verdict="escalate", reason="verified is false")
SMALL = an_attempt(
    "small", cost_usd_picos=40, gate=ESCALATED, first_token_ms=5, total_ms=20, response_id="r-1"
)
LARGE = an_attempt(
    "large",
    step=1,
    started_ms=21,
    cost_usd_picos=900,
    total_ms=80,
    model="qwen3-32b",
    response_id="r-2",
    usage=Usage(prompt_tokens=100, completion_tokens=30, cached_tokens=64, source="estimated"),
)
TIMED_OUT = an_attempt("small", usage=None, total_ms=30, failure=Failure(kind="total_timeout"))

FACTS: list[Record] = [
    a_config("c1", at_us=1),
    an_admission("tr_1", at_us=10, config="c1", stream=True, prompt="p@v1", session="s"),
    an_end(
        "tr_1",
        at_us=20,
        attempts=(SMALL, LARGE),
        delivered=1,
        cost_usd_picos=940,
        first_byte_ms=90,
        held_ms=7,
        total_ms=101,
        overhead_us=850,
    ),
    an_admission("tr_2", at_us=30, tenant="acme", task=None, route="small", asked="small"),
    an_end(
        "tr_2",
        at_us=40,
        status="failed",
        http_status=504,
        attempts=(TIMED_OUT,),
        total_ms=31,
        error="upstream_timeout",
    ),
    an_admission("tr_3", at_us=50),
    an_outcome(1, trace="tr_1", at_us=60, value=True),
    an_outcome(2, trace="tr_2", at_us=70, tenant="acme", outcome="edited", value='a "b"'),
    an_outcome(3, trace="tr_1", at_us=80, outcome="rejected", key="k", source="cli"),
    an_outcome(4, trace="tr_1", at_us=90, outcome="accepted", key="k"),
    an_outcome(5, trace="tr_2", at_us=95, tenant="acme", key="k", value=2.5),
    a_config("c2", at_us=100),
]

REQUIRED = {
    "trace": "tr_1",
    "response_id": "r-1",
    "references": ["tr_1"],
    "traces": ["tr_1"],
    "ids": ["sv_1"],
    "now_us": 10**15,
}


@pytest.fixture(params=["open", "sealed", "half sealed"])
def reader(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JournalReader]:
    """A reader of FACTS: all in segments, all in Parquet, or some here and some there."""
    first = {"open": 0, "sealed": len(FACTS), "half sealed": 4}[request.param]
    if first:
        write(tmp_path, FACTS[:first])
        seal(tmp_path)
    if FACTS[first:]:
        write(tmp_path, FACTS[first:])
    with JournalReader(tmp_path) as reader:
        yield reader


def test_requests_join_an_admission_to_its_end(reader: JournalReader) -> None:
    running, failed, delivered = reader.query("requests")
    attempts = json.loads(delivered.pop("attempts"))
    assert [attempt["deployment"] for attempt in attempts] == ["small", "large"]
    assert str(delivered.pop("writer")).endswith(f"-{os.getpid()}")
    assert delivered == {
        "trace": "tr_1",
        "at_us": 10,
        "tenant": "default",
        "principal": "key:web",
        "task": "support",
        "route": "thrifty",
        "asked": "auto",
        "prompt": "p@v1",
        "config": "c1",
        "stream": True,
        "session": "s",
        "status": "delivered",
        "http_status": 200,
        "cost_usd_picos": 940,
        "first_byte_ms": 90,
        "held_ms": 7,
        "total_ms": 101,
        "overhead_us": 850,
        "attempt_count": 2,
        "delivered": 1,
        "deployment": "large",
        "error": None,
        "segment": None,
        "policy": None,
    }
    assert (failed["trace"], failed["status"], failed["error"]) == (
        "tr_2",
        "failed",
        "upstream_timeout",
    )
    assert (failed["task"], failed["cost_usd_picos"], failed["deployment"]) == (None, 0, None)
    assert (running["trace"], running["status"], running["stream"]) == ("tr_3", None, False)


@pytest.mark.parametrize(
    ("params", "traces"),
    [
        ({"since_us": 30}, ["tr_3", "tr_2"]),
        ({"until_us": 30}, ["tr_1"]),
        ({"task": "support"}, ["tr_3", "tr_1"]),
        ({"tenant": "acme"}, ["tr_2"]),
        ({"limit": 1}, ["tr_3"]),
        ({"limit": None, "task": None}, ["tr_3", "tr_2", "tr_1"]),
    ],
    ids=str,
)
def test_requests_can_be_narrowed(
    reader: JournalReader, params: dict[str, object], traces: list[str]
) -> None:
    assert [row["trace"] for row in reader.query("requests", params)] == traces


def test_attempts_are_one_row_each(reader: JournalReader) -> None:
    failed, small, large = reader.query("attempts")
    assert {
        "trace": "tr_1",
        "attempt": 0,
        "deployment": "small",
        "failure": None,
        "gate": "escalate",
        "gate_reason": "verified is false",
        "cost_usd_picos": 40,
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "cached_tokens": 0,
        "usage_source": "reported",
        "first_token_ms": 5,
        "total_ms": 20,
        "delivered": False,
    }.items() <= small.items()
    assert {
        "attempt": 1,
        "step": 1,
        "model": "qwen3-32b",
        "gate": None,
        "cached_tokens": 64,
        "usage_source": "estimated",
        "started_ms": 21,
        "first_token_ms": None,
        "delivered": True,
    }.items() <= large.items()
    assert {
        "trace": "tr_2",
        "failure": "total_timeout",
        "prompt_tokens": None,
        "usage_source": None,
        "cost_usd_picos": 0,
        "delivered": False,
    }.items() <= failed.items()


def test_an_outcome_with_a_key_counts_once_per_tenant_and_the_first_stays(
    reader: JournalReader,
) -> None:
    rows = reader.query("outcomes")
    assert [row["id"] for row in rows] == ["oc_000001", "oc_000002", "oc_000003", "oc_000005"]
    assert [row["value"] for row in rows] == ["true", '"a \\"b\\""', None, "2.5"]
    assert [row["source"] for row in rows] == ["api", "api", "cli", "api"]


def test_a_repeated_key_stays_repeated_when_its_first_is_outside_the_window(
    reader: JournalReader,
) -> None:
    rows = reader.query("outcomes", {"since_us": 85, "tenant": "default"})
    assert rows == []


def test_outcomes_of_one_trace(reader: JournalReader) -> None:
    rows = reader.query("outcomes", {"trace": "tr_1"})
    assert [row["outcome"] for row in rows] == ["accepted", "rejected"]


def test_a_trace_is_every_record_of_it_exactly_as_appended(reader: JournalReader) -> None:
    rows = reader.query("trace", {"trace": "tr_1"})
    assert [row["kind"] for row in rows] == ["admission", "end", "outcome", "outcome", "outcome"]
    assert [decode_record(row["payload"]) for row in rows] == [
        fact for fact in FACTS if getattr(fact, "trace", None) == "tr_1"
    ]
    end, admission = rows[1], rows[0]
    if (end["seq"], end["writer"]) == (admission["seq"], admission["writer"]):
        chained = next_chain(bytes.fromhex(admission["chain"]), end["payload"].encode())
        assert end["chain"] == chained.hex()


def test_a_trace_is_hidden_from_another_tenant(reader: JournalReader) -> None:
    assert reader.query("trace", {"trace": "tr_1", "tenant": "acme"}) == []
    assert len(reader.query("trace", {"trace": "tr_2", "tenant": "acme"})) == 4


def test_a_response_id_leads_to_its_trace(reader: JournalReader) -> None:
    assert reader.query("find_by_response_id", {"response_id": "r-2"}) == [
        {"trace": "tr_1", "tenant": "default", "at_us": 20}
    ]
    assert reader.query("find_by_response_id", {"response_id": "r"}) == []


def test_the_latest_of_two_traces_with_one_response_id_wins(tmp_path: Path) -> None:
    attempt = an_attempt(response_id="cmpl-0")
    for n in (1, 2):
        write(tmp_path, [an_admission(f"tr_{n}"), an_end(f"tr_{n}", at_us=n, attempts=(attempt,))])
    with JournalReader(tmp_path) as reader:
        rows = reader.query("find_by_response_id", {"response_id": "cmpl-0"})
        assert [row["trace"] for row in rows] == ["tr_2"]


def test_references_of_both_kinds_lead_to_their_traces(reader: JournalReader) -> None:
    rows = reader.query("find", {"references": ["r-2", "tr_2", "nobody", "tr_9"]})
    assert {row["reference"]: (row["trace"], row["tenant"]) for row in rows} == {
        "r-2": ("tr_1", "default"),
        "tr_2": ("tr_2", "acme"),
    }


def test_configs_are_newest_first(reader: JournalReader) -> None:
    rows = reader.query("configs")
    assert [row["digest"] for row in rows] == ["c2", "c1"]
    assert rows[0]["text"] == '{"server":{}}'


def test_counts_by_kind(reader: JournalReader) -> None:
    counts = {row["kind"]: row["records"] for row in reader.query("counts")}
    assert counts == {"admission": 3, "config": 2, "end": 2, "outcome": 5}


def test_latency_of_what_was_delivered(tmp_path: Path) -> None:
    facts: list[Record] = []
    for n in range(101):
        trace, task = f"tr_{n}", "a" if n % 2 else "b"
        facts += [an_admission(trace, task=task), an_end(trace, total_ms=n, first_byte_ms=n)]
    write(tmp_path, [*facts, an_admission("tr_x", task="a"), an_end("tr_x", status="failed")])
    with JournalReader(tmp_path) as reader:
        rows = {row["task"]: row for row in reader.query("latency")}
    assert (rows["a"]["n"], rows["a"]["total_ms_p50"], rows["a"]["total_ms_p95"]) == (50, 50, 94.1)
    assert (rows["b"]["n"], rows["b"]["first_byte_ms_p50"]) == (51, 50)


def test_an_end_that_stands_twice_is_one_request(tmp_path: Path) -> None:
    end = an_end(attempts=(an_attempt(),), delivered=0)
    write(tmp_path, [an_admission(), end, an_end(at_us=9_000, status="failed")])
    with JournalReader(tmp_path) as reader:
        assert [row["status"] for row in reader.query("requests")] == ["delivered"]
        assert len(reader.query("attempts")) == 1


def test_a_query_sees_what_was_appended_just_before_it(tmp_path: Path) -> None:
    with JournalWriter(tmp_path, segment_bytes=600) as writer, JournalReader(tmp_path) as reader:
        assert reader.query("counts") == []
        for n in range(1, 20):
            writer.append(an_outcome(n))
            assert len(reader.query("outcomes")) == n


class _Accepts:
    windows: ClassVar = {"": 0}

    def __call__(self, task: str | None, facts: object) -> str:
        return "accepted"


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_gives_its_documented_columns(tmp_path: Path, name: str) -> None:
    query = QUERIES[name]
    kept = BodyRef(digest="a" * 64, size=3, pack="p")
    erasure = ErasureRecord(id="er_1", at_us=9_000, tenant="acme", keys=("sk_1",), bodies=2)
    served = ServedRecord(id="sv_1", at_us=1, deployment="d", identity=identity_of("m", "vllm"))
    noted = AcknowledgementRecord(alarm="al_1", at_us=9_001, by="ada")
    judged = an_outcome(77, source="judge:fair", outcome="judged", value=True)
    drawn = SamplingRecord(
        id="dw_1", at_us=9_003, by="ada", task="support", pool=1, since_us=0, until_us=9,
        drawn=(Drawn(trace="tr_1", chance=1.0),),
    )  # fmt: skip
    facts = [an_admission("tr_4", request=kept), erasure, served, noted, judged, drawn]
    write(tmp_path, [*FACTS, *facts])
    seal(tmp_path)
    roll_up(tmp_path, judge=_Accepts(), rules={"": "r"}, today=1)
    with JournalReader(tmp_path) as reader:
        rows = reader.query(name, {key: REQUIRED[key] for key in query.required})
    assert rows
    assert list(rows[0]) == list(query.columns)
    assert query.gives
    assert all(query.columns.values())


@pytest.mark.parametrize("name", QUERIES)
def test_an_empty_journal_answers_every_query_with_no_row(tmp_path: Path, name: str) -> None:
    with JournalReader(tmp_path) as reader:
        params = {key: REQUIRED[key] for key in QUERIES[name].required}
        assert reader.query(name, params) == []


def test_an_unknown_query_names_the_nearest(tmp_path: Path) -> None:
    with JournalReader(tmp_path) as reader, pytest.raises(UsageError, match="did you mean counts"):
        reader.query("count")


def test_an_unknown_or_missing_parameter_is_named(tmp_path: Path) -> None:
    with JournalReader(tmp_path) as reader:
        with pytest.raises(UsageError, match="since_us"):
            reader.query("counts", {"since": 1})
        with pytest.raises(UsageError, match="needs trace"):
            reader.query("trace")


def test_a_damaged_segment_is_read_up_to_the_damage_and_named(tmp_path: Path) -> None:
    write(tmp_path, FACTS)
    (path,) = segments(tmp_path)
    data = bytearray(path.read_bytes())
    data[-60] ^= 1  # inside the last record
    path.write_bytes(data)
    with JournalReader(tmp_path) as reader:
        assert sum(row["records"] for row in reader.query("counts")) == len(FACTS) - 1
        (fault,) = reader.faults
        assert (fault.file, fault.reason) == (path.name, "crc")


def test_duckdb_sees_no_file_outside_the_journal(tmp_path: Path) -> None:
    import duckdb

    inside, secret = tmp_path / "in", tmp_path / "secret.csv"
    inside.mkdir()
    secret.write_text("a\n1\n")
    connection = connect(readable=[], scratch=inside, threads=1, memory_mb=64)
    for statement in (
        f"SELECT * FROM read_csv('{secret}')",
        f"SELECT * FROM read_csv('{inside}/../secret.csv')",
        f"COPY (SELECT 1) TO '{secret}'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
    ):
        with pytest.raises(duckdb.Error):
            connection.execute(statement)
