"""Reports and comparisons as terminal text: golden files, widths and single numbers."""

import os
from pathlib import Path
from typing import Any

import pytest
from analytics_arms import case, three_arms
from analytics_rows import RowsInMemory, tried
from hypothesis import given
from hypothesis import strategies as st

from pointsman.analytics import formats
from pointsman.analytics.compare import compare_arms
from pointsman.analytics.report import Report, build_report
from pointsman.analytics.text import render_comparison, render_report, render_summary
from pointsman.domain.task import AcceptanceRule, Task
from pointsman.stats.estimate import Estimate

GOLDEN = Path(__file__).parent / "golden"
START_US = 1_795_478_400_000_000  # 2026-11-24 00:00 UTC
DAY_US = 86_400_000_000


def agrees(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def a_day() -> RowsInMemory:
    rows = RowsInMemory()
    for i in range(300):
        easy, right = i % 4 != 0, i % 19 != 0
        attempts = [tried("local-8b", gate="accept" if easy else "escalate")]
        if not easy:
            attempts.append(tried("local-32b", step=1, millidollars=12))
        rows.request(
            *attempts, trace=f"tr_{i:04}", at_us=START_US + i * 1_000_000,
            outcome="accepted" if right else "edited", total_ms=300 + i, first_byte_ms=40 + i % 50,
            held_ms=20 + i % 30,
        )  # fmt: skip
    for i in range(60):
        rows.request(
            tried("local-32b", millidollars=12), trace=f"tr_s{i:03}", at_us=START_US + i,
            route="local-32b", outcome="accepted" if i % 30 else None, total_ms=900 + i,
        )  # fmt: skip
    rows.request(
        tried("local-8b", failure="cut"), tried("local-32b", step=1, failure="server_error"),
        trace="tr_f", at_us=START_US, status="failed",
    )  # fmt: skip
    rows.request(
        tried("tiny", millidollars=0), trace="tr_z", at_us=START_US, task=None, route="tiny"
    )
    return rows


def a_report(**given: Any) -> Report:
    task = Task(name="support-reply", route="thrifty", acceptance=AcceptanceRule(within_h=48))
    rows = a_day()
    for row in rows.rows["requests"]:
        row["task"] = row["task"] and "support-reply"
    report = build_report(
        rows, tasks={"support-reply": task}, since_us=START_US, until_us=START_US + DAY_US,
        now_us=START_US + 2 * DAY_US, **given,
    )  # fmt: skip
    return report


def report_text(width: int) -> str:
    return render_report(a_report(), width=width)


@pytest.mark.parametrize("width", [160, 100, 60])
def test_golden_report(width: int) -> None:
    agrees(f"report-{width}.txt", report_text(width))


@pytest.mark.parametrize("width", [80, 60])
def test_golden_summary(width: int) -> None:
    agrees(f"summary-{width}.txt", render_summary(a_report(), width=width))


@pytest.mark.parametrize("width", [110, 60])
def test_golden_comparison(width: int) -> None:
    comparison = compare_arms(three_arms(), "large")
    agrees(f"comparison-{width}.txt", render_comparison(comparison, width=width))


def test_golden_comparison_of_an_arm_without_an_accepted_answer() -> None:
    arms = {
        "good": [case(i, cost=0.002, accepted=i % 3 > 0) for i in range(30)],
        "poor": [case(i, cost=0.001, accepted=False) for i in range(31)],
    }
    text = render_comparison(compare_arms(arms, "good"), width=110)
    agrees("comparison-nothing-accepted.txt", text)


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    texts = (
        report_text(width),
        render_summary(a_report(), width=width),
        render_comparison(compare_arms(three_arms(), "large"), width=width),
    )
    assert max(len(line) for text in texts for line in text.splitlines()) <= width


def test_an_empty_report_says_so() -> None:
    report = build_report(RowsInMemory(), tasks={}, since_us=0, until_us=1, now_us=1)
    assert render_report(report).endswith("\n\nno requests\n")


def test_money_of_a_table_is_in_the_one_unit_that_it_names() -> None:
    for text in (report_text(160), render_summary(a_report(), width=160)):
        assert "e-0" not in text
        for part in text.split("\n\n"):
            heads = [word for word in ("$", "m$", "µ$") if f", {word}" in part]
            assert len(heads) <= 1
    assert "money in m$: thousandths of a dollar" in render_summary(a_report(), width=160)


def test_a_summary_is_a_row_each_on_a_terminal_of_the_usual_width() -> None:
    lines = render_summary(a_report(), width=80).splitlines()
    [head] = [number for number, line in enumerate(lines) if line.startswith("task")]
    assert [line.split()[0] for line in lines[head + 1 : head + 5]] == [
        "(no", "support-reply", "local-32b", "thrifty",
    ]  # fmt: skip


def test_configurations_are_never_pooled_without_a_word() -> None:
    rows = a_day()
    for number, row in enumerate(rows.rows["requests"]):
        row["config"] = f"digest-{'a' if number % 3 else 'b'}"
    span = {
        "tasks": {}, "since_us": START_US, "until_us": START_US + DAY_US,
        "now_us": START_US + 2 * DAY_US,
    }  # fmt: skip
    report = build_report(rows, **span)
    ticket = next(task for task in report.tasks if task.task == "ticket")
    assert [(each.digest, each.requests) for each in ticket.configs] == [
        ("digest-a", 240),
        ("digest-b", 121),
    ]
    for text in (render_report(report, width=200), render_summary(report, width=200)):
        assert "ticket ran under 2 configurations · digest-a (240) · digest-b (121)" in text
    apart = build_report(rows, **span, group="config")
    assert "ran under" not in render_report(apart) + render_summary(apart)
    assert {each.name for each in apart.tasks[-1].groups} == {"digest-a", "digest-b"}
    assert "ran under" not in render_summary(a_report())


@given(
    values=st.lists(st.floats(1e-11, 1e5), min_size=1, max_size=6),
)
def test_amounts_have_three_significant_digits_and_no_exponent(values: list[float]) -> None:
    unit = formats.unit_of(values)
    for value in values:
        text = formats.amount(value, unit)
        assert "e" not in text
        assert float(text.replace(",", "")) / unit.per_usd == pytest.approx(value, rel=0.006)


@pytest.mark.parametrize(
    ("least", "name"),
    [(5.0, "$"), (0.01, "$"), (0.0099, "m$"), (1e-5, "m$"), (9e-6, "µ$"), (1e-12, "µ$"), (0, "$")],
)
def test_the_unit_suits_the_least_amount(least: float, name: str) -> None:
    assert formats.unit_of([least, None, 10_000.0]).name == name


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "$0"),
        (1.234e-7, "$1.23e-07"),
        (0.00099, "$9.90e-04"),
        (0.001234, "$0.00123"),
        (0.01234, "$0.0123"),
        (0.09996, "$0.100"),
        (0.5, "$0.500"),
        (9.996, "$10.0"),
        (12.34, "$12.3"),
        (99.96, "$100"),
        (12345.6, "$12,346"),
    ],
)
def test_money_has_three_significant_digits(value: float, text: str) -> None:
    assert formats.usd(value) == text


def test_numbers_show_their_doubt() -> None:
    rate = Estimate(value=0.881, low=0.85, high=0.907, n=412)
    assert formats.percent(rate) == "88.1 % [85.0, 90.7] n=412"
    assert formats.points(Estimate(value=0.022, low=0.004, high=0.04, n=9)) == (
        "+2.2 pts [+0.4, +4.0]"
    )
    thousandths = formats.UNITS[1]
    nothing = Estimate(value=None, low=0.012, high=None, n=9)
    assert formats.money(nothing, thousandths) == "– [12.0, ∞]"
    assert formats.change(Estimate(value=0.89, low=0.86, high=0.92, n=9)) == "-11 % [-14, -8]"
    assert formats.change(Estimate(value=2.0, low=None, high=None, n=1)) == "+100 %"
    less = Estimate(value=-2e-6, low=-3e-6, high=None, n=9)
    assert formats.money_difference(less, thousandths) == "-0.00200 [-0.00300, ∞]"
    assert formats.milliseconds(Estimate(value=1812, low=None, high=None, n=3)) == "1,812 [0, ∞]"


@pytest.mark.parametrize(
    ("at_us", "text"),
    [
        (0, "1970-01-01 00:00"),
        (951_782_399_000_000, "2000-02-28 23:59"),
        (951_782_400_000_000, "2000-02-29 00:00"),
        (START_US + 43_440_000_000, "2026-11-24 12:04"),
        (4_107_542_400_000_000, "2100-03-01 00:00"),
    ],
)
def test_moments_are_of_the_gregorian_calendar_in_utc(at_us: int, text: str) -> None:
    assert formats.moment(at_us) == text
