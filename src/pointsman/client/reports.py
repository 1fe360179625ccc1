"""What requests came to together, and how budgets stand."""

from typing import TYPE_CHECKING, Any

from pointsman.client.opinions import Opinions
from pointsman.domain.errors import (
    UsageError,
)

if TYPE_CHECKING:
    from pointsman.admitting.standing import Standing
    from pointsman.analytics.daily import Range
    from pointsman.analytics.report import Group, Report
    from pointsman.analytics.trend import Period, Trend
    from pointsman.analytics.versions import Versions


_MANY = 200_000  # requests, above which a report goes by sums of days


class Sums(Opinions):
    """Requests, many at once."""

    def report(
        self,
        *,
        since_us: int = 0,
        until_us: int | None = None,
        task: str | None = None,
        fast: bool | None = None,
        group: "Group" = "route",
    ) -> "Report":
        """Accepted rate, cost per accepted output and latency, by task and by route.

        Args: fast takes whole days from their sums, whose times are off by 2.2 % at most, and
            which tell steps of routes only; None: over long ranges. group is what the requests of
            a task are told apart by.
        """
        import msgspec

        from pointsman.analytics.report import build_report
        from pointsman.analytics.rolled import build_rolled_report

        now_us = self._clock.now_us()
        tasks = self.config.tasks
        if task is not None and task not in tasks:
            raise UsageError(f"no task {task!r}", next=f"tasks: {', '.join(tasks) or 'none'}")
        until_us = until_us if until_us is not None else now_us + 1
        span: dict[str, Any] = {"since_us": since_us, "until_us": until_us, "now_us": now_us}
        if self._is_long(since_us, until_us) if fast is None else fast:
            made = build_rolled_report(self._reports, tasks=tasks, task=task, group=group, **span)
        else:
            made = build_report(self._reports, tasks=tasks, task=task, group=group, **span)
        found = self.quality(since_us=since_us, until_us=until_us, task=task)
        return msgspec.structs.replace(made, quality=found)

    def trend(
        self,
        *,
        since_us: int = 0,
        until_us: int | None = None,
        task: str | None = None,
        period: "Period" = "day",
        group: "Group | None" = None,
    ) -> "Trend":
        """Cohorts by day or week, what their costs are made of, and what changed meanwhile."""
        from pointsman.analytics.trend import build_trend

        return build_trend(
            self._reports, self.config.tasks, self._range(since_us, until_us, task),
            period=period, group=group, usd_per_look=self.config.review.usd_per_look,
        )  # fmt: skip

    def versions(
        self,
        a: str,
        b: str,
        *,
        since_us: int = 0,
        until_us: int | None = None,
        task: str | None = None,
        group: "Group" = "prompt",
        margin: float = 0.02,
    ) -> "Versions":
        """Version b against version a of a prompt, policy, route or configuration, on requests
        that are alike. Raises: UsageError for a version that served nothing."""
        from pointsman.analytics.versions import compare_versions

        return compare_versions(
            self._reports, self.config.tasks, self._range(since_us, until_us, task), group=group,
            a=a, b=b, margin=margin,
        )  # fmt: skip

    def _range(self, since_us: int, until_us: int | None, task: str | None) -> "Range":
        from pointsman.analytics.daily import Range

        tasks = self.config.tasks
        if task is not None and task not in tasks:
            raise UsageError(f"no task {task!r}", next=f"tasks: {', '.join(tasks) or 'none'}")
        now_us = self._clock.now_us()
        until_us = until_us if until_us is not None else now_us + 1
        return Range(since_us=since_us, until_us=until_us, now_us=now_us, task=task)

    def _is_long(self, since_us: int, until_us: int) -> bool:
        """True where reading every request would take seconds, and sums of days are there."""
        span = {"since_us": since_us, "until_us": until_us}
        counts = {row["kind"]: row["records"] for row in self._reports.query("counts", span)}
        return counts.get("admission", 0) > _MANY and bool(self._reports.query("rolled_days"))

    def budgets(self) -> "list[Standing]":
        """How every budget stands in its present period. Raises: StateUnavailable."""
        from pointsman.admitting.standing import look

        return look(self.config, self._existing_state(), now_us=self._clock.now_us())
