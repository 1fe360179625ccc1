"""Laws of what is put right in answers: all else stays, and nothing that comes in breaks it."""

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.backends.mending import ranked, with_reasoning_in

NAMES = ["reasoning", "reasoning_content", "content", "role", "x"]
values = st.none() | st.integers(-5, 5) | st.text(max_size=4)
texts = st.none() | st.dictionaries(st.sampled_from(NAMES), values, max_size=4)
choices = st.fixed_dictionaries({"index": st.integers(0, 3)}, optional={
    "delta": texts, "message": texts, "finish_reason": values,
})  # fmt: skip
answers = st.fixed_dictionaries(
    {"id": values}, optional={"choices": st.none() | st.lists(choices, max_size=3), "usage": values}
)
fields = st.sampled_from(["reasoning", "reasoning_content"])


def told(text: dict[str, Any] | None) -> Any:
    """The thinking in a message, under whichever name it has some."""
    said = [(text or {}).get(name) for name in ("reasoning", "reasoning_content")]
    return next((each for each in said if each is not None), None)


@given(answers, fields)
def test_thinking_is_kept_under_one_name_and_all_else_as_it_was(answer, field) -> None:
    data = json.dumps(answer).encode()
    after = json.loads(with_reasoning_in(data, field))
    assert list(after) == list(answer)
    for was, now in zip(answer.get("choices") or [], after.get("choices") or [], strict=True):
        for part in ("delta", "message"):
            before, kept = was.get(part), now.get(part)
            assert set(kept or {}) <= {*(before or {}), field}
            if (before or {}).get(field) is None or field == "reasoning":
                assert told(kept) == told(before)
            others = {
                name: said for name, said in (before or {}).items() if "reasoning" not in name
            }
            assert {name: said for name, said in (kept or {}).items() if name != field} == others
        assert {**now, "delta": 0, "message": 0} == {**was, "delta": 0, "message": 0}


@given(answers, fields)
def test_giving_thinking_a_name_twice_is_giving_it_once(answer, field) -> None:
    once = with_reasoning_in(json.dumps(answer).encode(), field)
    assert with_reasoning_in(once, field) == once


places = st.fixed_dictionaries(
    {"index": st.integers(0, 9), "score": st.floats(-9, 9) | st.integers(-9, 9)},
    optional={"document": st.none() | st.text(max_size=4), "x": values,
              "meta_info": st.none() | st.fixed_dictionaries({"prompt_tokens": st.integers(0, 9)})},
)  # fmt: skip


@given(st.lists(places, max_size=5))
def test_a_bare_ranking_keeps_its_order_scores_and_documents(ranking) -> None:
    after = json.loads(ranked(json.dumps(ranking).encode()))
    assert [each["index"] for each in after["results"]] == [each["index"] for each in ranking]
    scores = [each["relevance_score"] for each in after["results"]]
    assert scores == [each["score"] for each in ranking]
    documents = [each.get("document", {}).get("text") for each in after["results"]]
    assert documents == [each.get("document") for each in ranking]
    told_all = ranking and all(each.get("meta_info") for each in ranking)
    assert ("usage" in after) is bool(told_all)


def check_any(quoted: bytes, data: bytes, field: Any) -> None:
    for said in (data, b'{"choices":[{"delta":{%b:%b}}]}' % (quoted, data), quoted + data):
        with contextlib.suppress(msgspec.MsgspecError):
            with_reasoning_in(said, field)
        with contextlib.suppress(msgspec.MsgspecError):
            ranked(said)


QUOTED = [b'"reasoning"', b'"reasoning_content"']


@given(st.sampled_from(QUOTED), st.binary(max_size=60), fields)
def test_any_bytes_are_put_right_or_told_to_be_no_answer(quoted, data, field) -> None:
    check_any(quoted, data, field)


@pytest.mark.parametrize("data", [b"[" * 50_000, b'{"a":' * 30_000, b'"\xff"', b'"\\ud83d"'],
                         ids=["lists", "objects", "no text", "half a character"])  # fmt: skip
def test_what_is_nested_without_end_or_no_text_is_no_answer(data) -> None:
    for quoted in QUOTED:
        check_any(quoted, data, "reasoning")
        check_any(quoted, data, "reasoning_content")
