"""What every question to a configuration's journal needs: its reader, its state, its end."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pointsman.domain.ports import SubjectKey
    from pointsman.domain.task import Configuration
    from pointsman.journal import (
        Fault,
        JournalWriter,
    )
    from pointsman.state import State


class Opened:
    """A configuration with the journal beside it; opened as far as it is asked."""

    def __init__(self, config: "Configuration") -> None:
        from pointsman.app import SystemClock
        from pointsman.journal import JournalReader, open_cipher

        self.config = config
        self._clock = SystemClock()
        self.root = Path(config.journal_path)
        self._state: State | None = None
        self._journal: JournalWriter | None = None  # where something is written down
        self.keys = _Keys(self)
        self._reports = JournalReader(
            config.journal_path, keys=self.keys, cipher=open_cipher(config.journal)
        )

    @classmethod
    def open(cls, path: str | Path = "pointsman.yaml") -> Self:
        """Raises: ConfigurationError when the file does not say what it must."""
        import os

        from pointsman.config import load

        return cls(load(Path(path), env=os.environ))

    @property
    def faults(self) -> "tuple[Fault, ...]":
        """Where the journal could not be read further, as of the last question; see `verify`."""
        return self._reports.faults

    def state(self) -> "State":
        """The state of the configuration, opened when first asked for. Raises: StateUnavailable."""
        if self._state is None:
            from pointsman.journal import open_master_key
            from pointsman.state import open_state

            self._state = open_state(self.config.state_url, wrapper=open_master_key(self.config))
        return self._state

    def _existing_state(self) -> "State | None":
        """The state, unless it is a file that is not there: reading makes none."""
        path = self.config.state_url.removeprefix("sqlite:///")
        if path != self.config.state_url and not Path(path).exists():
            return None
        return self.state()

    def close(self) -> None:
        """Let go of the memory of the questions asked so far. Safe to repeat."""
        self._reports.close()
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        if self._state is not None:
            self._state.close()
            self._state = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Keys:
    """Subject keys for reading bodies; the store is opened when the first body needs one."""

    def __init__(self, workspace: Opened) -> None:
        self._workspace = workspace

    def key(self, tenant: str, subject: str) -> "SubjectKey":
        return self._workspace.state().subject_keys.key(tenant, subject)

    def find(self, ids: Sequence[str]) -> "Mapping[str, SubjectKey]":
        state = self._workspace._existing_state()
        return state.subject_keys.find(ids) if state is not None else {}

    def destroy(self, tenant: str, subject: str) -> tuple[str, ...]:
        return self._workspace.state().subject_keys.destroy(tenant, subject)
