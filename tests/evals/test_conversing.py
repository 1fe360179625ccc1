"""Conversations with scripted tools and turns: what is asked next, and when it is over."""

from hypothesis import given
from hypothesis import strategies as st

from pointsman.domain.messages import Reply, ToolCall
from pointsman.evals.case import Case, SimulatedTool, ToolResult
from pointsman.evals.conversing import Talk, hear, request_of

WEATHER = SimulatedTool(
    name="weather",
    description="of a city",
    results=(
        ToolResult(when={"city": "Oslo"}, gives={"degrees": -3}),
        ToolResult(when={"city": "Atlantis"}, error="no such city"),
    ),
)


def a_case(**more):
    return Case(id="c", messages=({"role": "user", "content": "cold?"},), **more)


def calling(*calls):
    made = tuple(
        ToolCall(index=i, id=f"id{i}", name=name, arguments=arguments)
        for i, (name, arguments) in enumerate(calls)
    )
    return Reply(content="", tool_calls=made)


def test_a_plain_answer_ends_it():
    talk = hear(Talk(case=a_case()), Reply(content="yes"))
    assert (talk.over, talk.requests) == ("answered", 1)


def test_tools_answer_as_scripted_by_their_arguments():
    talk = Talk(case=a_case(tools=(WEATHER,)))
    request = request_of(talk, model="m", fields={"temperature": 0}, seed=3)
    assert request["tools"][0]["function"]["name"] == "weather"
    assert (request["seed"], request["temperature"], request["model"]) == (3, 0, "m")
    talk = hear(talk, calling(("weather", '{"city": "Oslo", "unit": "C"}'),
                              ("weather", '{"city": "Atlantis"}'), ("weather", "{"),
                              ("weather", '{"city": "Rome"}'), ("wind", "{}")))  # fmt: skip
    assert talk.over is None
    told = [each["content"] for each in talk.added if each["role"] == "tool"]
    assert told[0] == '{"degrees":-3}'
    assert ["no such city" in told[1], "not JSON" in told[2], "nothing is found" in told[3],
            "no tool" in told[4]] == [True] * 4  # fmt: skip
    assert [each["tool_call_id"] for each in talk.added[1:]] == ["id0", "id1", "id2", "id3", "id4"]
    talk = hear(talk, Reply(content="yes, -3"))
    assert talk.over == "answered"
    assert talk.heard.content == "yes, -3"
    assert [call.name for call in talk.heard.tool_calls] == ["weather"] * 4 + ["wind"]


def test_a_call_without_a_script_ends_it_and_so_do_calls_where_nothing_is_simulated():
    bare = SimulatedTool(name="send")
    assert hear(Talk(case=a_case(tools=(bare,))), calling(("send", "{}"))).over == "no script"
    assert hear(Talk(case=a_case()), calling(("send", "{}"))).over == "answered"


def test_the_users_turns_follow_one_after_each_answer():
    talk = Talk(case=a_case(turns=("and now?", "thanks")))
    for said in ("one", "two", "three"):
        assert talk.over is None
        talk = hear(talk, Reply(content=said))
    assert talk.over == "answered"
    spoken = [(each["role"], each["content"]) for each in talk.added]
    assert spoken == [("assistant", "one"), ("user", "and now?"), ("assistant", "two"),
                      ("user", "thanks"), ("assistant", "three")]  # fmt: skip


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 12))
def test_every_conversation_ends_within_its_bound(calls, bound):
    case = a_case(tools=(WEATHER,), turns=("more",) * 20, max_turns=bound)
    talk = Talk(case=case)
    for calls_now in [*calls, *([True] * 40)]:
        if talk.over:
            break
        reply = calling(("weather", '{"city": "Oslo"}')) if calls_now else Reply(content="x")
        talk = hear(talk, reply)
    assert talk.over
    assert talk.requests <= bound


def test_a_whole_request_keeps_its_fields_and_is_never_streamed():
    case = Case(id="c", request={"messages": [{"role": "user", "content": "x"}], "stream": True,
                                 "temperature": 1, "model": "own"})  # fmt: skip
    request = request_of(
        Talk(case=case), model="m", fields={"temperature": 0, "top_p": 1}, seed=None
    )
    assert request == {"messages": [{"role": "user", "content": "x"}], "temperature": 1, "top_p": 1,
                       "model": "m"}  # fmt: skip
