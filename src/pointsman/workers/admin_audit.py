"""The admin's routes for auditors: which policies are bound, the latest checkpoint, receipts."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from pointsman.domain.ids import ulid
from pointsman.domain.records import AccessRecord
from pointsman.domain.task import Configuration
from pointsman.gateway.auth import Caller
from pointsman.gateway.http_server import Exchange

_JSON = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
_PREFIX = "/admin/receipts/"


class AdminAudit:
    """Reads files in threads, one question at a time. Args: config gives the one in force."""

    def __init__(self, config: Callable[[], Configuration]) -> None:
        self._config = config
        self._turn = asyncio.Lock()

    @property
    def routes(self) -> Mapping[str, Mapping[str, Any]]:
        """By path and method."""
        return {
            "/admin/policies": {"GET": self._policies},
            "/admin/audit": {"GET": self._audit},
            _PREFIX: {"GET": self._receipt},
        }

    async def _policies(self, exchange: Exchange, caller: Caller) -> None:
        """What is bound: digests, rules with their owners and review dates; no texts."""
        _tell(
            exchange,
            {
                "object": "list",
                "data": [
                    {
                        "binding": binding.name,
                        "policy": spec.id,
                        "digest": f"sha256:{spec.digest}",
                        "mode": spec.mode.kind,
                        "rules": [
                            {
                                "id": rule.id,
                                "stages": rule.stages,
                                "verdict": rule.verdict,
                                "mode": (rule.mode or spec.mode).kind,
                                "owner": rule.owner,
                                "review_by": rule.review_by,
                                "controls": rule.controls,
                            }
                            for rule in spec.rules
                        ],
                        "exceptions": [
                            {
                                "rule": each.rule,
                                "approved_by": each.approved_by,
                                "expires": each.expires,
                            }
                            for each in spec.exceptions
                        ],
                    }
                    for binding in self._config().policies
                    for spec in binding.policies
                ],
            },
        )

    async def _audit(self, exchange: Exchange, caller: Caller) -> None:
        from pointsman.audit import AuditLog

        def look() -> dict[str, Any]:
            files = AuditLog(self._config().journal_path).files
            kept = files.kept_checkpoints()
            return {
                "entries": files.head().size,
                "checkpoints": len(kept),
                "latest": kept[-1].text if kept else None,
            }

        async with self._turn:
            _tell(exchange, await asyncio.to_thread(look))

    async def _receipt(self, exchange: Exchange, caller: Caller) -> None:
        trace = exchange.request.path.removeprefix(_PREFIX)
        by = f"admin:{caller.principal}"
        async with self._turn:
            _tell(exchange, await asyncio.to_thread(self._made, trace, by))

    def _made(self, trace: str, by: str) -> Any:
        """Whom a receipt was given to is a record. Raises: NotFound, CheckFailed."""
        from pointsman.audit import AuditLog, make_receipt
        from pointsman.journal import open_journal

        config, now_us = self._config(), time.time_ns() // 1000
        receipt = make_receipt(AuditLog(config.journal_path), config.journal_path, trace)
        with open_journal(config.journal, path=config.journal_path) as journal:
            journal.append(
                AccessRecord(
                    id=f"ac_{ulid(now_us // 1000, os.urandom(10))}",
                    at_us=now_us,
                    by=by,
                    action="audit.prove",
                    traces=(trace,),
                    records=len(receipt.records),
                )
            )
        return receipt


def _tell(exchange: Exchange, said: Any) -> None:
    exchange.respond(200, _JSON, msgspec.json.encode(said))
