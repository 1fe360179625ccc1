"""The nouns of the command line for programs: a running gateway, and the journal beside it."""

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pointsman.domain.errors import (
    Forbidden,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    PointsmanError,
    RateLimited,
    RequestTooLarge,
    Unauthenticated,
    UpstreamError,
    UpstreamTimeout,
    UsageError,
)

if TYPE_CHECKING:
    from pointsman.analytics.report import Report
    from pointsman.answering.feedback import Refused
    from pointsman.answering.replaying import Replay
    from pointsman.domain.ports import SubjectKey
    from pointsman.domain.records import BodyRef
    from pointsman.domain.task import Configuration
    from pointsman.journal import BackupReport, Fault, SealReport, VerifyReport
    from pointsman.keeping.erasure import Eraser
    from pointsman.keeping.status import JournalStatus
    from pointsman.state import State

_MANY = 200_000  # requests, above which a report goes by sums of days
DEFAULT_URL = "http://127.0.0.1:4100/v1"


class Client:
    """A running gateway over HTTP, with nothing but the standard library.

    For answers most programs use an OpenAI client; this one adds what those do not have.
    """

    def __init__(
        self, base_url: str = DEFAULT_URL, *, api_key: str | None = None, timeout_s: float = 600.0
    ) -> None:
        try:
            parts = urlsplit(base_url)
            known = parts.scheme in ("http", "https") and bool(parts.hostname)
            _ = parts.port  # parsed when read
        except ValueError:
            known = False
        if not known:
            raise UsageError(f"{base_url!r} is not an http(s) URL", next=f"try {DEFAULT_URL}")
        if api_key is not None and not (api_key.isascii() and api_key.isprintable()):
            raise UsageError(
                "the key holds what no HTTP header can carry",
                next="check for a line break or a letter that only looks right",
            )
        self._parts = parts
        self._path = parts.path.rstrip("/")
        self._api_key = api_key
        self._timeout_s = timeout_s

    def ask(
        self, text: str | Sequence[Mapping[str, Any]], *, model: str = "auto", **fields: Any
    ) -> dict[str, Any]:
        """One answer, as the gateway gave it; its trace id is under `x_trace`.

        Args: text is the user's message, or a list of messages; fields go into the request.
        Raises: PointsmanError with the gateway's own words; UpstreamError if it is not there.
        """
        body = {"model": model, "messages": _messages(text), **fields}
        response, answer = self._call("POST", "/chat/completions", body)
        return {**answer, **_extra(response)}

    def stream(
        self, text: str | Sequence[Mapping[str, Any]], *, model: str = "auto", **fields: Any
    ) -> Iterator[dict[str, Any]]:
        """The chunks of one streamed answer, each with `x_trace` as in `ask`.

        Raises: PointsmanError where it is refused or breaks off; nothing is asked before the
            first chunk is.
        """
        body = {"model": model, "messages": _messages(text), "stream": True, **fields}
        connection, response = self._open("POST", "/chat/completions", body)
        try:
            extra = _extra(response)
            for line in response:
                if not line.startswith(b"data:"):
                    continue
                data = line[5:].strip()
                if data == b"[DONE]":
                    return
                chunk = json.loads(data)
                if not isinstance(chunk, dict):
                    raise ValueError("an event is not an object")
                if "error" in chunk:
                    raise UpstreamError(str(_said(chunk).get("message") or chunk["error"]))
                yield {**chunk, **extra}
            raise UpstreamError("the stream ended before its answer did")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise UpstreamError("the stream broke off", why=str(error)) from error
        finally:
            connection.close()

    def add_feedback(
        self, reference: str, kind: str, *, value: Any = None, key: str | None = None
    ) -> dict[str, Any]:
        """Record an outcome of a trace, named by its id or by the answer's own `id`."""
        name = "trace" if reference.startswith("tr_") else "id"
        body = {name: reference, "kind": kind, "value": value, "key": key}
        return self._call("POST", "/feedback", {k: v for k, v in body.items() if v is not None})[1]

    def models(self) -> list[str]:
        """Every name that this key may ask for."""
        return [item["id"] for item in self._call("GET", "/models", None)[1]["data"]]

    def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None
    ) -> tuple[http.client.HTTPResponse, dict[str, Any]]:
        connection, response = self._open(method, path, body)
        try:
            answer = json.loads(response.read())
            if not isinstance(answer, dict):
                raise ValueError("it is not an object")
            return response, answer
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise UpstreamError("the gateway's answer could not be read", why=str(error)) from error
        finally:
            connection.close()

    def _open(
        self, method: str, path: str, body: Mapping[str, Any] | None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        parts = self._parts
        host, port = parts.hostname or "", parts.port
        connection = (
            http.client.HTTPSConnection(
                host, port, timeout=self._timeout_s, context=ssl.create_default_context()
            )
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=self._timeout_s)
        )
        headers = {"Content-Type": "application/json"}
        if self._api_key:
            headers["Authorization"] = f"Bearer {self._api_key}"
        payload = None if body is None else json.dumps(body).encode()
        try:
            connection.request(method, self._path + path, payload, headers)
            response = connection.getresponse()
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            connection.close()
            raise UpstreamError(
                f"no gateway answers at {parts.scheme}://{host}" + (f":{port}" if port else ""),
                why=str(error),
                next="start one with `pointsman serve`",
            ) from error
        if response.status != 200:
            try:
                said = _said(json.loads(response.read(_MOST_ERROR_BYTES)))
            except (ValueError, OSError, http.client.HTTPException):
                said = {}
            connection.close()
            raise _error(response, said)
        return connection, response


def _messages(text: str | Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [{"role": "user", "content": text}] if isinstance(text, str) else list(text)


def _extra(response: http.client.HTTPResponse) -> dict[str, str | None]:
    """What the gateway says beside its answer; a stream that was held long says it in its end."""
    return {
        "x_trace": response.getheader("x-pointsman-trace"),
        "x_deployment": response.getheader("x-pointsman-deployment"),
        "x_verified": response.getheader("x-pointsman-verified"),
    }


def _said(body: Any) -> dict[str, Any]:
    """The error object in an answer; empty where there is none."""
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, str):
        return {"message": error}
    return error if isinstance(error, dict) else {}


_KINDS: Mapping[int, type[PointsmanError]] = {
    kind.http_status: kind
    for kind in (
        InvalidRequest, Unauthenticated, Forbidden, NotFound, MethodNotAllowed, RequestTooLarge,
        RateLimited, Overloaded, UpstreamTimeout,
    )
}  # fmt: skip
_MOST_ERROR_BYTES = 1 << 20


def _error(response: http.client.HTTPResponse, said: Mapping[str, Any]) -> PointsmanError:
    """The error that the gateway raised, as the class it raised it with."""
    status = response.status
    general = UpstreamError if not 400 <= status < 500 else InvalidRequest
    code, param, wait = said.get("code"), said.get("param"), response.getheader("retry-after") or ""
    return _KINDS.get(status, general)(
        str(said.get("message") or f"the gateway answered {status}"),
        code=str(code) if code else None,
        param=str(param) if param else None,
        retry_after_s=float(wait) if wait.isdigit() else None,
        status=status,
    )


class Workspace:
    """The journal of one configuration: traces, reports, outcomes, its seals. No server needed."""

    def __init__(self, config: "Configuration") -> None:
        from pointsman.app import SystemClock
        from pointsman.journal import JournalReader, open_cipher

        self.config = config
        self._clock = SystemClock()
        self.root = Path(config.journal_path)
        self._state: State | None = None
        self._reports = JournalReader(
            config.journal_path, keys=_Keys(self), cipher=open_cipher(config.journal)
        )

    @classmethod
    def open(cls, path: str | Path = "pointsman.yaml") -> "Workspace":
        """Raises: ConfigurationError when the file does not say what it must."""
        import os

        from pointsman.config import load

        return cls(load(Path(path), env=os.environ))

    def traces(
        self, *, limit: int = 20, task: str | None = None, since_us: int = 0
    ) -> list[dict[str, Any]]:
        """The latest requests, newest first: the columns of the `requests` query."""
        params = {"limit": limit, "task": task, "since_us": since_us}
        return list(self._reports.query("requests", params))

    def attempts(self, *, since_us: int = 0, task: str | None = None) -> list[dict[str, Any]]:
        """Every attempt of the requests that ended: the columns of the `attempts` query."""
        return list(self._reports.query("attempts", {"since_us": since_us, "task": task}))

    @property
    def faults(self) -> "tuple[Fault, ...]":
        """Where the journal could not be read further, as of the last question; see `verify`."""
        return self._reports.faults

    def trace(self, reference: str) -> dict[str, Any]:
        """Everything about one trace, named by its id or by the answer's own id.

        Returns: `admission`, `end` and `outcomes` as recorded, and the bodies where kept.
        Raises: NotFound.
        """
        found = self._reports.query("find", {"references": [reference]})
        trace = str(found[0]["trace"]) if found else reference
        rows = self._reports.query("trace", {"trace": trace})
        parts: dict[str, Any] = {"trace": trace, "admission": None, "end": None, "outcomes": []}
        for row in rows:
            payload = json.loads(row["payload"])
            if row["kind"] == "outcome":
                parts["outcomes"].append(payload)
            else:
                parts[row["kind"]] = payload
        if parts["admission"] is None:
            raise NotFound(f"no trace {reference!r}", next="pointsman trace list")
        for name, said in (("request", parts["admission"]), ("response", parts["end"] or {})):
            ref = said.get(name)
            parts[f"{name}_body"] = body = self._body(ref)
            parts[f"{name}_kept"] = _kept(ref, body)
        return parts

    def replay(self, reference: str) -> "Replay":
        """The decision of a trace, taken again from its record. Raises: NotFound."""
        import msgspec

        from pointsman.answering.replaying import replay
        from pointsman.domain.messages import Features
        from pointsman.domain.records import Admission

        admission = msgspec.convert(self.trace(reference)["admission"], Admission)
        content = self._reports.content(admission.request)
        features = (
            None
            if content is None or not content.features
            else msgspec.json.decode(content.features, type=Features)
        )
        configs = self._reports.query("configs")
        text = next((row["text"] for row in configs if row["digest"] == admission.config), None)
        return replay(admission, features, text)

    def report(
        self,
        *,
        since_us: int = 0,
        until_us: int | None = None,
        task: str | None = None,
        fast: bool | None = None,
    ) -> "Report":
        """Accepted rate, cost per accepted output and latency, by task and by route.

        Args: fast takes whole days from their sums, whose times are off by 2.2 % at most; None:
            over long ranges.
        """
        from pointsman.analytics.report import build_report
        from pointsman.analytics.rolled import build_rolled_report

        now_us = self._clock.now_us()
        tasks = self.config.tasks
        if task is not None and task not in tasks:
            raise UsageError(f"no task {task!r}", next=f"tasks: {', '.join(tasks) or 'none'}")
        until_us = until_us if until_us is not None else now_us + 1
        if fast is None:
            fast = self._is_long(since_us, until_us)
        build = build_rolled_report if fast else build_report
        return build(
            self._reports,
            tasks=tasks,
            since_us=since_us,
            until_us=until_us,
            now_us=now_us,
            task=task,
        )

    def _is_long(self, since_us: int, until_us: int) -> bool:
        """True where reading every request would take seconds, and sums of days are there."""
        span = {"since_us": since_us, "until_us": until_us}
        counts = {row["kind"]: row["records"] for row in self._reports.query("counts", span)}
        return counts.get("admission", 0) > _MANY and bool(self._reports.query("rolled_days"))

    def add_feedback(
        self,
        rows: Sequence[Mapping[str, Any]],
        *,
        source: str = "import",
        progress: Any = lambda done: None,
    ) -> "tuple[int, list[Refused]]":
        """Record outcomes (`trace` or `id`, `kind`, `value`, `key`, `at_us`).

        Returns: how many were recorded, and which rows (from 1) were not and why.
        """
        from pointsman.answering.feedback import Feedback, Recent
        from pointsman.journal import JournalWriter

        journal = JournalWriter(self.root)
        try:
            feedback = Feedback(journal, self._reports, Recent(), self._clock)
            return feedback.add_many([dict(row) for row in rows], source=source, progress=progress)
        finally:
            journal.close()

    def verify(self) -> "VerifyReport":
        """Walk every record: checksums, the hash chain, the sealed files."""
        from pointsman.journal import verify

        return verify(self.root)

    def seal(self) -> "SealReport":
        """Turn closed segments into Parquet. Bodies past their retention: see `expire`."""
        from pointsman.journal import seal

        return seal(self.root)

    def expire(self) -> int:
        """Erase the bodies whose retention is over; how many were erased."""
        from pointsman.journal import erase_due

        return erase_due(self.root, now_us=self._clock.now_us()).bodies

    def compact(self) -> int:
        """Make one of small sealed files, day by day; how many files became fewer."""
        from pointsman.journal import compact

        files = 0
        while (report := compact(self.root)).state == "compacted":
            files += report.files - 1
        return files

    def backup(self, to: str | Path) -> "BackupReport":
        """Copy the journal as it stands to a new or empty directory, and verify the copy."""
        from pointsman.journal import backup

        return backup(self.root, to)

    def eraser(self) -> "Eraser":
        """What erases a person or a request. Raises: StateUnavailable."""
        from pointsman.keeping.erasure import Eraser

        return Eraser(
            self.root, self._reports, self.state().subject_keys, now_us=self._clock.now_us
        )

    def journal_status(self) -> "JournalStatus":
        """What there is, and how keeping it goes."""
        from pointsman.keeping.status import journal_status

        state = self._existing_state()
        return journal_status(
            self.root,
            schedules=state.schedules if state is not None else None,
            now_us=self._clock.now_us(),
        )

    def state(self) -> "State":
        """The state of the configuration, opened when first asked for. Raises: StateUnavailable."""
        if self._state is None:
            from pointsman.journal import open_master_key
            from pointsman.state import open_state

            self._state = open_state(self.config.state_url, wrapper=open_master_key(self.config))
        return self._state

    def _existing_state(self) -> "State | None":
        """The state, unless it is a file that is not there: reading makes none."""
        path = self.config.state_url.removeprefix("sqlite:///")
        if path != self.config.state_url and not Path(path).exists():
            return None
        return self.state()

    def close(self) -> None:
        """Let go of the memory of the questions asked so far. Safe to repeat."""
        self._reports.close()
        if self._state is not None:
            self._state.close()
            self._state = None

    def __enter__(self) -> "Workspace":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _body(self, raw: Mapping[str, Any] | None) -> str | None:
        if raw is None:
            return None
        body = self._reports.body(_ref(raw))
        return None if body is None else body.decode("utf-8", "replace")


class _Keys:
    """Subject keys for reading bodies; the store is opened when the first body needs one."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def key(self, tenant: str, subject: str) -> "SubjectKey":
        return self._workspace.state().subject_keys.key(tenant, subject)

    def find(self, ids: Sequence[str]) -> "Mapping[str, SubjectKey]":
        state = self._workspace._existing_state()
        return state.subject_keys.find(ids) if state is not None else {}

    def destroy(self, tenant: str, subject: str) -> tuple[str, ...]:
        return self._workspace.state().subject_keys.destroy(tenant, subject)


def _kept(ref: Mapping[str, Any] | None, body: str | None) -> str:
    if body is not None:
        return "kept"
    return "erased" if ref is not None and ref.get("pack") is not None else "not kept"


def _ref(raw: Any) -> "BodyRef":
    import msgspec

    from pointsman.domain.records import BodyRef

    said = json.loads(raw) if isinstance(raw, str) else raw
    return msgspec.convert(said, BodyRef)
