"""People told of alarms: over real sockets, each once on each channel, tried a bounded time."""

import json
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "journal"))
from journal_facts import write

from pointsman.config import load
from pointsman.domain.alerts import AlertChannel, MailSettings
from pointsman.domain.errors import ConfigurationError
from pointsman.domain.records import AcknowledgementRecord, AlarmRecord, AlertRecord, Moved
from pointsman.journal import JournalReader
from pointsman.keeping.alerting import alert
from pointsman.keeping.drifting import alarms

NOW_US = 20_000 * 86_400_000_000
HOUR_US = 3_600_000_000


def an_alarm(name: str = "al_1", *, at_us: int = NOW_US, **given: Any) -> AlarmRecord:
    return AlarmRecord(
        id=name, at_us=at_us, stream=given.pop("stream", "support/accepted"), what="accepted",
        task="support", began_us=at_us - HOUR_US, direction="fell", before=0.9, after=0.5,
        moved=(Moved(where="language = <de>", n=40, before=0.9, after=0.3),),
        changes=("2024-10-04 00:00 deployment main: model a → b",), **given,
    )  # fmt: skip


class Posts:
    """What a server was sent, and what it answers."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, str], Any]] = []
        self.status = 200


@contextmanager
def a_server() -> Iterator[tuple[str, Posts]]:
    posts = Posts()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posts.seen.append((self.path, dict(self.headers), json.loads(body)))
            self.send_response(posts.status)
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", posts
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def a_mail_server() -> Iterator[tuple[int, list[str]]]:
    """As much of SMTP as it takes to be sent a message."""
    mails: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline():
                word = line[:4].upper()
                if word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = []
                    while (text := self.rfile.readline()) not in (b".\r\n", b""):
                        lines.append(text)
                    mails.append(b"".join(lines).decode())
                self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
                if word == b"QUIT":
                    return

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_address[1], mails
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def tell(root: Path, *channels: AlertChannel, now_us: int = NOW_US) -> list[str]:
    return list(alert(root, channels, now_us=now_us))


def said(root: Path) -> list[AlertRecord]:
    with JournalReader(root) as reader:
        return [record for each in alarms(reader) for record in each.alerts]


def test_each_channel_is_told_once_in_its_own_words(tmp_path: Path) -> None:
    write(tmp_path, [an_alarm()])
    with a_server() as (url, posts), a_mail_server() as (port, mails):
        book = "https://wiki.example/drift"
        channels = [
            AlertChannel(
                name="hook", kind="webhook", url=f"{url}/hook?a=1", token="t0k", runbook=book
            ),
            AlertChannel(name="slack", kind="slack", url=f"{url}/slack", runbook=book),
            AlertChannel(name="am", kind="alertmanager", url=url, runbook=book),
            AlertChannel(name="mail", kind="email", runbook=book, mail=MailSettings(
                host="127.0.0.1", port=port, security="none", sender="p@example.org",
                to=("ada@example.org", "bob@example.org"))),
        ]  # fmt: skip
        assert len(tell(tmp_path, *channels)) == 4
        assert tell(tmp_path, *channels) == []
        assert tell(tmp_path, *channels, now_us=NOW_US + 5 * HOUR_US) == []
    hook, slack, manager = posts.seen
    assert hook[0] == "/hook?a=1"
    assert hook[1]["Authorization"] == "Bearer t0k"
    assert (hook[2]["about"], hook[2]["alarm"]["id"], hook[2]["runbook"]) == (
        "raised",
        "al_1",
        book,
    )
    assert slack[2]["text"].startswith("*support/accepted fell from 90.0 % to 50.0 %")
    assert "language = &lt;de&gt;" in slack[2]["text"]
    (one,) = manager[2]
    assert manager[0] == "/api/v2/alerts"
    assert one["labels"]["stream"] == "support/accepted"
    assert one["annotations"]["runbook_url"] == book
    assert one["startsAt"] < one["endsAt"]
    (mail,) = mails
    assert "Subject: [pointsman] support/accepted fell" in mail
    assert "To: ada@example.org, bob@example.org" in mail
    assert {record.status for record in said(tmp_path)} == {"told"}


def test_a_channel_that_fails_is_tried_again_later_and_then_given_up(tmp_path: Path) -> None:
    write(tmp_path, [an_alarm()])
    with a_server() as (url, posts):
        channel = AlertChannel(name="hook", kind="webhook", url=f"{url}/secret-path")
        posts.status = 302  # not followed
        now_us = NOW_US
        for _ in range(60):
            tell(tmp_path, channel, now_us=now_us)
            now_us += 10 * 60_000_000
        assert 5 < len(posts.seen) <= 8
        records = said(tmp_path)
    assert records[-1].status == "given up"
    assert {record.status for record in records[:-1]} == {"failed"}
    assert all("HTTP 302" in record.detail for record in records[:-1])
    assert not any("secret-path" in record.detail for record in records)


def test_a_server_that_is_not_there_is_a_record_without_its_address(tmp_path: Path) -> None:
    write(tmp_path, [an_alarm(), an_alarm("al_2", stream="other/accepted")])
    channel = AlertChannel(name="hook", kind="webhook", url="http://127.0.0.1:1/secret")
    (told,) = tell(tmp_path, channel)  # not waited for twice in one round
    assert "failed" in told
    assert "127.0.0.1" not in told


def test_a_stream_is_told_of_once_until_somebody_takes_note(tmp_path: Path) -> None:
    write(tmp_path, [an_alarm()])
    with a_server() as (url, posts):
        manager = AlertChannel(name="am", kind="alertmanager", url=f"{url}/api/v2/alerts")
        tell(tmp_path, manager)
        write(tmp_path, [an_alarm("al_2", at_us=NOW_US + HOUR_US)])
        tell(tmp_path, manager, now_us=NOW_US + HOUR_US)
        assert len(posts.seen) == 1
        assert [record.status for record in said(tmp_path)] == ["told", "quiet"]
        note = AcknowledgementRecord(alarm="al_1", at_us=NOW_US + 2 * HOUR_US, by="ada")
        write(tmp_path, [note])
        tell(tmp_path, manager, now_us=NOW_US + 2 * HOUR_US)
        tell(tmp_path, manager, now_us=NOW_US + 3 * HOUR_US)
    assert len(posts.seen) == 2  # raised, and resolved
    assert posts.seen[1][2][0]["labels"] == posts.seen[0][2][0]["labels"]
    assert posts.seen[1][2][0]["endsAt"] < posts.seen[0][2][0]["endsAt"]


def test_an_old_alarm_is_no_news_and_a_keeper_that_lost_its_lease_says_nothing(
    tmp_path: Path,
) -> None:
    write(tmp_path, [an_alarm()])
    with a_server() as (url, posts):
        channel = AlertChannel(name="hook", kind="webhook", url=url)
        assert tell(tmp_path, channel, now_us=NOW_US + 25 * HOUR_US) == []
        assert list(alert(tmp_path, [channel], now_us=NOW_US, allowed=lambda: False)) == []
        assert posts.seen == []


CONFIG = """
deployments: {main: {base_url: "http://127.0.0.1:9/v1", model: m}}
alerts:
  team: {kind: slack, url: "${HOOK}", runbook: https://wiki.example/drift}
  post: {kind: email, mail: {host: h, sender: a@b.c, to: [d@e.f], user: u, password: "${WORD}"}}
"""


def test_secrets_of_channels_are_by_reference(tmp_path: Path) -> None:
    from pointsman.config.showing import show

    path = tmp_path / "pointsman.yaml"
    path.write_text(CONFIG)
    config = load(path, env={"HOOK": "https://hooks.example/T0P", "WORD": "s3cret"})
    assert [each.name for each in config.alerts] == ["team", "post"]
    for text in (show(config, with_defaults=True), repr(config.alerts), repr(config)):
        assert "T0P" not in text
        assert "s3cret" not in text
    assert "${HOOK}" in show(config, with_defaults=False)


@pytest.mark.parametrize(
    ("channel", "wrong"),
    [
        ("{kind: slack}", "slack needs url"),
        ("{kind: email, url: http://h/}", "email needs mail"),
        ("{kind: webhook, url: ftp://h/}", "wants http"),
        ("{kind: email, mail: {host: h, sender: a, to: [d@e.f]}}", "an address is"),
        ("{kind: email, mail: {host: h, sender: a@b, to: [d@e.f], user: u}}", "stand together"),
        ("{kind: email, mail: {host: h, sender: a@b, to: [d@e], user: u, password: p, "
         "security: none}}", "in the clear"),
    ],
)  # fmt: skip
def test_channels_that_cannot_be_are_refused(tmp_path: Path, channel: str, wrong: str) -> None:
    path = tmp_path / "pointsman.yaml"
    path.write_text(CONFIG.split("alerts:")[0] + f"alerts:\n  one: {channel}\n")
    with pytest.raises(ConfigurationError, match=wrong):
        load(path, env={})
