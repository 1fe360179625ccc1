"""The contract of files: a tenant's own, bounded, paged, gone when they are over."""

from typing import Any

import msgspec
import pytest

from pointsman.domain.batches import FileEntry
from pointsman.domain.errors import InvalidRequest, NotFound
from pointsman.domain.ids import file_id
from pointsman.state import State, files

NOW = 1_700_000_000_000_000
ROOM = 1_000_000


def a_file(number: int, **changes: Any) -> FileEntry:
    said = FileEntry(
        id=file_id(1_700_000_000_000 + number, bytes(10)),
        tenant="acme",
        store="0123456789abcdef",
        name=f"night {number}.jsonl",
        purpose="batch",
        size=100,
        made_us=NOW + number,
    )
    return msgspec.structs.replace(said, **changes)


def added(state: State, *entries: FileEntry) -> None:
    for entry in entries:
        state.files.add(entry, most_bytes=ROOM)


def test_a_file_comes_back_as_it_was_to_its_tenant_alone(state: State) -> None:
    entry = a_file(1, name="Grüße 🚂 'quoted' %s.jsonl", expires_us=NOW + 5)
    added(state, entry)
    assert state.files.get(entry.id, "acme", now_us=NOW) == entry
    for tenant, at_us in (("other", NOW), ("acme", NOW + 5)):
        with pytest.raises(NotFound):
            state.files.get(entry.id, tenant, now_us=at_us)
    with pytest.raises(NotFound):
        state.files.remove(entry.id, "other")
    assert state.files.remove(entry.id, "acme") == entry
    with pytest.raises(NotFound):
        state.files.get(entry.id, "acme", now_us=NOW)


def test_pages_go_through_every_living_file_of_a_tenant_once(state: State) -> None:
    mine = [a_file(number) for number in range(7)]
    added(state, *mine, a_file(8, tenant="other"), a_file(9, expires_us=NOW))
    seen: list[FileEntry] = []
    while page := state.files.page(
        "acme", now_us=NOW, limit=3, after=seen[-1].id if seen else None
    ):
        seen += page
    assert seen == mine[::-1]
    first = state.files.page("acme", now_us=NOW, limit=2, ascending=True)
    assert list(first) == mine[:2]
    assert state.files.page("acme", now_us=NOW, limit=9, purpose="batch_output") == ()


def test_a_tenant_keeps_no_more_than_it_may(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    added(state, a_file(1, size=ROOM - 10), a_file(2, size=10))
    with pytest.raises(InvalidRequest, match="no room"):
        added(state, a_file(3, size=1))
    added(state, a_file(3, size=1, tenant="other"))
    state.files.remove(a_file(2).id, "acme")
    added(state, a_file(4, size=1))
    monkeypatch.setattr(files, "FILES_MOST", 2)
    with pytest.raises(InvalidRequest, match="no room"):
        added(state, a_file(5, size=0))


def test_files_that_are_over_are_removed_from_their_own_store(state: State) -> None:
    over = a_file(1, expires_us=NOW - 1)
    added(state, over, a_file(2, expires_us=NOW - 1, store="another"), a_file(3))
    assert state.files.remove_expired(over.store, now_us=NOW) == (over.id,)
    assert state.files.remove_expired(over.store, now_us=NOW) == ()
    assert state.files.known((over.id, a_file(2).id, a_file(3).id)) == {
        a_file(2).id, a_file(3).id,
    }  # fmt: skip
