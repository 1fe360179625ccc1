"""The log: one line a fact, text or JSON, and nothing in it that people wrote."""

import asyncio
import contextlib
import io
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.telemetry.logs import FIELDS, announce, configure, log_request
from tests.telemetry.records import an_admission, an_end

PROMPT = "PLANTED 5d1f"


@contextlib.contextmanager
def logged(form, role=None):
    """A list that holds the lines once the `with` is left."""
    said, lines = io.StringIO(), []
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    root.handlers[:] = []  # pytest's own
    configure(form, role=role, level=logging.INFO)
    try:
        with contextlib.redirect_stderr(said):  # the stream of the moment, not of before
            yield lines
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        lines += said.getvalue().removesuffix("\n").split("\n") if said.getvalue() else []


def raise_it(error: Exception) -> None:
    raise error


def test_a_line_of_json_says_when_who_and_what():
    with logged("json", role="worker") as lines:
        logging.getLogger("pointsman.x").warning("%d of %s", 3, "them", extra={FIELDS: {"n": 3}})
    [line] = map(json.loads, lines)
    assert line["level"] == "warning"
    assert line["logger"] == "pointsman.x"
    assert line["message"] == "3 of them"
    assert line["role"] == "worker"
    assert line["n"] == 3
    assert line["at"].endswith("Z")


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_exception_tells_where_and_never_its_own_words(form):
    with logged(form) as lines:
        try:
            raise_it(ValueError(f"cannot read {PROMPT!r}"))
        except ValueError:
            logging.getLogger("pointsman.x").exception("request %d: the handler failed", 7)
    whole = "\n".join(lines)
    assert PROMPT not in whole
    assert "ValueError" in whole
    assert "in raise_it" in whole
    assert len(lines) == (1 if form == "json" else 4)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_task_that_nobody_awaited_does_not_tell_what_it_held(form):
    async def main() -> None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": "Task exception was never retrieved", "exception": ValueError(PROMPT),
             "future": PROMPT}
        )  # fmt: skip

    with logged(form) as lines:
        asyncio.run(main())
    assert PROMPT not in "\n".join(lines)
    assert "never retrieved" in lines[0]


@pytest.mark.parametrize("form", ["text", "json"])
@given(said=st.text(max_size=200))
def test_any_message_is_one_line(form, said):
    with logged(form) as lines:
        logging.getLogger("pointsman.x").warning("%s", said)
    [line] = lines
    if form == "json":
        assert json.loads(line)["message"] == said.encode("utf-8", "replace").decode()


@pytest.mark.parametrize("form", ["text", "json"])
def test_odd_records_are_logged_all_the_same(form):
    with logged(form) as lines:
        log = logging.getLogger("pointsman.x")
        log.warning("a wrong %d", "placeholder")
        log.warning("x" * 100_000)
        log.warning("y", extra={FIELDS: {"thing": object(), "level": "forged", "n": float("nan")}})
    assert len(lines) == 3
    assert all(len(line) < 5000 for line in lines)
    if form == "json":
        assert json.loads(lines[2])["level"] == "warning"


def test_what_is_announced_is_said_at_any_level():
    with logged("json") as lines:
        logging.getLogger().setLevel(logging.ERROR)
        announce("serving on http://127.0.0.1:1/v1")
    [line] = map(json.loads, lines)
    assert line["message"].startswith("serving on")


def test_configuring_twice_says_everything_once():
    with logged("text") as lines, contextlib.redirect_stderr(said := io.StringIO()):
        configure("json")
        logging.getLogger("pointsman.x").warning("once")
    assert not lines
    assert len(said.getvalue().splitlines()) == 1


def test_a_request_is_one_line_of_names_and_numbers():
    with logged("json") as lines:
        log_request(logging.getLogger("pointsman.requests"), an_admission(session=PROMPT,
                    asked=PROMPT, principal=PROMPT), an_end())  # fmt: skip
    [line] = map(json.loads, lines)
    assert (line["status"], line["deployment"], line["overhead_us"]) == ("delivered", "small", 700)
    assert line["attempts"] == ["small: answered"]
    assert PROMPT not in lines[0]


def test_a_line_goes_to_the_stderr_of_its_moment():
    then, now = io.StringIO(), io.StringIO()
    with logged("text"):
        with contextlib.redirect_stderr(then):
            configure("text")
        then.close()
        with contextlib.redirect_stderr(now):
            logging.getLogger("pointsman.x").warning("still here")
    assert "still here" in now.getvalue()
    assert "Traceback" not in now.getvalue()
