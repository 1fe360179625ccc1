"""Which engine answers is told from its answers, whatever port it has."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from tests.discovery.engines import (
    LLAMACPP,
    LM_STUDIO,
    OLLAMA,
    POINTSMAN,
    SGLANG,
    UNKNOWN,
    VLLM,
    Engines,
)

from pointsman.discovery.evidence import recognise
from pointsman.discovery.looking import Found, look_around
from pointsman.discovery.places import HABITS, Place, places

HERE = "http://127.0.0.1:8000"


def look(engines: Engines, *, env: Mapping[str, str] | None = None, **options: Any) -> list[Found]:
    where = places(options.get("hosts", ["127.0.0.1"]), options.get("ports", {}))
    return list(asyncio.run(look_around(where, engines, env=env or {})))


@pytest.mark.parametrize(
    ("engine", "kind"),
    [
        (VLLM, "vllm"),
        (SGLANG, "sglang"),
        (LLAMACPP, "llamacpp"),
        (OLLAMA, "ollama"),
        (LM_STUDIO, "lmstudio"),
        (POINTSMAN, "pointsman"),
        (UNKNOWN, "openai"),
    ],
)
def test_an_engine_on_anothers_port_is_still_itself(engine: Any, kind: str) -> None:
    [found] = look(Engines({HERE: engine}))
    assert found.kind == kind
    assert found.base_url == f"{HERE}/v1"
    assert found.because


@pytest.mark.parametrize(
    ("engine", "kind"),
    [(SGLANG, "sglang"), (LLAMACPP, "llamacpp"), (OLLAMA, "ollama"), (LM_STUDIO, "lmstudio")],
)
def test_an_engine_under_another_owners_name_is_told_by_what_only_it_has(
    engine: Any, kind: str
) -> None:
    listed = {"data": [{**each, "owned_by": "me"} for each in engine["/v1/models"]["data"]]}
    [found] = look(Engines({HERE: {**engine, "/v1/models": listed}}))
    assert found.kind == kind


def test_vllm_under_another_owners_name_is_told_by_version_and_length() -> None:
    listed = {"data": [{**each, "owned_by": "me"} for each in VLLM["/v1/models"]["data"]]}
    [found] = look(Engines({HERE: {**VLLM, "/v1/models": listed}}))
    assert (found.kind, found.because) == ("vllm", "/version and max_model_len")


def test_a_server_header_is_evidence() -> None:
    [found] = look(Engines({HERE: UNKNOWN}, headers={"server": "llama.cpp"}))
    assert found.kind == "llamacpp"


def test_sizes_and_contexts_are_taken_where_engines_tell_them() -> None:
    def models(engine: Any) -> list[tuple[str, str | None, int | None, bool]]:
        [found] = look(Engines({HERE: engine}))
        return [
            (each.id, str(each.size) if each.size else None, each.context, each.chats)
            for each in found.models
        ]

    assert models(VLLM) == [("Qwen/Qwen3-4B", "4B", 32768, True)]
    assert models(LLAMACPP) == [("/models/qwen3-q4.gguf", "1.721B", 8192, True)]
    assert models(OLLAMA) == [
        ("qwen3:4b", "4B", None, True),
        ("mystery:latest", "14.8B", None, True),
        ("nomic-embed-text", None, None, False),
    ]
    assert models(LM_STUDIO) == [
        ("qwen3-8b", "8B", 32768, True),
        ("text-vectors", None, None, False),
    ]


def test_nothing_that_does_not_list_models_is_found() -> None:
    assert look(Engines({})) == []
    assert look(Engines({HERE: {"/": "hello"}})) == []
    assert look(Engines({HERE: {"/v1/models": ["not", "a", "list"]}})) == []


def test_a_key_is_shown_only_where_one_is_wanted_and_only_to_this_machine() -> None:
    env = {"VLLM_API_KEY": "secret"}
    locked = Engines({HERE: VLLM}, keys={HERE: "secret"})
    [found] = look(locked, env=env)
    assert found.key_variable == "VLLM_API_KEY"
    assert not found.locked
    open_door = Engines({HERE: VLLM})
    look(open_door, env=env)
    assert {key for _, key in open_door.asked} == {None}
    other = "http://10.0.0.7:8000"
    away = Engines({other: VLLM}, keys={other: "secret"})
    [found] = look(away, env=env, hosts=["10.0.0.7"])
    assert found.locked
    assert {key for _, key in away.asked} == {None}


def test_a_wrong_key_leaves_the_door_locked() -> None:
    [found] = look(Engines({HERE: VLLM}, keys={HERE: "x"}), env={"VLLM_API_KEY": "y"})
    assert found.locked
    assert found.models == ()


def test_only_loopback_is_asked_unless_told() -> None:
    engines = Engines({})
    look(engines)
    assert {url for url, _ in engines.asked} == {
        f"http://127.0.0.1:{habit.port}/v1/models" for habit in HABITS.values()
    }


def test_ports_stand_in_for_habits_and_no_address_is_asked_twice() -> None:
    found = places(["127.0.0.1", "::1"], {"vllm": [8001, 8002], "ollama": [8001]})
    assert Place("127.0.0.1", 8001, "vllm") in found
    assert Place("127.0.0.1", 8000, "vllm") not in found
    assert len({(each.host, each.port) for each in found}) == len(found)
    assert "http://[::1]:8002" in {each.origin for each in found}


def test_strange_answers_are_no_evidence() -> None:
    from tests.discovery.engines import answer

    for document in (None, 1, [], {"data": 3}, {"data": [1, {"owned_by": None}]}):
        assert recognise({"/v1/models": answer(document)}).kind == "openai"
