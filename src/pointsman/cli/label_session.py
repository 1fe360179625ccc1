"""One sitting at the terminal: a request at a time, a key a label, everything kept at once."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from pointsman.cli.output import note, printable
from pointsman.domain.errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from pointsman.labelling.desk import LabelDesk, Word

_KEYS: dict[str, "Word"] = {"a": "accept", "r": "reject", "e": "edit", "s": "skip"}
_ASK = "[a]ccept  [r]eject  [e]dit  [s]kip  [u]ndo  [q]uit "
_LONGEST_MS = 3_600_000  # a rater who went for lunch took no longer than this


class Session:
    """Shows what waits for a rater until it is done or they quit.

    Args: key gives the next key; edit gives the text that a person made of another, None for none.
    """

    def __init__(
        self,
        desk: "LabelDesk",
        rater: str,
        queue: Sequence[str],
        *,
        key: Callable[[], str] = click.getchar,
        edit: Callable[[str], str | None] = lambda text: click.edit(text, require_save=True),
    ) -> None:
        self._desk, self._rater, self._queue = desk, rater, list(queue)
        self._key, self._edit = key, edit
        self._done: list[str] = []  # labelled in this sitting, the latest last

    def run(self) -> None:
        """Until nothing waits, or `q`, or Ctrl-C; both keep what was said."""
        place = gone = 0
        try:
            while place < len(self._queue):
                trace = self._queue[place]
                try:
                    item = self._desk.read(trace)
                except (InvalidRequest, NotFound):
                    gone += 1
                    place += 1
                    continue
                click.echo(f"\n── {place + 1} of {len(self._queue)} · {item.task} · {trace} ──")
                click.echo(printable(item.asked))
                click.echo("── answer ──")
                click.echo(printable(item.answer))
                step = self._one(trace, item.answer)
                if step is None:
                    break
                place = self._queue.index(self._done.pop()) if step < 0 else place + step
        except (KeyboardInterrupt, EOFError):
            click.echo()
        if gone:
            note(f"{gone} passed over: their words are erased, or were never kept")
        left = len(self._queue) - place
        note(f"{len(self._done)} labelled, {left} wait; `pointsman label start` goes on")

    def _one(self, trace: str, answer: str) -> int | None:
        """1: on; -1: back to the one before; None: enough."""
        began = time.monotonic()
        while True:
            click.echo(_ASK, nl=False)
            key = self._key().lower()
            if key in ("q", "\x04", "\x03"):
                click.echo("quit")
                return None
            if key == "u":
                if not self._done:
                    click.echo("nothing to undo")
                    continue
                self._desk.label(self._done[-1], "undone", rater=self._rater)
                click.echo("undone")
                return -1
            word = _KEYS.get(key)
            if word is None:
                click.echo("?")
                continue
            edited = self._edit(answer) if word == "edit" else None
            if word == "edit":
                edited = (edited or "").rstrip("\n")
                if not edited or edited == answer:
                    click.echo("not edited")
                    continue
            took_ms = min(_LONGEST_MS, round((time.monotonic() - began) * 1000))
            self._desk.label(trace, word, rater=self._rater, edited=edited, took_ms=took_ms)
            self._done.append(trace)
            click.echo(word)
            return 1
