"""`pointsman route show`: a router, its operating points and what is certified of it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pointsman.cli.output import fitted, json_option, print_json
from pointsman.domain.errors import UsageError
from pointsman.learning import need

if TYPE_CHECKING:
    from pointsman.learning.router import Router
    from pointsman.routing.certificate import Certificate

_HELP = """Print a router: models, how it was fitted, operating points, certificates.

ROUTER is what `route fit` wrote. Expected figures of a point are per call, from cross-validation on
the outcomes it was fitted on. A certificate is shown with what later outcomes say of it; a
revoked one, or one of an earlier fit, counts for nothing and is shown with the reason.

\b
Examples:
  pointsman route show my.router
  pointsman route show my.router --json
"""


@click.command("show", help=_HELP)
@click.argument("path", metavar="ROUTER", type=click.Path(path_type=Path))
@click.option("--revoke", "revoked_id", metavar="ID", help="Take a certificate back, first.")
@click.option("--reason", default="taken back by hand", show_default=True,
              help="Why, with --revoke.")  # fmt: skip
@json_option
def command(path: Path, revoked_id: str | None, reason: str, as_json: bool) -> None:
    """From the artefact and the file beside it."""
    need("numpy")
    from pointsman.learning.certificates import read_certificates
    from pointsman.learning.router import Router

    router = Router.load(path)
    held = read_certificates(path)
    if revoked_id is not None:
        held = _revoke(path, held, revoked_id, reason)
    if as_json:
        print_json(_document(path, router, held))
        return
    click.echo("\n".join(_lines(path, router, held)))


def _revoke(
    path: Path, held: "tuple[Certificate, ...]", name: str, reason: str
) -> "tuple[Certificate, ...]":
    import time

    from pointsman.learning.certificates import write_certificates
    from pointsman.routing.certificate import withdraw

    if not any(each.id == name for each in held):
        raise UsageError(
            f"there is no certificate {name}",
            why=f"held: {', '.join(each.id for each in held) or 'none'}",
        )
    now = int(time.time() * 1e6)
    held = tuple(
        withdraw(each, reason=reason, at_us=now) if each.id == name else each for each in held
    )
    write_certificates(path, held)
    return held


def certificate_document(made: "Certificate") -> dict[str, Any]:
    """A certificate as `--json` carries it: its fields, its name and its sentence."""
    import msgspec

    document: dict[str, Any] = msgspec.to_builtins(made)
    return {"id": made.id, "statement": made.statement, **document}


def _document(path: Path, router: "Router", held: "tuple[Certificate, ...]") -> dict[str, Any]:
    return {
        "router": str(path),
        "digest": router.digest,
        "models": list(router.models),
        "notes": router.notes,
        "points": [
            {"name": p.name, "value_usd": p.value_usd, "expected": p.expected}
            for p in router.points
        ],
        "certificates": [
            {**certificate_document(each), "holds": _holds(each, router)} for each in held
        ],
    }


def _holds(made: "Certificate", router: "Router") -> bool:
    return made.revoked is None and made.router == router.digest


def _lines(path: Path, router: "Router", held: "tuple[Certificate, ...]") -> list[str]:
    notes = ", ".join(f"{k} {told}" for k, v in router.notes.items() if (told := _plain(v)))
    lines = [
        f"{path}  {router.digest[:12]}",
        f"models  {', '.join(router.models)}",
        *([f"fitted  {notes}"] if notes else []),
        "",
        *_points(router),
        "",
    ]
    if not held:
        lines.append("no certificate: a task with a floor goes to the strong model; "
                     "`pointsman route certify` makes one")  # fmt: skip
    for each in held:
        lines += [*_certificate(each, router), ""]
    return lines if held else [*lines, ""]


def _points(router: "Router") -> list[str]:
    names = sorted({name for p in router.points for name in p.expected})
    rows = [
        [p.name, f"{p.value_usd:.3g}", *(_figure(p.expected.get(name)) for name in names)]
        for p in router.points
    ]
    headings = ["point", "USD a unit of score is worth", *(f"expected {name}" for name in names)]
    return fitted(headings, rows).splitlines()


def _certificate(made: "Certificate", router: "Router") -> list[str]:
    state = "holds"
    if made.revoked is not None:
        state = f"revoked {_when(made.revoked.at_us)}: {made.revoked.reason}"
    elif made.router != router.digest:
        state = "does not count: the router was fitted again since"
    watch = made.watch
    return [
        f"certificate {made.id}  {state}",
        f"  states     {made.statement}",
        f"  by         {made.method}; {made.n:,} prompts, lost {made.lost}, won {made.won}, "
        f"p = {made.p_value:.3g}; made {_when(made.made_at_us)}",
        f"  point      {made.point}, {made.value_usd:.3g} USD an accepted answer, "
        f"loyalty {made.loyalty:g}; cost ×{_figure(made.cost_share.value)} of always "
        f"{made.reference}",
        f"  since      {watch.fall.n:,} outcomes, {watch.floor.n:,} of them paired; evidence "
        f"against the floor {watch.floor.value:.3g} of {1.0 / made.delta:.3g}",
    ]


def _plain(value: Any) -> str:
    """A note in a few words; "" for what only --json can carry."""
    if isinstance(value, dict):
        parts = [_plain(v) for v in value.values()]
        return " ".join(parts) if all(parts) else ""
    return "" if isinstance(value, list) else str(value)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _when(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M UTC")
