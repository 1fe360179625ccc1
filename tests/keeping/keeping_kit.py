"""What the tests of keeping share: ports in memory, a clock that is set, a small journal."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parent.parent / "journal"))

from pointsman.domain.messages import Features
from pointsman.domain.ports import Lease, Schedule, SubjectKey
from pointsman.domain.records import Admission
from pointsman.domain.subjects import subject_of
from pointsman.journal import JournalWriter

DAY_US = 86_400_000_000


class FakeKeys:
    """The port `SubjectKeys`, in memory."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, str], SubjectKey] = {}
        self._made = 0

    def key(self, tenant: str, subject: str) -> SubjectKey:
        who = (tenant, subject)
        if who not in self._keys:
            self._made += 1
            secret = bytes([self._made]) * 32
            self._keys[who] = SubjectKey(id=f"sk_{self._made}", secret=secret)
        return self._keys[who]

    def find(self, ids: Sequence[str]) -> Mapping[str, SubjectKey]:
        return {key.id: key for key in self._keys.values() if key.id in ids}

    def destroy(self, tenant: str, subject: str) -> tuple[str, ...]:
        key = self._keys.pop((tenant, subject), None)
        return () if key is None else (key.id,)


class FakeLeases:
    """The port `Leases`, in memory."""

    def __init__(self) -> None:
        self.lease: Lease | None = None

    def acquire(self, name: str, holder: str, *, ttl_s: float, now_us: int) -> Lease | None:
        held = self.lease
        over = held is None or held.expires_us <= now_us
        if held is not None and not over and held.holder != holder:
            return None
        epoch = (held.epoch if held else 0) + over
        self.lease = Lease(
            name=name, holder=holder, expires_us=now_us + round(ttl_s * 1e6), epoch=epoch
        )
        return self.lease

    def release(self, lease: Lease) -> None:
        if self.lease == lease:
            self.lease = msgspec.structs.replace(lease, expires_us=0)


class FakeSchedules:
    """The port `Schedules`, in memory."""

    def __init__(self) -> None:
        self._known: dict[str, Schedule] = {}

    def ensure(self, name: str, *, every_s: float, now_us: int) -> Schedule:
        fresh = Schedule(name=name, next_us=now_us, every_s=every_s)
        return self._known.setdefault(name, fresh)

    def due(self, now_us: int) -> Sequence[Schedule]:
        return [each for each in self._known.values() if each.next_us <= now_us]

    def done(self, name: str, *, now_us: int, error: str | None = None) -> Schedule:
        known = self._known[name]
        self._known[name] = msgspec.structs.replace(
            known, last_us=now_us, last_error=error,
            next_us=now_us + round(known.every_s * 1e6),
        )  # fmt: skip
        return self._known[name]


class SetClock:
    """A wall clock and a monotonic one, moved by hand, together or apart."""

    def __init__(self, wall_us: int) -> None:
        self.wall_us, self.monotonic_s = wall_us, 0.0

    def now_us(self) -> int:
        return self.wall_us

    def monotonic(self) -> float:
        return self.monotonic_s

    def passes(self, seconds: float) -> None:
        self.wall_us += round(seconds * 1e6)
        self.monotonic_s += seconds


def a_features(**changes: object) -> Features:
    return msgspec.structs.replace(
        Features(
            task="support", tenant="acme", messages=2, text_chars=412, prompt_tokens_estimate=103,
            has_image=False, has_tools=False, wants_json=False, stream=False,
        ),
        **changes,
    )  # fmt: skip


def admitted(
    writer: JournalWriter,
    keys: FakeKeys,
    trace: str,
    *,
    subject: str | None = "ada",
    tenant: str = "acme",
    body: bytes = b"what ada said",
    at_us: int = 0,
    keep_days: int = 30,
) -> Admission:
    """One request of a person, as the gateway writes it."""
    from journal_facts import an_admission

    ref = writer.put_body(
        body,
        features=msgspec.json.encode(a_features()),
        key=keys.key(tenant, subject_of(subject, at_us)),
        until_us=at_us + keep_days * DAY_US,
    )
    admission = an_admission(trace, at_us=at_us, tenant=tenant, request=ref)
    writer.append(admission)
    return admission
