"""Files and batches: what is uploaded is kept byte for byte; each line is answered exactly once.

Source: the Files and Batch pages of OpenAI's API reference.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from tests.conformance.bench import Asking, Bench, Case
from tests.conformance.engine import JsonObject
from tests.conformance.matching import ANY, OneOf, check, same
from tests.conformance.surfaces import BY_NAME, check_error
from tests.conformance.wire import Answer

_BATCH_S: Final = 60.0
_OVER: Final = ("completed", "failed", "expired", "cancelled")
_BOUNDARY: Final = "conformance-b0undary"
_FILES: Final[Mapping[str, bytes]] = {
    "plain": b'{"custom_id": "a"}\n',
    "empty-lines": b"\n\n\r\n\n",
    "like-a-boundary": b"\r\n--conformance-b0undar\r\n--\r\n--conformance-b0undarY--\r\n",
    "all-bytes": bytes(range(256)) * 40,
    "large": b"0123456789abcdef" * 65536,
}


def cases() -> Iterator[Case]:
    """Files, and batches of each surface that they can ask."""
    for shape in _FILES:
        keep = partial(_kept, content=_FILES[shape])
        yield Case(group="files", shape=f"kept-{shape}", surface="files", run=keep)
    for shape, run in (
        ("listed", _listed), ("deleted", _deleted), ("unknown", _unknown_file),
        ("no-multipart", _no_multipart), ("no-file", _no_file), ("no-purpose", _no_purpose),
        ("cut", _cut_upload), ("name-in-unicode", _name),
    ):  # fmt: skip
        yield Case(group="files", shape=shape, surface="files", run=run)
    for name in ("chat", "completions", "embeddings"):
        answered = partial(_answered, surface=name)
        yield Case(group="batches", shape=f"answered-{name}", surface="batches", run=answered)
    for shape, asked in (
        ("failing-lines", _failing), ("cancelled", _cancelled), ("listed", _batches_listed),
        ("unknown", _unknown_batch), ("no-such-file", _no_such_file),
        ("no-such-endpoint", _no_such_endpoint), ("no-such-window", _no_such_window),
    ):  # fmt: skip
        yield Case(group="batches", shape=shape, surface="batches", run=asked)
    for shape, lines in _BAD_INPUTS.items():
        bad = partial(_bad_input, lines=lines)
        yield Case(group="batches", shape=shape, surface="batches", run=bad)


# Files


def _multipart(
    content: bytes, *, name: str = "input.jsonl", purpose: str | None = "batch"
) -> bytes:
    head = f'--{_BOUNDARY}\r\ncontent-disposition: form-data; name="'
    parts = b""
    if purpose is not None:
        parts += f'{head}purpose"\r\n\r\n{purpose}\r\n'.encode()
    parts += f'{head}file"; filename="{name}"\r\n'.encode()
    parts += b"content-type: application/jsonl\r\n\r\n" + content
    return parts + f"\r\n--{_BOUNDARY}--\r\n".encode()


def _post(bench: Bench, body: bytes) -> Answer:
    kind = {"content-type": f"multipart/form-data; boundary={_BOUNDARY}"}
    return bench.request("POST", f"{bench.root}/files", body, kind)


def _uploaded(bench: Bench, content: bytes, *, name: str = "input.jsonl") -> JsonObject:
    answer = _post(bench, _multipart(content, name=name))
    check(answer.status == 200, "another status", expected=200, got=answer.raw)
    said: JsonObject = answer.json
    expected = {"id": ANY, "object": "file", "bytes": len(content), "created_at": ANY,
                "filename": name, "purpose": "batch"}  # fmt: skip
    same(expected, said)
    check(isinstance(said["created_at"], int), "created_at is no time", got=said)
    return said


def _get(bench: Bench, path: str, method: str = "GET") -> Answer:
    return bench.request(method, bench.root + path)


def _content(bench: Bench, file: str) -> bytes:
    answer = _get(bench, f"/files/{file}/content")
    check(answer.status == 200, "another status", expected=200, got=answer.raw)
    return answer.body


def _kept(bench: Bench, *, content: bytes) -> None:
    """The same bytes come back, and so does what is known of them."""
    file = _uploaded(bench, content)
    same({**file}, _get(bench, f"/files/{file['id']}").json)
    got = _content(bench, file["id"])
    check(got == content, "other bytes", expected=content[:200], got=got[:200])


def _name(bench: Bench) -> None:
    """A name in any letters."""
    file = _uploaded(bench, b"{}\n", name="Grüße 日本.jsonl")
    same({**file}, _get(bench, f"/files/{file['id']}").json)


def _listed(bench: Bench) -> None:
    """Among the files that there are, by purpose too."""
    file = _uploaded(bench, b"{}\n")
    for query in ("", "?purpose=batch", "?limit=100&order=desc"):
        said = _get(bench, f"/files{query}").json
        same({"object": "list", "data": ANY}, said)
        check(file["id"] in [each["id"] for each in said["data"]], "the file is not listed",
              expected=file, got=said)  # fmt: skip


def _deleted(bench: Bench) -> None:
    """Gone, and nothing of it can be read."""
    file = _uploaded(bench, b"{}\n")
    said = _get(bench, f"/files/{file['id']}", "DELETE").json
    same({"id": file["id"], "object": "file", "deleted": True}, said)
    for path in (f"/files/{file['id']}", f"/files/{file['id']}/content"):
        check_error("files", _get(bench, path), 404)


def _unknown_file(bench: Bench) -> None:
    for path in ("/files/file-none", "/files/file-none/content", "/files/..%2f..%2fetc"):
        check_error("files", _get(bench, path), 400, 404)
    check_error("files", _get(bench, "/files/file-none", "DELETE"), 404)


def _no_multipart(bench: Bench) -> None:
    path = f"{bench.root}/files"
    check_error("files", bench.request("POST", path, b'{"file": "x"}'), 400, 415, 422)


def _no_file(bench: Bench) -> None:
    head = f'--{_BOUNDARY}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    check_error("files", _post(bench, f"{head}--{_BOUNDARY}--\r\n".encode()), 400, 422)


def _no_purpose(bench: Bench) -> None:
    check_error("files", _post(bench, _multipart(b"{}\n", purpose=None)), 400, 422)


def _cut_upload(bench: Bench) -> None:
    """A form that ends within its file is no file."""
    check_error("files", _post(bench, _multipart(b"{}\n" * 10)[:-40]), 400, 422)


# Batches


def _line(custom_id: str, asking: Asking) -> JsonObject:
    return {"custom_id": custom_id, "method": "POST", "url": f"/v1{asking.surface.path}",
            "body": json.loads(asking.body)}  # fmt: skip


def _jsonl(lines: Sequence[Any]) -> bytes:
    return b"".join(
        (line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines
    )


def _created(bench: Bench, file: str, endpoint: str = "/v1/chat/completions") -> Answer:
    body = {"input_file_id": file, "endpoint": endpoint, "completion_window": "24h",
            "metadata": {"night": "run"}}  # fmt: skip
    return bench.request("POST", f"{bench.root}/batches", json.dumps(body).encode())


def _started(bench: Bench, lines: Sequence[Any], endpoint: str) -> JsonObject:
    file = _uploaded(bench, _jsonl(lines))
    answer = _created(bench, file["id"], endpoint)
    check(answer.status == 200, "another status", expected=200, got=answer.raw)
    said: JsonObject = answer.json
    expected = {"id": ANY, "object": "batch", "endpoint": endpoint, "input_file_id": file["id"],
                "completion_window": "24h", "created_at": ANY, "metadata": {"night": "run"},
                "status": OneOf("validating", "in_progress", "finalizing", *_OVER)}  # fmt: skip
    same(expected, said)
    return said


def _until_over(bench: Bench, batch: JsonObject) -> JsonObject:
    give_up = time.monotonic() + _BATCH_S
    while time.monotonic() < give_up:
        said: JsonObject = _get(bench, f"/batches/{batch['id']}").json
        if said["status"] in _OVER:
            return said
        time.sleep(0.25)
    check(False, f"not over within {_BATCH_S:.0f} s", expected=_OVER, got=said)
    return said


def _results(bench: Bench, batch: JsonObject) -> dict[str, JsonObject]:
    """Lines of both files, by custom id."""
    found: dict[str, JsonObject] = {}
    for name in ("output_file_id", "error_file_id"):
        if batch.get(name):
            for line in _content(bench, batch[name]).splitlines():
                said = json.loads(line)
                check(said["custom_id"] not in found, "a line is answered twice", got=said)
                found[said["custom_id"]] = said
    return found


def _counts(batch: JsonObject, completed: int, failed: int) -> None:
    total = completed + failed
    same({"total": total, "completed": completed, "failed": failed}, batch["request_counts"])


def _answered(bench: Bench, *, surface: str) -> None:
    """Every line once, with the answer that the surface gives."""
    chosen = BY_NAME[surface]
    asked = {f"line-{at}": bench.asking(chosen) for at in range(5)}
    lines = [_line(name, asking) for name, asking in asked.items()]
    batch = _until_over(bench, _started(bench, lines, f"/v1{chosen.path}"))
    check(batch["status"] == "completed", "another status", expected="completed", got=batch)
    _counts(batch, 5, 0)
    found = _results(bench, batch)
    check(set(found) == set(asked), "other lines", expected=sorted(asked), got=sorted(found))
    direct = chosen.said(bench.ask(bench.asking(chosen)).json)
    for said in found.values():
        same({"id": ANY, "custom_id": ANY, "response": ANY}, said)
        check(said.get("error") is None, "an error", got=said)
        check(said["response"]["status_code"] == 200, "another status", expected=200, got=said)
        text = chosen.said(said["response"]["body"])
        check(text == direct, "another answer", expected=direct, got=said)
    for asking in asked.values():
        check(len(bench.seen(asking)) == 1, "asked more than once", got=len(bench.seen(asking)))


def _failing(bench: Bench) -> None:
    """What fails is told by line, and the others are answered."""
    chat = BY_NAME["chat"]
    lines = [
        _line("good", bench.asking(chat)),
        _line("refused", bench.asking(chat, "overflow-vllm")),
        _line("unknown", bench.asking(chat, model="no-such-model")),
    ]
    batch = _until_over(bench, _started(bench, lines, "/v1/chat/completions"))
    check(batch["status"] == "completed", "another status", expected="completed", got=batch)
    _counts(batch, 1, 2)
    found = _results(bench, batch)
    check(set(found) == {"good", "refused", "unknown"}, "other lines", got=found)
    for name, status in (("refused", 400), ("unknown", 404)):
        said = found[name]
        told = said.get("error") or (said["response"] or {}).get("status_code") == status
        check(told, f"the failure of {name!r} is not told", expected=status, got=said)
    errors = _content(bench, batch["error_file_id"])
    check(b"good" not in errors, "an answer among the errors", got=errors)


def _cancelled(bench: Bench) -> None:
    """Cancelling stops what is being asked."""
    silent = bench.asking(BY_NAME["chat"], "silence", model=bench.names.patient)
    batch = _started(bench, [_line("silent", silent)], "/v1/chat/completions")
    received = bench.upstream.wait(silent.token)
    said = _get(bench, f"/batches/{batch['id']}/cancel", "POST").json
    check(said["status"] in ("cancelling", "cancelled"), "another status", got=said)
    over = _until_over(bench, batch)
    check(over["status"] == "cancelled", "another status", expected="cancelled", got=over)
    check(received.cancelled.wait(20), "the upstream goes on for a batch that was cancelled")


def _batches_listed(bench: Bench) -> None:
    """Among the batches, newest first, page by page."""
    lines = [_line("a", bench.asking(BY_NAME["chat"]))]
    batch = _started(bench, lines, "/v1/chat/completions")
    said = _get(bench, "/batches?limit=100").json
    same({"object": "list", "data": ANY}, said)
    check(batch["id"] in [each["id"] for each in said["data"]], "the batch is not listed", got=said)
    page = _get(bench, "/batches?limit=1").json
    check(len(page["data"]) == 1, "another number on a page", expected=1, got=page)
    after = _get(bench, f"/batches?limit=100&after={page['data'][0]['id']}").json
    again = page["data"][0]["id"] in [each["id"] for each in after["data"]]
    check(not again, "`after` gives the same again", got=after)
    _until_over(bench, batch)


def _unknown_batch(bench: Bench) -> None:
    check_error("batches", _get(bench, "/batches/batch_none"), 404)
    check_error("batches", _get(bench, "/batches/batch_none/cancel", "POST"), 404)


def _no_such_file(bench: Bench) -> None:
    check_error("batches", _created(bench, "file-none"), 400, 404)


def _no_such_endpoint(bench: Bench) -> None:
    file = _uploaded(bench, _jsonl([_line("a", bench.asking(BY_NAME["chat"]))]))
    check_error("batches", _created(bench, file["id"], "/v1/nowhere"), 400)


def _no_such_window(bench: Bench) -> None:
    file = _uploaded(bench, _jsonl([_line("a", bench.asking(BY_NAME["chat"]))]))
    body = {"input_file_id": file["id"], "endpoint": "/v1/chat/completions",
            "completion_window": "soon"}  # fmt: skip
    path = f"{bench.root}/batches"
    check_error("batches", bench.request("POST", path, json.dumps(body).encode()), 400)


def _bad_input(bench: Bench, *, lines: Sequence[Any]) -> None:
    """Refused at once, or a batch that has failed and says which line is wrong."""
    asking = bench.asking(BY_NAME["chat"])
    good = _line("good", asking)
    content = _jsonl([good, *({**good, **line} if isinstance(line, dict) else line
                              for line in lines)])  # fmt: skip
    answer = _created(bench, _uploaded(bench, content)["id"])
    if answer.status == 400:
        check_error("batches", answer, 400)
    else:
        check(answer.status == 200, "another status", expected=200, got=answer.raw)
        over = _until_over(bench, answer.json)
        check(over["status"] == "failed", "another status", expected="failed", got=over)
        errors = (over.get("errors") or {}).get("data") or []
        check(errors and errors[0].get("line") == 2, "the line is not named", got=over)
    check(not bench.seen(asking), "the upstream was asked", got=len(bench.seen(asking)))


_BAD_INPUTS: Final[Mapping[str, Sequence[Any]]] = {
    "line-not-json": (b'{"custom_id": ',),
    "line-no-object": (b"17",),
    "line-not-utf-8": (b'{"custom_id": "\xff"}',),
    "custom-id-twice": ({},),
    "custom-id-number": ({"custom_id": 17},),
    "other-endpoint": ({"custom_id": "b", "url": "/v1/embeddings"},),
    "other-method": ({"custom_id": "b", "method": "GET"},),
    "body-no-object": ({"custom_id": "b", "body": []},),
}
