"""`pointsman keys`: virtual keys, made and taken back while gateways serve."""

import getpass
import sys
import time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from pointsman.admitting.wishes import KeyWish, key_as_data, make_key
from pointsman.cli.output import (
    config_option,
    json_option,
    load_config,
    note,
    open_workspace,
    print_json,
    printable,
    table,
)
from pointsman.config.allowances import usd_problem
from pointsman.domain.errors import UsageError
from pointsman.domain.limits import Allowance
from pointsman.domain.money import usd
from pointsman.domain.task import VirtualKey

if TYPE_CHECKING:
    from pointsman.state.virtual_keys import Secret, StoredVirtualKeys

_HOUR_US = 3_600_000_000
_EXAMPLES = """\b
Examples:
  pointsman keys create app --task work --usd-per-month 50
  pointsman keys rotate app --overlap-hours 24
"""
_CREATE = """Make a key and print its secret, once: nobody can show it again.

\b
Examples:
  pointsman keys create app --tenant acme --task work --requests-per-minute 60
  pointsman keys create trial --expires-in-days 14 --usd-per-day 1 --json

A gateway with `virtual_keys: {enabled: true}` takes it at once. Its name stands in records, and is
never given to another.
"""
_LIST = """Every key there is or was, without secrets.

\b
Examples:
  pointsman keys list
  pointsman keys list --json
"""
_SHOW = """One key: what it may ask, its limits, and which secrets open it.

\b
Examples:
  pointsman keys show app
  pointsman keys show app --json
"""
_ROTATE = """Print another secret for a key; those before it go on for a while.

\b
Examples:
  pointsman keys rotate app
  pointsman keys rotate app --overlap-hours 0 --json

With an overlap of 0 the old secret ends within `virtual_keys.fresh_s` on every gateway.
"""
_REVOKE = """Take a key back for good, within `virtual_keys.fresh_s` on every gateway.

\b
Examples:
  pointsman keys revoke app --yes
  pointsman keys revoke app
"""


@click.group(help="Virtual keys of clients.\n\n" + _EXAMPLES)
def command() -> None:
    """The noun."""


class _Usd(click.ParamType[Decimal]):
    """Dollars, exact, above zero."""

    name = "usd"

    def convert(self, value: Any, param: Any, ctx: Any) -> Decimal:
        try:
            dollars = Decimal(str(value))
            problem = usd_problem(dollars) if dollars.is_finite() else "that is no sum of money"
        except InvalidOperation:
            problem = "that is no number"
        if problem is not None:
            self.fail(problem, param, ctx)
        return dollars


@command.command("create", help=_CREATE)
@click.argument("name")
@config_option
@click.option("--tenant", help="Whose data its requests are; else its team's, else `default`.")
@click.option("--team", help="A team of the configuration, whose limits count as well.")
@click.option("--task", "tasks", multiple=True, help="A task it may ask; repeat for more.")
@click.option("--model", "models", multiple=True,
              help="A deployment or route it may ask for by name; repeat for more.")  # fmt: skip
@click.option("--requests-per-minute", type=click.IntRange(1, 2**31), help="Requests a minute.")
@click.option("--tokens-per-minute", type=click.IntRange(1, 2**31), help="Tokens a minute.")
@click.option("--concurrency", type=click.IntRange(1, 2**31), help="Requests at once.")
@click.option("--usd-per-day", type=_Usd(), help="Dollars in a day in UTC.")
@click.option("--usd-per-month", type=_Usd(), help="Dollars in a calendar month in UTC.")
@click.option("--expires-in-days", type=click.FloatRange(0, 36_500, min_open=True),
              help="Days after which it opens nothing any more; else never.")  # fmt: skip
@json_option
def create_key(
    name: str,
    config_path: Path,
    tenant: str | None,
    team: str | None,
    tasks: tuple[str, ...],
    models: tuple[str, ...],
    requests_per_minute: int | None,
    tokens_per_minute: int | None,
    concurrency: int | None,
    usd_per_day: Decimal | None,
    usd_per_month: Decimal | None,
    expires_in_days: float | None,
    as_json: bool,
) -> None:
    """The secret to stdout, everything else to stderr."""
    config = load_config(config_path)
    wish = KeyWish(
        name=name,
        tenant=tenant,
        team=team,
        tasks=tasks,
        models=models,
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
        concurrency=concurrency,
        usd_per_day=usd_per_day,
        usd_per_month=usd_per_month,
        expires_in_days=expires_in_days,
    )
    now_us = time.time_ns() // 1000
    made = make_key(config, _keys(config_path), wish, by=_me(), now_us=now_us)
    _tell_secret(made.key, made.secret, as_json)
    if not config.virtual_keys.enabled:
        note("no gateway takes it yet: add `virtual_keys: {enabled: true}` to the configuration")


@command.command("list", help=_LIST)
@config_option
@json_option
def list_keys(config_path: Path, as_json: bool) -> None:
    """Names, tenants, limits."""
    found = _keys(config_path).all()
    if as_json:
        print_json([key_as_data(key) for key in found])
        return
    rows = [
        (key.name, key.tenant, key.team or "", _may(key), _limits(key.limits), _life(key))
        for key in found
    ]
    click.echo(printable(table(("key", "tenant", "team", "may ask", "limits", "until"), rows)))


@command.command("show", help=_SHOW)
@click.argument("name")
@config_option
@json_option
def show_key(name: str, config_path: Path, as_json: bool) -> None:
    """Everything but what opens it."""
    key, secrets = _keys(config_path).get(name)
    if as_json:
        print_json({**key_as_data(key), "secrets": msgspec.to_builtins(secrets)})
        return
    rows = [
        ("tenant", key.tenant),
        ("team", key.team or "none"),
        ("may ask", _may(key)),
        ("limits", _limits(key.limits)),
        ("until", _life(key)),
        ("made", f"{_time(key.made_us)} by {key.made_by}"),
        *(("secret", _secret(each)) for each in secrets),
    ]
    click.echo(printable(table((key.name, ""), rows)))


@command.command("rotate", help=_ROTATE)
@click.argument("name")
@config_option
@click.option("--overlap-hours", type=click.FloatRange(0, 24 * 365), default=24.0,
              show_default=True, help="Hours for which the secrets before it go on.")  # fmt: skip
@json_option
def rotate_key(name: str, config_path: Path, overlap_hours: float, as_json: bool) -> None:
    """The new secret to stdout."""
    made = _keys(config_path).rotate(name, overlap_us=round(overlap_hours * _HOUR_US))
    _tell_secret(made.key, made.secret, as_json)
    note(f"what opened it before does so for {overlap_hours:g} hours more")


@command.command("revoke", help=_REVOKE)
@click.argument("name")
@config_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def revoke_key(name: str, config_path: Path, yes: bool) -> None:
    """For good."""
    keys = _keys(config_path)
    keys.get(name)  # an unknown one is said before anybody is asked
    if not yes and not sys.stdin.isatty():
        raise UsageError(f"this revokes the key {name} for good", next="add --yes")
    if not yes:
        click.confirm(f"Revoke the key {name} for good?", abort=True, err=True)
    keys.revoke(name)
    fresh_s = load_config(config_path).virtual_keys.fresh_s
    note(f"{name} opens nothing any more, on every gateway within {fresh_s:g} s")


def _keys(config_path: Path) -> "StoredVirtualKeys":
    return open_workspace(config_path).state().virtual_keys


def _tell_secret(key: VirtualKey, secret: str, as_json: bool) -> None:
    if as_json:
        print_json({**key_as_data(key), "secret": secret})
        return
    note(f"the secret of {key.name}, shown this once:")
    click.echo(secret)


def _may(key: VirtualKey) -> str:
    return " ".join((*(f"task:{task}" for task in key.tasks), *key.models)) or "everything"


def _limits(limits: Allowance) -> str:
    said = [
        (limits.requests_per_minute, "{} requests/min"),
        (limits.tokens_per_minute, "{} tokens/min"),
        (limits.concurrency, "{} at once"),
    ]
    words = [text.format(value) for value, text in said if value is not None]
    if limits.day_usd_picos is not None:
        words.append(f"${usd(limits.day_usd_picos):g}/day")
    if limits.month_usd_picos is not None:
        words.append(f"${usd(limits.month_usd_picos):g}/month")
    return ", ".join(words) or "none"


def _life(key: VirtualKey) -> str:
    if key.revoked_us is not None:
        return f"revoked {_time(key.revoked_us)}"
    return "for ever" if key.expires_us is None else _time(key.expires_us)


def _secret(secret: "Secret") -> str:
    until = "" if secret.expires_us is None else f", until {_time(secret.expires_us)}"
    return f"…{secret.hint}, made {_time(secret.made_us)}{until}"


def _time(us: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(us / 1e6))


def _me() -> str:
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a user without a name, in a container
        return "cli"
