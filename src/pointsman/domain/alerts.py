"""Who is told of an alarm, and how: channels of alerts, as the configuration resolves them."""

from typing import Literal, get_args

import msgspec

AlertKind = Literal["webhook", "slack", "alertmanager", "email"]
ALERT_KINDS: tuple[AlertKind, ...] = get_args(AlertKind)


class MailSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The server that takes mail, and between whom."""

    host: str
    sender: str
    to: tuple[str, ...]
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:  # the password must not reach a log through an f-string
        return f"MailSettings(host={self.host!r}, to={self.to!r})"


class AlertChannel(msgspec.Struct, frozen=True, kw_only=True):
    """One way to tell somebody."""

    name: str
    kind: AlertKind
    url: str | None = None  # of all but email; a secret: whoever has it may post there
    token: str | None = None  # sent as a bearer
    mail: MailSettings | None = None
    runbook: str | None = None  # where it is written what to do
    quiet_h: float = 6.0  # for which a stream is told of once

    def __repr__(self) -> str:  # nor may the URL
        return f"AlertChannel(name={self.name!r}, kind={self.kind!r})"
