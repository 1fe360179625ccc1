"""What is watched for change, the alarms it raised, and taking note of them."""

from typing import TYPE_CHECKING

from pointsman.client.opened import Opened
from pointsman.domain.errors import NotFound

if TYPE_CHECKING:
    from pointsman.analytics.drift.watch import Watch
    from pointsman.domain.records import AcknowledgementRecord
    from pointsman.keeping.drifting import Told


class Drift(Opened):
    """Streams of outcomes and their alarms."""

    def watched(self) -> "Watch":
        """The streams that are watched for drift, as they stood at the last look."""
        from pointsman.keeping.drifting import watched

        return watched(self.root, self.config.drift)

    def alarms(self, *, since_us: int = 0) -> "list[Told]":
        """Every alarm, oldest first, with who took note and who was told."""
        from pointsman.keeping.drifting import alarms

        return alarms(self._reports, since_us=since_us)

    def check_drift(self) -> list[str]:
        """Look at what is new, now; a sentence for each alarm that this raised."""
        from pointsman.keeping.drifting import watch

        config = self.config
        now_us = self._clock.now_us()
        return list(watch(self.root, config.tasks, config.drift, now_us=now_us))

    def acknowledge(self, alarm: str, *, by: str, note: str = "") -> "AcknowledgementRecord":
        """Take note of an alarm. Raises: NotFound; JournalUnavailable."""
        from pointsman.domain.records import AcknowledgementRecord
        from pointsman.journal import JournalWriter

        if alarm not in {each.alarm.id for each in self.alarms()}:
            raise NotFound(f"no alarm {alarm!r}", next="pointsman drift --all")
        record = AcknowledgementRecord(alarm=alarm, at_us=self._clock.now_us(), by=by, note=note)
        with JournalWriter(self.root) as journal:
            journal.append(record)
        return record
