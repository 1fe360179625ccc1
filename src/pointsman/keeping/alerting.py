"""Telling people of alarms: each once on each channel, tried again a bounded number of times.

What was told is a record, so that whoever is the keeper next knows it too.
"""

import http.client
import os
import smtplib
import ssl
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

from pointsman.domain.alerts import AlertChannel
from pointsman.domain.records import AlarmRecord, AlertRecord
from pointsman.journal import JournalReader, JournalWriter
from pointsman.keeping.alert_messages import About, mail, payload
from pointsman.keeping.drifting import Told, alarms

_FRESH_US = 24 * 3_600_000_000  # an older alarm is no news on a channel that does not know it
_TRIES = 8
_WAIT_US, _LONGEST_US = 60_000_000, 3_600_000_000  # after the first failure; doubled, up to
_TIMEOUT_S = 10.0
_MOST = 20  # messages of one round
_HOUR_US = 3_600_000_000
_MEMORY_MB = 256

Send = Callable[[AlarmRecord, AlertChannel, About, int], None]


class NotTold(Exception):
    """A channel did not take a message; says why, and no secret."""


def due(
    told: Sequence[Told], channel: AlertChannel, *, now_us: int
) -> list[tuple[Told, About, str]]:
    """What has to be said on a channel now: an alarm, about what, and `send`, `quiet` or `give up`.

    An alarm of a stream that the channel was told of within `quiet_h`, and that nobody took note
    of, is not told again. An acknowledgement is told where the alarm was.
    """
    found: list[tuple[Told, About, str]] = []
    spoken: dict[str, int] = {}  # when the channel was last told of a stream that is still open
    for each in told:
        said = [record for record in each.alerts if record.channel == channel.name]
        raised = [record for record in said if record.about == "raised"]
        done = {record.status for record in raised} - {"failed"}
        if "told" in done and each.acknowledged is None:
            spoken[each.alarm.stream] = raised[-1].at_us
        if each.acknowledged is not None:
            after = [record for record in said if record.about == "acknowledged"]
            if "told" in done and channel.kind != "email":
                found += _step(each, "acknowledged", after, now_us)
            continue
        if done or now_us - each.alarm.at_us > _FRESH_US:
            continue
        last_us = spoken.get(each.alarm.stream)
        if last_us is not None and now_us - last_us < channel.quiet_h * _HOUR_US:
            found.append((each, "raised", "quiet"))
            continue
        steps = _step(each, "raised", raised, now_us)
        found += steps
        if steps:
            spoken[each.alarm.stream] = now_us
    return found


def alert(
    root: str | os.PathLike[str],
    channels: Sequence[AlertChannel],
    *,
    now_us: int,
    allowed: Callable[[], bool] = lambda: True,
    send: Send | None = None,
) -> Iterator[str]:
    """Say what is due, and write down what was said; a sentence for each.

    Raises: JournalUnavailable, CheckFailed, duckdb.Error. A channel that fails is a record.
    """
    if not channels:
        return
    with JournalReader(root, memory_mb=_MEMORY_MB) as reader:
        told = alarms(reader)
    work = [(c, *each) for c in channels for each in due(told, c, now_us=now_us)][:_MOST]
    if not work or not allowed():
        return
    broken: set[str] = set()  # it is not waited for twice in a round
    with JournalWriter(root) as journal:
        for channel, each, about, step in work:
            if channel.name in broken:
                continue
            record = _said(each, channel, about, step, now_us, send or deliver)
            journal.append(record)
            if record.status == "failed":
                broken.add(channel.name)
            yield f"{channel.name}: {record.status} of {each.alarm.id} {record.detail}".rstrip()


def _step(
    each: Told, about: About, said: Sequence[AlertRecord], now_us: int
) -> list[tuple[Told, About, str]]:
    if any(record.status != "failed" for record in said):
        return []
    if len(said) >= _TRIES:
        return [(each, about, "give up")]
    if said:
        wait_us = min(_WAIT_US * 2 ** (len(said) - 1), _LONGEST_US)
        if now_us - said[-1].at_us < wait_us:
            return []
    return [(each, about, "send")]


def _said(
    each: Told, channel: AlertChannel, about: About, step: str, now_us: int, send: Send
) -> AlertRecord:
    def record(status: str, detail: str = "") -> AlertRecord:
        return AlertRecord(
            alarm=each.alarm.id, at_us=now_us, channel=channel.name, about=about,
            status=status, detail=detail,  # type: ignore[arg-type]
        )  # fmt: skip

    if step == "quiet":
        return record("quiet", f"{each.alarm.stream} was told of and is not acknowledged")
    if step == "give up":
        return record("given up", f"after {_TRIES} tries")
    try:
        send(each.alarm, channel, about, now_us)
    except NotTold as error:
        return record("failed", str(error))
    return record("told")


def deliver(alarm: AlarmRecord, channel: AlertChannel, about: About, now_us: int) -> None:
    """Send one message. Raises: NotTold."""
    try:
        if channel.kind == "email":
            _by_mail(alarm, channel, about)
        else:
            _by_http(payload(alarm, channel, about, now_us=now_us), channel)
    except (OSError, http.client.HTTPException, smtplib.SMTPException, ValueError) as error:
        raise NotTold(f"{type(error).__name__}") from error  # its text may hold the URL


def _by_http(body: bytes, channel: AlertChannel) -> None:
    assert channel.url is not None, "a channel of HTTP has its URL"
    parts = urlsplit(channel.url)
    path = parts.path or "/"
    if channel.kind == "alertmanager" and not path.endswith("/alerts"):
        path = path.rstrip("/") + "/api/v2/alerts"
    if parts.query:
        path += f"?{parts.query}"
    host, port = parts.hostname or "", parts.port
    connection = (
        http.client.HTTPSConnection(
            host, port, timeout=_TIMEOUT_S, context=ssl.create_default_context()
        )
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    )
    headers = {"Content-Type": "application/json", "User-Agent": "pointsman"}
    if channel.token is not None:
        headers["Authorization"] = f"Bearer {channel.token}"
    try:
        connection.request("POST", path, body, headers)
        status = connection.getresponse().status
    finally:
        connection.close()
    if not 200 <= status < 300:  # nor is a redirect followed: it would take the alarm elsewhere
        raise NotTold(f"HTTP {status}")


def _by_mail(alarm: AlarmRecord, channel: AlertChannel, about: About) -> None:
    said = channel.mail
    assert said is not None, "a channel of e-mail has its settings"
    context = ssl.create_default_context()
    server = (
        smtplib.SMTP_SSL(said.host, said.port, timeout=_TIMEOUT_S, context=context)
        if said.security == "tls"
        else smtplib.SMTP(said.host, said.port, timeout=_TIMEOUT_S)
    )
    with server:
        if said.security == "starttls":
            server.starttls(context=context)
        if said.user is not None and said.password is not None:
            server.login(said.user, said.password)
        server.send_message(mail(alarm, channel, about))
