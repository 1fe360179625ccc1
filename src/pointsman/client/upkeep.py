"""What is done to the journal: outcomes into it, sealing, copying, erasing, reviews."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointsman.client.opened import Opened

if TYPE_CHECKING:
    from pointsman.answering.feedback import Refused
    from pointsman.journal import (
        BackupReport,
        CompactPlan,
        SealPlan,
        SealReport,
        VerifyReport,
    )
    from pointsman.keeping.erasure import Eraser
    from pointsman.keeping.status import JournalStatus
    from pointsman.reviewing.desk import Desk


class Upkeep(Opened):
    """Changes of the journal, and what they would be."""

    def add_feedback(
        self,
        rows: Sequence[Mapping[str, Any]],
        *,
        source: str = "import",
        progress: Any = lambda done: None,
        dry_run: bool = False,
    ) -> "tuple[int, list[Refused]]":
        """Record outcomes (`trace` or `id`, `kind`, `value`, `key`, `at_us`).

        Args: dry_run checks every row and writes nothing.
        Returns: how many were recorded, and which rows (from 1) were not and why.
        """
        from pointsman.answering.feedback import Feedback, Recent
        from pointsman.journal import JournalWriter

        journal = _Forgetful() if dry_run else JournalWriter(self.root)
        try:
            feedback = Feedback(journal, self._reports, Recent(), self._clock)
            return feedback.add_many([dict(row) for row in rows], source=source, progress=progress)
        finally:
            journal.close()

    def verify(self) -> "VerifyReport":
        """Walk every record: checksums, the hash chain, the sealed files."""
        from pointsman.journal import verify

        return verify(self.root)

    def seal(self) -> "SealReport":
        """Turn closed segments into Parquet. Bodies past their retention: see `expire`."""
        from pointsman.journal import seal

        return seal(self.root)

    def plan_seal(self) -> "SealPlan":
        """What `seal` and `expire` would do; nothing is changed."""
        from pointsman.journal import plan_seal

        return plan_seal(self.root, now_us=self._clock.now_us())

    def plan_compact(self) -> "CompactPlan":
        """What `compact` would do; nothing is changed."""
        from pointsman.journal import plan_compact

        return plan_compact(self.root)

    def expire(self) -> int:
        """Erase the bodies whose retention is over; how many were erased."""
        from pointsman.journal import erase_due

        return erase_due(self.root, now_us=self._clock.now_us()).bodies

    def compact(self) -> int:
        """Make one of small sealed files, day by day; how many files became fewer."""
        from pointsman.journal import compact

        files = 0
        while (report := compact(self.root)).state == "compacted":
            files += report.files - 1
        return files

    def backup(self, to: str | Path) -> "BackupReport":
        """Copy the journal as it stands to a new or empty directory, and verify the copy."""
        from pointsman.journal import backup

        return backup(self.root, to)

    def eraser(self) -> "Eraser":
        """What erases a person or a request. Raises: StateUnavailable."""
        from pointsman.keeping.erasure import Eraser

        return Eraser(
            self.root, self._reports, self.state().subject_keys, now_us=self._clock.now_us
        )

    def review_desk(self, *, decides: bool = True) -> "Desk":
        """Where held answers wait for people; to look at only, where nobody decides.

        Raises: StateUnavailable, JournalUnavailable.
        """
        from pointsman.journal import open_journal
        from pointsman.reviewing.desk import Desk

        if self._journal is None and decides:
            self._journal = open_journal(self.config.journal, path=self.root)
        state = self.state()
        return Desk(
            state.held, self._journal, self._reports, state.subject_keys, now_us=self._clock.now_us
        )

    def journal_status(self) -> "JournalStatus":
        """What there is, and how keeping it goes."""
        from pointsman.keeping.status import journal_status

        state = self._existing_state()
        return journal_status(
            self.root,
            schedules=state.schedules if state is not None else None,
            now_us=self._clock.now_us(),
        )


class _Forgetful:
    """Takes facts and keeps none."""

    def append(self, record: object) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""
