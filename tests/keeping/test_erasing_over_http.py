"""A person is named by the request, erased by the operator, and gone from traces and replays."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.gateway import RunningGateway, a_config, a_deployment

from pointsman.client import Workspace
from pointsman.domain.task import EncryptionSettings, RouteRule, StateSettings
from pointsman.journal.layout import layout
from pointsman.testing import ScriptedUpstream, chat_answer

KEY = "0f" * 32
RULE = RouteRule(when="request.text_chars > 2", steps=("small",))


def configured(root: Path, upstream: ScriptedUpstream, **changes: Any) -> Any:
    config = a_config(
        root, [a_deployment("small", upstream.base_url)], gate=None, route={"rules": (RULE,)}
    )
    return msgspec.structs.replace(config, **changes)


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_who_was_erased_is_gone_and_the_decision_says_erased(
    tmp_path: Path, encrypted: bool
) -> None:
    encryption = EncryptionSettings(key=KEY) if encrypted else None
    with ScriptedUpstream() as upstream:
        upstream.then(*[chat_answer(f"answer {n}") for n in range(4)])
        config = configured(tmp_path, upstream)
        journal = msgspec.structs.replace(config.journal, encryption=encryption)
        config = msgspec.structs.replace(config, journal=journal)
        with RunningGateway(config) as gateway:
            said = [
                gateway.chat("words of ada", user="ada"),
                gateway.chat("more of ada", safety_identifier="ada"),
                gateway.chat("ada again", headers={"x-pointsman-subject": "ada"}, user="bob"),
                gateway.chat("words of bob", user="bob"),
            ]
            traces = [answer.headers["x-pointsman-trace"] for answer in said]
            with Workspace(config) as workspace:
                assert [workspace.replay(trace).status for trace in traces] == ["same"] * 4
                report = workspace.eraser().erase_subject("default", "ada")
                assert report.bodies == 6  # requests and answers
                found = [workspace.trace(trace) for trace in traces]
                assert [each["request_kept"] for each in found] == ["erased"] * 3 + ["kept"]
                assert [each["response_kept"] for each in found] == ["erased"] * 3 + ["kept"]
                replays = [workspace.replay(trace).status for trace in traces]
                assert replays == ["erased"] * 3 + ["same"]
                assert workspace.verify().ok
    kept = b"".join(path.read_bytes() for path in layout(tmp_path).bodies.iterdir())
    assert b"ada" not in kept
    assert (b"words of bob" in kept) is not encrypted


def test_without_state_a_gateway_serves_and_says_so(tmp_path: Path) -> None:
    nowhere = StateSettings(url=f"sqlite:///{tmp_path}/a-file/state.sqlite")
    (tmp_path / "a-file").write_text("no directory")
    with ScriptedUpstream() as upstream:
        upstream.then(chat_answer("yes"))
        config = configured(tmp_path / "journal", upstream, state=nowhere)
        with RunningGateway(config) as gateway:
            assert gateway.chat("hello", user="ada").status == 200
            told = gateway.request("GET", "/readyz").json
            assert told["state"]["status"] == "unavailable"
            assert told["keeper"]["status"] == "off"
            (row,) = gateway.rows("trace", trace=gateway.rows()[0]["trace"])[:1]
            assert "key" not in msgspec.json.decode(row["payload"])["request"]


def test_without_state_nothing_is_served_where_bodies_are_to_be_encrypted(tmp_path: Path) -> None:
    from pointsman.domain.errors import StateUnavailable

    (tmp_path / "a-file").write_text("no directory")
    with ScriptedUpstream() as upstream:
        config = configured(
            tmp_path / "journal",
            upstream,
            state=StateSettings(url=f"sqlite:///{tmp_path}/a-file/state.sqlite"),
        )
        journal = msgspec.structs.replace(config.journal, encryption=EncryptionSettings(key=KEY))
        gateway = RunningGateway(msgspec.structs.replace(config, journal=journal))
        with pytest.raises(StateUnavailable):
            gateway.__enter__()


@pytest.mark.parametrize(
    ("mode", "text", "reason"),
    [
        (0o644, KEY, "everybody"),
        (0o600, "short", "not 32 bytes"),
        (0o600, None, "cannot be read"),
    ],
)
def test_a_key_file_that_will_not_do_is_refused(
    tmp_path: Path, mode: int, text: str | None, reason: str
) -> None:
    from pointsman.domain.errors import ConfigurationError
    from pointsman.journal import open_master_key

    path = tmp_path / "master.key"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    with ScriptedUpstream() as upstream:
        config = configured(tmp_path, upstream)
    settings = EncryptionSettings(key_file=str(path))
    journal = msgspec.structs.replace(config.journal, encryption=settings)
    with pytest.raises(ConfigurationError, match=reason):
        open_master_key(msgspec.structs.replace(config, journal=journal))


def test_without_pynacl_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from pointsman.domain.errors import ExtraMissing
    from pointsman.journal import Cipher

    monkeypatch.setitem(sys.modules, "nacl.secret", None)
    with pytest.raises(ExtraMissing) as raised:
        Cipher()
    assert "pointsman[encryption]" in str(raised.value)
