"""Multipart forms by hand, and a gateway with two tenants whose files can be asked for."""

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from pointsman.domain.portfolio import Deployment
from pointsman.domain.task import BatchSettings, Configuration, Key
from pointsman.testing import ScriptedUpstream
from tests.support.gateway import Answer, RunningGateway, a_config

BOUNDARY = "boundary-of-a-form"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def part(name: str, value: bytes, filename: str | None = None) -> bytes:
    told = f'content-disposition: form-data; name="{name}"'
    if filename is not None:
        told += f'; filename="{filename}"'
    return f"--{BOUNDARY}\r\n{told}\r\n\r\n".encode() + value + b"\r\n"


def form(
    content: bytes, *, filename: str = "night.jsonl", purpose: str = "batch", **fields: str
) -> bytes:
    parts = [part("purpose", purpose.encode())]
    parts += [part(name, value.encode()) for name, value in fields.items()]
    parts.append(part("file", content, filename))
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def a_key(name: str, tenant: str, **changes: Any) -> Key:
    return Key(
        name=name, sha256=hashlib.sha256(name.encode()).hexdigest(), tenant=tenant, **changes
    )


def as_key(name: str | None) -> dict[str, str]:
    return {} if name is None else {"authorization": f"Bearer {name}"}


def batch_config(
    path: Path, deployments: Sequence[Deployment], keys: Sequence[Key] = (), **settings: Any
) -> Configuration:
    """Without a gate, so that the task `work` answers whatever it is asked."""
    config = a_config(path, deployments, gate=None, keys=keys)
    return msgspec.structs.replace(config, batches=BatchSettings(**settings))


def upload(
    gateway: RunningGateway, content: bytes, *, key: str | None = None, **said: Any
) -> Answer:
    headers = {"content-type": FORM, **as_key(key)}
    return gateway.request("POST", "/v1/files", form(content, **said), headers)


def lines(*bodies: Any, url: str = "/v1/chat/completions") -> bytes:
    """A file with one line for each body, with custom ids `line-0`, `line-1` …"""
    rows = (
        {"custom_id": f"line-{at}", "method": "POST", "url": url, "body": body}
        for at, body in enumerate(bodies)
    )
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def begin(
    gateway: RunningGateway,
    content: bytes,
    *,
    key: str | None = None,
    endpoint: str = "/v1/chat/completions",
    window: str = "24h",
    **said: Any,
) -> dict[str, Any]:
    """Upload an input and put its batch into the queue; the batch."""
    file = upload(gateway, content, key=key).json["id"]
    body = {"input_file_id": file, "endpoint": endpoint, "completion_window": window, **said}
    answer = gateway.request("POST", "/v1/batches", body, as_key(key))
    assert answer.status == 200, answer.body
    return answer.json


def look(gateway: RunningGateway, batch: str, *, key: str | None = None) -> dict[str, Any]:
    return gateway.request("GET", f"/v1/batches/{batch}", headers=as_key(key)).json


def until(
    gateway: RunningGateway, batch: str, *statuses: str, key: str | None = None
) -> dict[str, Any]:
    """The batch, once it has one of the statuses; unless told otherwise, once it is over."""
    wanted = statuses or ("completed", "failed", "expired", "cancelled")
    deadline = time.monotonic() + 60
    while (found := look(gateway, batch, key=key))["status"] not in wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def rows(
    gateway: RunningGateway, batch: dict[str, Any], which: str = "output", *, key: str | None = None
) -> list[dict[str, Any]]:
    """The rows of an output or error file; none where there is no such file."""
    file = batch[f"{which}_file_id"]
    if file is None:
        return []
    answer = gateway.request("GET", f"/v1/files/{file}/content", headers=as_key(key))
    assert answer.status == 200, answer.body
    return [json.loads(row) for row in answer.body.splitlines()]


def chat_body(text: str, model: str = "task:work", **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


def asked(upstream: ScriptedUpstream) -> list[str]:
    """The texts that an engine was asked, in order."""
    return [json.loads(each.body)["messages"][-1]["content"] for each in upstream.requests]
