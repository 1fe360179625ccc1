"""The desk: what is held lies here until people decide; every decision is a record as well."""

import asyncio
import time
from collections.abc import Callable

import msgspec

from pointsman.domain.errors import InvalidRequest
from pointsman.domain.ports import HeldAnswers, Journal, Reports, SubjectKey, SubjectKeys
from pointsman.domain.records import ReviewRecord
from pointsman.domain.reviews import Held, approve, delivered, edit, reject
from pointsman.governing.held import text_of, with_text

_LOOK_S = 1.0  # between two looks at whether it is decided
_KEPT_US = 7 * 86_400_000_000  # bodies of a held answer, after it runs out
MOST_TEXT = 1_000_000  # characters of an edited answer


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A held answer as a reviewer reads it."""

    held: Held
    request: str | None  # None: erased
    answer: str | None


class Desk:
    """Implements the port `Holds`, and does what reviewers ask. Its blocking half is for threads.

    Args: journal is None for who only looks; reports reads bodies; keys find the subjects' keys of
    those that lie under one.
    """

    def __init__(
        self,
        held: HeldAnswers,
        journal: Journal | None,
        reports: Reports,
        keys: SubjectKeys,
        *,
        now_us: Callable[[], int],
    ) -> None:
        self._held, self._reports, self._keys = held, reports, keys
        self._kept_in = journal
        self._now_us = now_us

    async def keep(
        self, wanted: Held, *, request: bytes, answer: bytes, key: SubjectKey | None
    ) -> Held:
        """Both bodies are in the journal before it is named in the state."""
        until_us = wanted.expires_us + _KEPT_US
        kept = msgspec.structs.replace(
            wanted,
            request=self._journal.put_body(request, key=key, until_us=until_us),
            answer=self._journal.put_body(answer, key=key, until_us=until_us),
        )
        await asyncio.to_thread(self._held.add, kept)
        return kept

    async def decided(self, id: str, *, within_s: float) -> tuple[Held, bytes | None]:
        """Looks once a second: who decides may be in another process."""
        by = time.monotonic() + within_s
        while True:
            held = await asyncio.to_thread(self._held.get, id)
            if held.status_at(self._now_us()) != "waiting" or time.monotonic() >= by:
                ref = held.delivers
                body = await asyncio.to_thread(self._reports.body, ref) if ref else None
                return held, body
            await asyncio.sleep(min(_LOOK_S, max(0.01, by - time.monotonic())))

    # For reviewers, on threads.

    def waiting(self, *, limit: int = 100, after: str = "") -> tuple[Held, ...]:
        """Those that wait, the oldest first."""
        return self._held.waiting(now_us=self._now_us(), limit=limit, after=after)

    def latest(self, *, limit: int = 100) -> tuple[Held, ...]:
        """The newest, however they stand."""
        return self._held.latest(limit=limit)

    def read(self, id: str, *, tenant: str | None = None) -> Reading:
        """One, with what was asked and what is to be said. Raises: NotFound."""
        held = self._held.get(id, tenant=tenant)
        request = self._reports.body(held.request)
        answer = self._reports.body(held.edited or held.answer)
        return Reading(
            held=held,
            request=None if request is None else request.decode("utf-8", "replace"),
            answer=None if answer is None else text_of(answer),
        )

    def delivered(
        self, id: str, *, tenant: str, by: str
    ) -> tuple[Held, bytes | None, bytes | None]:
        """One as its client gets it: how it stands, its request, its answer where it has one.

        That it got it is a record, once; of two questions at one time perhaps two.
        Raises: NotFound, JournalUnavailable.
        """
        held = self._held.get(id, tenant=tenant)
        ref = held.delivers
        if ref is None:
            return held, None, None
        request, answer = self._reports.body(held.request), self._reports.body(ref)
        if answer is not None and request is not None and held.delivered_us is None:
            now_us = self._now_us()
            self._record(held, by, "deliver", now_us, status="delivered")
            held = self._held.change(id, lambda one: delivered(one, now_us=now_us))
        return held, request, answer

    def approve(
        self, id: str, *, by: str, principal: str | None = None, digest: str | None = None
    ) -> Held:
        """One approval more, of the answer with that digest if one is given.

        Raises: NotFound, InvalidRequest.
        """
        now_us = self._now_us()
        changed = self._held.change(
            id,
            lambda held: approve(held, by=by, now_us=now_us, principal=principal, digest=digest),
        )
        self._record(changed, by, "approve", now_us, principal=principal)
        return changed

    def edit(self, id: str, text: str, *, by: str, principal: str | None = None) -> Held:
        """Another text in its place. Raises: NotFound, InvalidRequest."""
        if len(text) > MOST_TEXT:
            raise InvalidRequest(f"the answer is over {MOST_TEXT} characters")
        now_us = self._now_us()
        held = self._held.get(id)
        body = self._reports.body(held.answer)
        if body is None:
            raise InvalidRequest(f"{id} was erased", why="its person asked for that")
        key = self._keys.find([held.answer.key]).get(held.answer.key) if held.answer.key else None
        ref = self._journal.put_body(
            with_text(body, text), key=key, until_us=held.expires_us + _KEPT_US
        )
        changed = self._held.change(
            id, lambda one: edit(one, by=by, now_us=now_us, edited=ref, principal=principal)
        )
        self._record(changed, by, "edit", now_us, principal=principal)
        return changed

    def reject(self, id: str, *, by: str, note: str = "", principal: str | None = None) -> Held:
        """It is not delivered. Raises: NotFound, InvalidRequest."""
        now_us = self._now_us()
        changed = self._held.change(
            id, lambda held: reject(held, by=by, now_us=now_us, note=note)
        )  # fmt: skip
        self._record(changed, by, "reject", now_us, principal=principal)
        return changed

    @property
    def _journal(self) -> Journal:
        assert self._kept_in is not None, "who decides writes it down"
        return self._kept_in

    def _record(
        self, held: Held, by: str, action: str, now_us: int,
        *, status: str | None = None, principal: str | None = None,
    ) -> None:  # fmt: skip
        self._journal.append(
            ReviewRecord(
                id=held.id,
                at_us=now_us,
                trace=held.trace,
                tenant=held.tenant,
                by=by,
                action=action,
                status=status or held.status,
                answer=held.edited or held.answer,
                principal=principal,
            )
        )
