"""Sampled traffic judged beside serving: even, bounded, within its budget, each answer once."""

import asyncio
import json
import os
import time

import msgspec
import pytest
from tests.labelling.traffic import NoKeys, put
from tests.support.gateway import RunningGateway, a_config, a_deployment

from pointsman.domain.evaluations import Answered
from pointsman.domain.judges import JudgeSpec
from pointsman.domain.messages import Reply
from pointsman.domain.records import Admission, End, Failure, OutcomeRecord
from pointsman.domain.task import OnlineSettings, Task
from pointsman.evaluating import online as online_module
from pointsman.evaluating.online import OnlineJudges, in_sample
from pointsman.journal import JournalReader, JournalWriter, iter_records
from pointsman.testing import Flag, ScriptedUpstream, chat_answer

JUDGE = JudgeSpec(name="polite", model="judge", rubric="It is polite.")
NOW_US = 1_800_000_000_000_000
PASS, FAIL = '{"reason": "kind", "verdict": "pass"}', '{"reason": "rude", "verdict": "fail"}'


def until(condition, within_s=60.0):
    by = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < by, "it did not come to that"
        time.sleep(0.02)
    return found


def serving(tmp_path, answerer, judge, **online):
    config = a_config(
        tmp_path / "j",
        [a_deployment("small", answerer.base_url), a_deployment("judge", judge.base_url)],
        steps=["small"], gate=None,
        task={"online": OnlineSettings(judge="polite", **{"sample": 1.0, **online})},
    )  # fmt: skip
    return RunningGateway(msgspec.structs.replace(config, judges={"polite": JUDGE}))


def opinions(gateway):
    return [msgspec.json.decode(row["payload"], type=OutcomeRecord)
            for row in gateway.rows("opinions")]  # fmt: skip


def test_answers_are_judged_after_they_were_given_and_the_judges_words_are_not_kept(tmp_path):
    with (
        ScriptedUpstream(default=chat_answer("Here you are.")) as small,
        ScriptedUpstream(default=chat_answer(PASS)) as judge,
        serving(tmp_path, small, judge) as gateway,
    ):
        answer = gateway.chat("a secret question")
        assert answer.status == 200
        (said,) = until(lambda: opinions(gateway))
        trace = answer.headers["x-pointsman-trace"]
        assert (said.trace, said.outcome, said.value, said.source) == (
            trace, "judged", 1.0, "judge:polite",
        )  # fmt: skip
        assert said.cost_usd_picos > 0
        assert said.maker == JUDGE.digest
        prompt = json.dumps(judge.requests[0].json)
        assert "a secret question" in prompt
        assert "Here you are." in prompt
        own = next(each for each in iter_records(tmp_path / "j")
                   if isinstance(each, Admission) and each.trace == said.asked[0])  # fmt: skip
        assert (own.principal, own.capture, own.request.pack) == ("evaluation", "digests", None)
        assert len(judge.requests) == 1  # its own request is not judged


def test_a_judge_that_hangs_delays_no_answer(tmp_path):
    flag = Flag()
    with (
        ScriptedUpstream(default=chat_answer("ok")) as small,
        ScriptedUpstream(default=chat_answer(FAIL, once=flag)) as judge,
        serving(tmp_path, small, judge) as gateway,
    ):
        assert all(gateway.chat(f"q{n}").status == 200 for n in range(6))
        assert opinions(gateway) == []
        flag.set()
        assert until(lambda: len(opinions(gateway)) == 6)
        assert {each.value for each in opinions(gateway)} == {0.0}
        ready = gateway.request("GET", "/readyz").json
        assert ready["judges"]["judged"] == 6


def test_what_a_stop_left_is_found_by_the_next_start(tmp_path):
    flag = Flag()
    with ScriptedUpstream(default=chat_answer("ok")) as small:
        with (
            ScriptedUpstream(default=chat_answer(PASS, once=flag)) as judge,
            serving(tmp_path, small, judge) as gateway,
        ):
            for n in range(3):
                gateway.chat(f"q{n}")
        with (
            ScriptedUpstream(default=chat_answer(PASS)) as judge,
            serving(tmp_path, small, judge) as gateway,
        ):
            gateway._loop.call_soon_threadsafe(gateway.app.start_judges)
            assert until(lambda: len(opinions(gateway)) == 3)


# The parts, without a gateway


class Config:
    def __init__(self, **online):
        self.tasks = {"support": Task(name="support", route="main", online=OnlineSettings(
            judge="polite", **{"sample": 1.0, **online}))}  # fmt: skip
        self.judges = {"polite": JUDGE}


class Room:
    """Everything an OnlineJudges needs, over a journal of a test."""

    def __init__(self, root, config, answer=PASS, *, free=True, cost=0, **more):
        self.root, self.answer, self.cost, self.asked = root, answer, cost, []
        self.records, self.free = [], free
        self.judges = OnlineJudges(
            lambda: config, self.ask, reports=self.reports, record=self.records.append,
            free=lambda: self.free, now_us=lambda: NOW_US, entropy=os.urandom, own="evaluation",
            **more,
        )  # fmt: skip

    async def reports(self):
        return JournalReader(self.root, keys=NoKeys())

    async def ask(self, request, *, session, tenant, timeout_s):
        self.asked.append((session, tenant))
        said = self.answer(len(self.asked)) if callable(self.answer) else self.answer
        if said is None:
            return Answered(failure=Failure(kind="cut"), cost_usd_picos=self.cost)
        return Answered(reply=Reply(content=said), cost_usd_picos=self.cost, trace="tr_j")

    def run(self, traffic, *, done):
        async def main():
            for admission, end in traffic:
                self.judges.ended(admission, end)
            if not traffic:
                self.judges.start()
            async with asyncio.timeout(60):
                while not done(self):
                    await asyncio.sleep(0.01)
            await self.judges.stop()

        asyncio.run(main())
        return self


def traffic(root, count, **given):
    with JournalWriter(root) as writer:
        for n in range(count):
            put(writer, n, at_us=NOW_US - 1_000_000 + n, **given)
    records = list(iter_records(root))
    ends = {each.trace: each for each in records if isinstance(each, End)}
    return [(each, ends[each.trace]) for each in records if isinstance(each, Admission)]


def test_a_sample_is_even_and_always_the_same(tmp_path):
    settings = OnlineSettings(judge="polite", sample=0.2)
    taken = [f"tr_{n}" for n in range(5000) if in_sample(f"tr_{n}", settings)]
    assert 0.17 < len(taken) / 5000 < 0.23
    more = OnlineSettings(judge="polite", sample=0.4)
    assert all(in_sample(trace, more) for trace in taken)
    pairs = traffic(tmp_path, 60)
    config = Config(sample=0.3)
    want = {a.trace for a, _ in pairs if in_sample(a.trace, config.tasks["support"].online)}
    room = Room(tmp_path, config).run(pairs, done=lambda r: len(r.records) >= len(want))
    assert {each.trace for each in room.records} == want


def test_only_delivered_answers_of_others_wait(tmp_path):
    pairs = traffic(tmp_path, 2, status="failed")
    pairs += [(msgspec.structs.replace(a, principal="evaluation"), e)
              for a, e in traffic(tmp_path / "b", 2)]  # fmt: skip
    pairs += [(msgspec.structs.replace(a, task="other"), e) for a, e in traffic(tmp_path / "c", 2)]
    room = Room(tmp_path, Config()).run(pairs, done=lambda r: True)
    assert room.judges.counts.waiting == 0


def test_what_waits_is_bounded_and_the_rest_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(online_module, "_MOST_WAITING", 5)
    pairs = traffic(tmp_path, 9)
    room = Room(tmp_path, Config(), looks_back=False)
    room.run(pairs, done=lambda r: len(r.records) == 5)
    assert room.judges.counts.dropped == 4


def test_a_days_money_is_never_passed_by_more_than_what_runs(tmp_path):
    pairs = traffic(tmp_path, 40)
    room = Room(tmp_path, Config(usd_per_day=1.0), cost=10**11, workers=2)
    room.run(pairs, done=lambda r: len(r.records) + r.judges.counts.over_budget == 40)
    assert 5 <= len(room.records) <= 8  # half a dollar at ten cents each, four at once


def test_money_spent_before_a_restart_counts(tmp_path):
    traffic(tmp_path, 10)
    with JournalWriter(tmp_path) as writer:
        writer.append(
            OutcomeRecord(id="oc_1", at_us=NOW_US - 1, trace=f"tr_{0:026d}", outcome="judged",
                          value=1.0, source="judge:polite", cost_usd_picos=10**12)
        )  # fmt: skip
    room = Room(tmp_path, Config(usd_per_day=1.0))
    room.run([], done=lambda r: r.judges.counts.over_budget == 9)
    assert room.records == []


def test_clients_come_first(tmp_path, monkeypatch):
    pairs = traffic(tmp_path, 3)
    room = Room(tmp_path, Config(), free=False)

    async def main():
        for admission, end in pairs:
            room.judges.ended(admission, end)
        for _ in range(20):
            await asyncio.sleep(0.01)
        assert room.asked == []
        room.free = True
        async with asyncio.timeout(60):
            while len(room.records) < 3:
                await asyncio.sleep(0.01)
        await room.judges.stop()

    asyncio.run(main())


def test_words_that_were_not_kept_are_counted_and_not_judged(tmp_path):
    pairs = traffic(tmp_path, 2, capture="digests")
    room = Room(tmp_path, Config()).run(pairs, done=lambda r: r.judges.counts.gone == 2)
    assert (room.records, room.asked) == ([], [])


def test_a_judge_that_is_away_is_asked_again_and_then_unjudged(tmp_path, monkeypatch):
    monkeypatch.setattr(online_module, "_AGAIN_S", (0.0, 0.0))
    pairs = traffic(tmp_path, 1)
    room = Room(tmp_path, Config(), answer=lambda n: None if n < 3 else PASS, cost=5)
    room.run(pairs, done=lambda r: r.records)
    (said,) = room.records
    assert (said.outcome, said.value, said.cost_usd_picos) == ("judged", 1.0, 15)
    gone = Room(tmp_path, Config(), answer=lambda n: None).run(pairs, done=lambda r: r.records)
    assert gone.records[0].outcome == "unjudged"
    assert "did not answer" in gone.records[0].value


def test_a_judge_out_of_form_is_unjudged_at_once(tmp_path):
    pairs = traffic(tmp_path, 1)
    room = Room(tmp_path, Config(), answer="It is fine.").run(pairs, done=lambda r: r.records)
    assert (room.records[0].outcome, len(room.asked)) == ("unjudged", 1)
    assert room.judges.counts.unjudged == 1


def test_a_restart_looks_back_over_the_last_hour_and_judges_nothing_twice(tmp_path):
    with JournalWriter(tmp_path) as writer:
        for n in range(6):
            put(writer, n, at_us=NOW_US - (2 if n == 0 else 0) * 3_600_000_000 - 10)
        writer.append(
            OutcomeRecord(id="oc_1", at_us=NOW_US, trace=f"tr_{1:026d}", outcome="judged",
                          value=1.0, source="judge:polite")
        )  # fmt: skip
    room = Room(tmp_path, Config()).run([], done=lambda r: len(r.records) == 4)
    assert sorted(int(each.trace[3:]) for each in room.records) == [2, 3, 4, 5]


@pytest.mark.parametrize("looks_back", [False])
def test_one_process_looks_back_for_all(tmp_path, looks_back):
    traffic(tmp_path, 3)
    room = Room(tmp_path, Config(), looks_back=looks_back).run([], done=lambda r: True)
    assert room.asked == []
