"""Reports and comparisons as terminal text: golden files, widths and single numbers."""

import os
from pathlib import Path

import pytest
from analytics_arms import case, three_arms
from analytics_rows import RowsInMemory, tried

from pointsman.analytics import formats
from pointsman.analytics.compare import compare_arms
from pointsman.analytics.report import build_report
from pointsman.analytics.text import render_comparison, render_report
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


def report_text(width: int) -> str:
    task = Task(name="support-reply", route="thrifty", acceptance=AcceptanceRule(within_h=48))
    rows = a_day()
    for row in rows.rows["requests"]:
        row["task"] = row["task"] and "support-reply"
    report = build_report(
        rows, tasks={"support-reply": task}, since_us=START_US, until_us=START_US + DAY_US,
        now_us=START_US + 2 * DAY_US,
    )  # fmt: skip
    return render_report(report, width=width)


@pytest.mark.parametrize("width", [160, 100, 60])
def test_golden_report(width: int) -> None:
    agrees(f"report-{width}.txt", report_text(width))


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
        render_comparison(compare_arms(three_arms(), "large"), width=width),
    )
    assert max(len(line) for text in texts for line in text.splitlines()) <= width


def test_an_empty_report_says_so() -> None:
    report = build_report(RowsInMemory(), tasks={}, since_us=0, until_us=1, now_us=1)
    assert render_report(report).endswith("\n\nno requests\n")


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
    assert formats.money(Estimate(value=None, low=0.012, high=None, n=9)) == "– [0.0120, ∞]"
    assert formats.change(Estimate(value=0.89, low=0.86, high=0.92, n=9)) == "-11 % [-14, -8]"
    assert formats.change(Estimate(value=2.0, low=None, high=None, n=1)) == "+100 %"
    assert formats.money_difference(Estimate(value=-2e-6, low=-3e-6, high=None, n=9)) == (
        "-$2.00e-06 [-3.00e-06, ∞]"
    )
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
