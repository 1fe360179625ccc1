"""`pointsman serve`: the gateway in the foreground."""

import logging
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from pointsman.cli.interrupting import interruptible
from pointsman.cli.output import config_option, load_config, note
from pointsman.domain.task import Configuration

_HELP = """Serve the OpenAI-compatible endpoint until SIGTERM or Ctrl-C.

What is being answered then may finish; a second signal stops at once.

\b
Examples:
  pointsman serve
  pointsman serve -c portfolio.yaml --port 4200
  pointsman serve --workers 4
"""


@click.command(help=_HELP)
@config_option
@click.option("--host", help="Listen here instead of server.host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Listen here instead of server.port.")
@click.option("--workers", type=click.IntRange(1, 64),
              help="Processes that answer, instead of server.workers.")  # fmt: skip
@click.option("--log-level", default="warning", show_default=True,
              type=click.Choice(["debug", "info", "warning", "error"]))  # fmt: skip
def command(
    config_path: Path, host: str | None, port: int | None, workers: int | None, log_level: str
) -> None:
    """Addresses and the end of it to stderr; nothing to stdout."""
    with interruptible():
        from pointsman.gateway.listening import shown
        from pointsman.telemetry.logs import announce, configure
        from pointsman.workers.running import run
        from pointsman.workers.supervisor import GRACE_S

    configure("text", level=logging.getLevelNamesMapping()[log_level.upper()])
    given = {"host": host, "port": port, "workers": workers}
    changes = {name: value for name, value in given.items() if value is not None}

    def load() -> Configuration:
        config = load_config(config_path)
        server = msgspec.structs.replace(config.server, **changes)
        return msgspec.structs.replace(config, server=server)

    with interruptible():
        config = load()
    configure(config.server.logs)
    tell = announce if config.server.logs == "json" else note

    def ready(addresses: Sequence[tuple[str, int]]) -> None:
        for address in addresses:
            where = shown(*address, secure=config.server.tls is not None)
            tell(f"serving on {where} · configuration {config.digest}")
        tell(f"asks: {', '.join(['auto', *config.aliases, *(f'task:{t}' for t in config.tasks)])}")
        admin = config.server.admin
        if admin is not None and admin.port:
            where = shown(admin.host, admin.port, secure=False).removesuffix("/v1")
            tell(f"admin: {where}/admin/workers")
        tell(f"journal: {config.journal_path} · stop with Ctrl-C")

    def stopping() -> None:
        tell(f"stopping: answers on their way have {GRACE_S:.0f} s; the same again stops at once")

    run(config, ready=ready, stopping=stopping, load=load)
