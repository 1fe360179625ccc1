"""The contract of labels: compare-and-set, with a history that is never edited."""

import pytest

from pointsman.domain.errors import UsageError
from pointsman.state import Label, State, open_state
from tests.state.state_forks import at_once


def test_a_label_is_made_moved_and_taken_away(state: State) -> None:
    assert state.labels.get("support@live") is None
    made = state.labels.put("support@live", "v1", by="ada", revision=0)
    assert made == Label(
        name="support@live", value="v1", revision=1, by="ada", at_us=1_700_000_000_000_000
    )
    moved = state.labels.put("support@live", "v2", by="bob", revision=1)
    assert state.labels.get("support@live") == moved
    gone = state.labels.put("support@live", None, by="cy", revision=2)
    assert gone is not None
    assert gone.value is None
    assert state.labels.history("support@live") == (gone, moved, made)
    assert state.labels.history("support@live", limit=1) == (gone,)


@pytest.mark.parametrize("revision", [0, 2, 7])
def test_a_move_from_another_revision_does_nothing(state: State, revision: int) -> None:
    made = state.labels.put("a", "v1", by="ada", revision=0)
    assert state.labels.put("a", "v2", by="bob", revision=revision) is None
    assert state.labels.get("a") == made


def test_what_is_said_now_is_listed_by_name(state: State) -> None:
    for name in ("b@live", "a@live", "a@next", "A@live", "a%"):
        state.labels.put(name, "v1", by="ada", revision=0)
    state.labels.put("a@next", None, by="ada", revision=1)
    state.labels.put("a@live", "v2", by="ada", revision=1)
    found = [(label.name, label.value) for label in state.labels.current()]
    assert found == [("A@live", "v1"), ("a%", "v1"), ("a@live", "v2"), ("b@live", "v1")]
    assert [label.name for label in state.labels.current("a@")] == ["a@live"]
    assert [label.name for label in state.labels.current("a%")] == ["a%"]


@pytest.mark.parametrize("value", ["", "x" * 65_537, "nul\0", "\ud800"])
def test_a_value_that_no_database_keeps_is_refused(state: State, value: str) -> None:
    with pytest.raises(UsageError):
        state.labels.put("a", value, by="ada", revision=0)


def test_a_value_comes_back_as_it_was(state: State) -> None:
    value = "Grüße 🚂 'quoted' \\ %s :name \n\t" + "x" * 60_000
    state.labels.put("a", value, by="ada", revision=0)
    found = state.labels.get("a")
    assert found is not None
    assert found.value == value


def test_of_many_who_move_a_label_at_once_one_wins_each_revision(url: str) -> None:
    open_state(url).close()

    def work(number: int) -> list[int]:
        won = []
        with open_state(url) as state:
            for _ in range(25):
                seen = state.labels.get("a")
                revision = seen.revision if seen else 0
                if made := state.labels.put("a", f"{number}", by=f"{number}", revision=revision):
                    won.append(made.revision)
        return won

    won = [revision for some in at_once(work, processes=3) for revision in some]
    assert sorted(won) == list(range(1, len(won) + 1))
    with open_state(url) as state:
        assert [each.revision for each in state.labels.history("a")] == sorted(won, reverse=True)
