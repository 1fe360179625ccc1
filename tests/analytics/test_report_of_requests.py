"""What a report says of requests: what is known, what it cost, at which step, and why not."""

from collections.abc import Mapping

import pytest
from analytics_rows import RowsInMemory, tried

from pointsman.analytics.report import Report, TaskReport, build_report
from pointsman.domain.task import AcceptanceRule, Task

TASK = Task(name="ticket", route="thrifty", acceptance=AcceptanceRule(within_h=1))
DAY_US = 86_400_000_000


def report(
    rows: RowsInMemory, tasks: Mapping[str, Task] | None = None, **changed: object
) -> Report:
    arguments = {"since_us": 0, "until_us": DAY_US, "now_us": 2 * DAY_US, **changed}
    return build_report(rows, tasks={"ticket": TASK} if tasks is None else tasks, **arguments)  # type: ignore[arg-type]


def ticket(rows: RowsInMemory, **changed: object) -> TaskReport:
    (only,) = report(rows, **changed).tasks
    return only


def a_cascade(rows: RowsInMemory) -> None:
    """Ten requests: seven answered by the small model, three sent on to the large one."""
    for i in range(7):
        rows.request(
            tried("small", gate="accept"), trace=f"tr_a{i}",
            outcome="accepted" if i < 6 else "rejected",
        )  # fmt: skip
    for i in range(3):
        rows.request(
            tried("small", gate="escalate"), tried("large", step=1, millidollars=10),
            trace=f"tr_b{i}", outcome="accepted" if i < 2 else None,
        )  # fmt: skip


def test_an_empty_range_has_no_tasks() -> None:
    assert report(RowsInMemory()).tasks == ()


def test_figures_count_what_is_known_and_pay_every_attempt() -> None:
    rows = RowsInMemory()
    a_cascade(rows)
    total = ticket(rows).total
    assert (total.requests, total.ended, total.known) == (10, 10, 9)
    assert total.accepted.value == pytest.approx(8 / 9)
    # seven small answers and two escalated ones for 8 accepted; the unknown one is not in it
    assert total.cost_per_accepted_usd.value == pytest.approx((7 * 0.001 + 2 * 0.011) / 8)
    assert total.spend_usd == pytest.approx(7 * 0.001 + 3 * 0.011)


def test_a_cancelled_request_costs_but_is_not_judged() -> None:
    rows = RowsInMemory()
    a_cascade(rows)
    rows.request(tried("small", millidollars=5), trace="tr_c", status="cancelled")
    total = ticket(rows).total
    assert (total.ended, total.cancelled, total.known) == (11, 1, 9)
    assert total.accepted.n == 9
    assert total.cost_per_accepted_usd.value == pytest.approx((0.029 + 0.005) / 8)
    assert total.cost_per_accepted_usd.n == 10


def test_a_request_that_failed_is_a_rejection_that_cost_what_it_cost() -> None:
    rows = RowsInMemory()
    a_cascade(rows)
    rows.request(
        tried("small", gate="escalate"), tried("large", step=1, failure="server_error"),
        trace="tr_f", status="failed",
    )  # fmt: skip
    seen = ticket(rows)
    assert seen.total.accepted.value == pytest.approx(8 / 10)
    assert [(f.deployment, f.kind, f.attempts) for f in seen.failures] == [
        ("large", "server_error", 1)
    ]


def test_a_request_that_runs_is_counted_and_not_judged() -> None:
    rows = RowsInMemory()
    rows.request(trace="tr_r", status=None, cost_usd_picos=None, total_ms=None, first_byte_ms=None)
    total = ticket(rows).total
    assert (total.requests, total.ended, total.known) == (1, 0, 0)
    assert total.accepted.value is None
    assert total.total_ms_p50.value is None


def test_steps_say_who_answered_and_how_the_gate_chose() -> None:
    rows = RowsInMemory()
    a_cascade(rows)
    (group,) = ticket(rows).groups
    small, large = group.steps
    assert (small.step, small.deployment, small.reached) == (0, "small", 10)
    assert small.delivered.value == pytest.approx(0.7)
    assert small.accepted.value == pytest.approx(6 / 7)
    assert small.passed.value == pytest.approx(0.7)
    assert small.escalated.value == pytest.approx(0.3)
    assert (large.reached, large.delivered.value) == (3, pytest.approx(0.3))
    assert (large.accepted.value, large.accepted.n) == (1.0, 2)
    assert large.passed.n == 0


def test_a_deployment_that_answered_alone_is_shown_beside_the_cascade() -> None:
    rows = RowsInMemory()
    a_cascade(rows)
    for i in range(4):
        rows.request(
            tried("large", millidollars=10), trace=f"tr_l{i}", route="large",
            outcome="accepted" if i else "rejected",
        )  # fmt: skip
    seen = ticket(rows)
    assert [group.name for group in seen.groups] == ["large", "thrifty"]
    (alone,) = seen.singles
    assert (alone.deployment, alone.figures.requests) == ("large", 4)
    assert alone.figures.cost_per_accepted_usd.value == pytest.approx(0.04 / 3)


def test_the_requests_a_gate_let_pass_are_not_a_single_deployment() -> None:
    rows = RowsInMemory()
    for i in range(7):
        rows.request(tried("small", gate="accept"), trace=f"tr_{i}", outcome="accepted")
    assert ticket(rows).singles == ()


def test_a_late_outcome_belongs_to_the_day_of_its_request() -> None:
    rows = RowsInMemory()
    rows.request(tried("small"), trace="tr_1", at_us=DAY_US - 1)
    rows.outcome("tr_1", "accepted", at_us=DAY_US + 1_000)
    assert ticket(rows, now_us=DAY_US + 999).total.known == 0
    assert ticket(rows, now_us=DAY_US + 1_000).total.accepted.value == 1.0


def test_a_report_of_an_earlier_moment_does_not_change_when_more_is_known() -> None:
    rows = RowsInMemory()
    rows.request(tried("small"), trace="tr_1", outcome="accepted")
    before = report(rows, now_us=3_000)
    rows.outcome("tr_1", "rejected", at_us=4_000)
    assert report(rows, now_us=3_000) == before


def test_tokens_that_cost_nothing_are_named() -> None:
    rows = RowsInMemory()
    a_cascade(rows)
    rows.request(tried("gratis", millidollars=0), trace="tr_g", route="gratis")
    assert ticket(rows).unpriced == ("gratis",)


def test_requests_without_a_task_or_with_a_forgotten_one_use_the_default_rule() -> None:
    rows = RowsInMemory()
    rows.request(tried("small"), trace="tr_1", task=None, outcome="accepted")
    rows.request(tried("small"), trace="tr_2", task="gone", outcome="edited")
    seen = report(rows)
    assert [(t.task, t.rule, t.total.accepted.value) for t in seen.tasks] == [
        ("", "default", 1.0),
        ("gone", "default", 0.0),
    ]


def test_requests_can_be_grouped_by_another_column() -> None:
    rows = RowsInMemory()
    rows.request(tried("small"), trace="tr_1", prompt="ticket@v1", outcome="accepted")
    rows.request(tried("small"), trace="tr_2", prompt="ticket@v2", outcome="rejected")
    rows.request(tried("small"), trace="tr_3", prompt=None, outcome="rejected")
    groups = ticket(rows, group="prompt").groups
    assert [(group.name, group.figures.accepted.value) for group in groups] == [
        ("", 0.0),
        ("ticket@v1", 1.0),
        ("ticket@v2", 0.0),
    ]


def test_times_are_of_delivered_requests() -> None:
    rows = RowsInMemory()
    for i in range(100):
        rows.request(tried("small"), trace=f"tr_{i:03}", total_ms=i + 1, held_ms=i, first_byte_ms=i)
    rows.request(trace="tr_x", status="failed", total_ms=60_000, first_byte_ms=None)
    total = ticket(rows).total
    assert (total.total_ms_p50.value, total.total_ms_p50.n) == (50, 100)
    assert (total.total_ms_p50.low, total.total_ms_p50.high) == (40, 61)
    assert total.total_ms_p95.value == 95
    assert total.held_ms_p50.value == 49


def test_a_report_of_one_tenant_holds_nothing_of_another() -> None:
    rows = RowsInMemory()
    a_cascade(rows)
    rows.request(tried("secret"), trace="tr_o", tenant="other", route="secret")
    seen = ticket(rows, tenant="default")
    assert seen.total.requests == 10
    assert "secret" not in str(seen)
    assert ticket(rows, tenant=None).total.requests == 11
