"""A running gateway over HTTP, for programs."""

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping, Sequence
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
    pass


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
