"""Channels of alerts: each with what its kind needs, secrets never quoted."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from pointsman.config.deployments import HIDDEN
from pointsman.config.schema import RawAlert, RawMail
from pointsman.config.scope import Place, Scope
from pointsman.domain.alerts import AlertChannel, MailSettings


def resolve_alerts(raw: Mapping[str, RawAlert], scope: Scope) -> tuple[AlertChannel, ...]:
    """The channels, every problem with them kept."""
    return tuple(_channel(name, each, scope) for name, each in raw.items())


def _channel(name: str, raw: RawAlert, scope: Scope) -> AlertChannel:
    place: Place = ("alerts", name)
    if raw.kind == "email":
        if raw.mail is None or raw.url is not None:
            scope.problem(place, "email needs mail, and no url")
    elif raw.url is None or raw.mail is not None:
        scope.problem(place, f"{raw.kind} needs url, and no mail")
    if raw.url is not None and not _is_url(raw.url):
        scope.problem((*place, "url"), "wants http(s)://HOST/…, as ${NAME} where it is a secret")
    if raw.token is not None and (raw.token == HIDDEN or not _is_plain(raw.token)):
        scope.problem((*place, "token"), "a hidden secret, or none that a header can carry")
    if raw.runbook is not None and not _is_url(raw.runbook):
        scope.problem((*place, "runbook"), "wants http(s)://HOST/…")
    return AlertChannel(
        name=name,
        kind=raw.kind,
        url=raw.url,
        token=raw.token,
        mail=_mail(raw.mail, (*place, "mail"), scope) if raw.mail is not None else None,
        runbook=raw.runbook,
        quiet_h=raw.quiet_h,
    )


def _mail(raw: RawMail, place: Place, scope: Scope) -> MailSettings:
    for key, addresses in (("sender", [raw.sender]), ("to", raw.to)):
        if not all("@" in each and _is_plain(each) for each in addresses):
            scope.problem((*place, key), "an address is NAME@HOST")
    if (raw.user is None) != (raw.password is None):
        scope.problem(place, "user and password stand together")
    if raw.password is not None and raw.security == "none":
        scope.problem((*place, "security"), "a password is not sent in the clear")
    if raw.password == HIDDEN:
        scope.problem((*place, "password"), "a hidden secret: write ${NAME} and set the variable")
    return MailSettings(
        host=raw.host, sender=raw.sender, to=tuple(raw.to), port=raw.port, security=raw.security,
        user=raw.user, password=raw.password,
    )  # fmt: skip


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        sound = parts.port is None or parts.port > 0
    except ValueError:
        return False
    return sound and parts.scheme in ("http", "https") and bool(parts.hostname) and _is_plain(text)


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text
