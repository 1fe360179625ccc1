"""What is said of an alarm, in the words of each kind of channel. Nothing is sent here."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any, Literal

import msgspec

from pointsman.analytics.drift.explaining import sentence
from pointsman.analytics.formats import moment
from pointsman.domain.alerts import AlertChannel
from pointsman.domain.records import AlarmRecord

About = Literal["raised", "acknowledged"]
_FIRING_US = 24 * 3_600_000_000
_MOST_CHARS = 3000  # what Slack shows of one text


def words(alarm: AlarmRecord, channel: AlertChannel, about: About) -> list[str]:
    """The lines of a message: what, where, what else changed, what to do."""
    lines = [sentence(alarm) if about == "raised" else f"acknowledged: {sentence(alarm)}"]
    for each in alarm.moved:
        before = "" if each.before is None else f"from {100 * each.before:.1f} % "
        lines.append(f"moved: {each.where} {before}to {100 * each.after:.1f} %, n={each.n}")
    lines += [f"changed then: {each}" for each in alarm.changes]
    lines.append(f"alarm {alarm.id}, noticed {moment(alarm.at_us)} UTC")
    if channel.runbook is not None:
        lines.append(f"runbook: {channel.runbook}")
    return [_plain(line) for line in lines]


def payload(alarm: AlarmRecord, channel: AlertChannel, about: About, *, now_us: int) -> bytes:
    """The JSON that a channel of HTTP is sent."""
    lines = words(alarm, channel, about)
    said: Any
    match channel.kind:
        case "slack":
            text = "\n".join([f"*{_escaped(lines[0])}*", *map(_escaped, lines[1:])])
            said = {"text": text[:_MOST_CHARS]}
        case "alertmanager":
            said = [_alertmanager(alarm, channel, about, lines, now_us)]
        case _:
            said = {
                "version": 1, "about": about, "text": "\n".join(lines), "alarm": alarm,
                "runbook": channel.runbook,
            }  # fmt: skip
    return msgspec.json.encode(said)


def mail(alarm: AlarmRecord, channel: AlertChannel, about: About) -> EmailMessage:
    """The message that is sent by e-mail; one alarm is one thread."""
    assert channel.mail is not None, "a channel of e-mail has its settings"
    lines, made = words(alarm, channel, about), EmailMessage()
    made["Subject"] = f"[pointsman] {lines[0]}"[:200]
    made["From"], made["To"] = channel.mail.sender, ", ".join(channel.mail.to)
    made["Message-ID"] = f"<{alarm.id}.{about}@{channel.mail.sender.rpartition('@')[2]}>"
    made.set_content("\n".join(lines) + "\n")
    return made


def _alertmanager(
    alarm: AlarmRecord, channel: AlertChannel, about: About, lines: list[str], now_us: int
) -> Mapping[str, Any]:
    """One alert of its API v2; the labels are those of the stream, so that it groups by them."""
    ends_us = now_us if about == "acknowledged" else now_us + _FIRING_US
    annotations = {"summary": lines[0], "description": "\n".join(lines[1:])}
    if channel.runbook is not None:
        annotations["runbook_url"] = channel.runbook
    labels = {
        "alertname": "PointsmanDrift", "severity": "warning", "stream": _plain(alarm.stream),
        "what": _plain(alarm.what),
    }  # fmt: skip
    if alarm.task is not None:
        labels["task"] = _plain(alarm.task)
    return {
        "labels": labels,
        "annotations": annotations,
        "startsAt": _rfc3339(min(alarm.at_us, ends_us)),
        "endsAt": _rfc3339(ends_us),
    }


def _rfc3339(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).isoformat(timespec="milliseconds")


def _plain(text: str) -> str:
    """On one line, without what steers a terminal or breaks a header."""
    return "".join(each if each.isprintable() else " " for each in text)


def _escaped(text: str) -> str:
    """As Slack wants text that is no markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
