"""What a deployment serves becomes a record when it is known or changes, and ends name it."""

import asyncio
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.answering.identities import EVERY_S, Identities
from pointsman.domain.errors import JournalUnavailable
from pointsman.domain.identity import FIELDS, Found, identity_id, identity_of
from pointsman.domain.portfolio import Deployment, EmbeddedModel, ProbeRules

VLLM = Deployment(name="v", model="m", base_url="http://h/v1", served_name="m", engine="vllm")
OWN = Deployment(
    name="o", model="m", base_url=None, served_name="m", engine="embedded",
    embedded=EmbeddedModel(gguf="a.gguf"),
)  # fmt: skip


@dataclass
class World:
    """A journal, engines and a clock, each as a test wants them."""

    says: Found | Exception | None = None
    own: tuple = (None, None)
    now_s: float = 0.0
    down: bool = False
    records: list = field(default_factory=list)
    asked: int = 0

    def append(self, record):
        if self.down:
            raise JournalUnavailable("no room")
        self.records.append(record)

    async def ask(self, deployment):
        self.asked += 1
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    def table(self, *deployments):
        made = Identities(
            self, ask=self.ask, own=lambda deployment: self.own,
            now_us=lambda: 1_000_000 + round(self.now_s * 1e6), monotonic=lambda: self.now_s,
        )  # fmt: skip
        made.change(deployments)
        return made


def test_what_is_stated_is_known_before_an_engine_was_asked():
    world = World()
    stated = msgspec.structs.replace(VLLM, identity=Found(quantisation="awq"))
    table = world.table(stated)
    id = table.of("v")
    assert [(each.id, each.identity.quantisation) for each in world.records] == [(id, "awq")]
    assert table.of("v") == id
    assert len(world.records) == 1
    assert table.of("nobody") is None


def test_a_change_is_a_record_and_the_same_again_is_none():
    world = World(Found(engine_version="1"))
    table = world.table(VLLM)
    asyncio.run(table.look())
    first = table.of("v")
    world.says = Found(engine_version="2")
    asyncio.run(table.look())
    assert (table.of("v"), world.asked) == (first, 1)  # not due yet
    world.now_s = EVERY_S
    asyncio.run(table.look())
    assert table.of("v") != first
    world.says, world.now_s = None, 2 * EVERY_S  # says nothing: its last word stands
    asyncio.run(table.look())
    assert [each.identity.engine_version for each in world.records] == ["1", "2"]


def test_an_engine_that_came_back_is_asked_at_once():
    world = World(Found(engine_version="1"))
    table = world.table(VLLM)
    asyncio.run(table.look())
    world.says = Found(engine_version="2")
    table.look_soon("v")
    asyncio.run(table.look())
    assert [each.identity.engine_version for each in world.records] == ["1", "2"]


def test_it_is_written_again_each_day():
    world = World(Found(engine_version="1"))
    table = world.table(VLLM)
    for day in range(3):
        world.now_s = day * 86_400.0
        asyncio.run(table.look())
    assert len({each.id for each in world.records}) == 1
    assert len(world.records) == 3


def test_an_own_engine_that_loaded_another_file_is_another_at_once():
    world = World(own=(Found(weights_sha256="a" * 64), Found(engine_version="x")))
    table = world.table(OWN)
    first = table.of("o")
    world.own = (Found(weights_sha256="b" * 64), Found(engine_version="x"))
    assert table.of("o") != first
    assert world.asked == 0
    assert [each.identity.weights_sha256[0] for each in world.records] == ["a", "b"]


def test_another_place_begins_unknown():
    world = World(Found(engine_version="1"))
    table = world.table(VLLM)
    asyncio.run(table.look())
    table.change([msgspec.structs.replace(VLLM, base_url="http://other/v1")])
    world.says = None
    asyncio.run(table.look())
    assert [each.identity.engine_version for each in world.records] == ["1", None]
    table.change([])
    assert table.of("v") is None


def test_who_must_not_be_probed_is_not_asked():
    world = World(Found(engine_version="1"))
    table = world.table(msgspec.structs.replace(VLLM, probe=ProbeRules(when="never")))
    asyncio.run(table.look())
    assert world.asked == 0


@pytest.mark.parametrize("trouble", [OSError("odd"), ValueError("odd")])
def test_trouble_of_any_kind_leaves_what_is_known(trouble):
    world = World(trouble)
    table = world.table(VLLM)
    asyncio.run(table.look())
    assert table.of("v") is not None


def test_a_journal_without_room_is_tried_again():
    world = World(down=True)
    table = world.table(VLLM)
    assert table.of("v") is None
    world.down = False
    assert table.of("v") is not None


FOUND = st.builds(Found, **dict.fromkeys(FIELDS, st.sampled_from([None, "a", "A", "b"])))


@given(FOUND, FOUND, FOUND)
def test_files_count_before_engines_and_engines_before_statements(read, told, stated):
    made = identity_of("m", "vllm", stated=stated, told=told, read=read)
    for name in FIELDS:
        said = [getattr(each, name) for each in (read, told, stated)]
        expected = next((each for each in said if each is not None), None)
        assert getattr(made, name) == expected
        assert (name in made.sources) == (expected is not None)
        against = said[2] is not None and said[2].lower() != expected.lower()
        assert made.contradicted.get(name) == (said[2] if against else None)


@given(FOUND, FOUND)
def test_ids_are_the_same_only_for_the_same(one, other):
    first, second = (identity_of("m", "vllm", told=each) for each in (one, other))
    assert (identity_id("d", first) == identity_id("d", second)) == (first == second)
    assert identity_id("d", first) != identity_id("e", first)
