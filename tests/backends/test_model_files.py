"""Model files: names, and downloads from a small server that imitates the hub."""

import asyncio
import contextlib
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pointsman.backends.embedded_download import fetch
from pointsman.backends.embedded_hub import Hub
from pointsman.backends.model_files import (
    default_cache_dir,
    locate,
    parse_hub_name,
    shipped_path,
)
from pointsman.domain.errors import ConfigurationError, UpstreamError

BODY = b"GGUF" + bytes(range(256)) * 12_000  # 3 MB: several blocks of a megabyte
NAME = "hub:owner/repo/folder/tiny.gguf"
STORED = Path("owner/repo/main/folder/tiny.gguf")


class FakeHub(ThreadingHTTPServer):
    """The hub and, under another origin, the store it redirects to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.sha256 = hashlib.sha256(BODY).hexdigest()
        self.cut_after: list[int] = []  # bytes after which a transfer breaks, one per transfer
        self.ranges = True
        self.needs_token = False
        self.names_checksum = True
        self.location = f"http://localhost:{self.server_port}/store/tiny?signed=1"
        self.seen: list[tuple[str, str, str | None, str | None]] = []
        self.gate: threading.Event | None = None

    @property
    def transfers(self) -> list[str | None]:
        """The Range of every GET to the store."""
        return [asked for _, path, asked, _ in self.seen if path.startswith("/store")]


class _Answers(BaseHTTPRequestHandler):
    server: FakeHub

    def do_HEAD(self) -> None:
        self._note()
        hub = self.server
        if hub.needs_token and self.headers["Authorization"] != "Bearer secret":
            self._say(401)
        elif self.path != "/owner/repo/resolve/main/folder/tiny.gguf":
            self._say(404)
        else:
            linked = {"X-Linked-Etag": f'"{hub.sha256}"', "X-Linked-Size": str(len(BODY))}
            self._say(302, {"Location": hub.location, **(linked if hub.names_checksum else {})})

    def do_GET(self) -> None:
        self._note()
        hub, start = self.server, 0
        if hub.gate is not None:
            hub.gate.wait(10)
        if hub.ranges and (asked := self.headers["Range"]):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        headers = {"Content-Length": str(len(BODY) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"
        self._say(206 if start else 200, headers)
        end = start + hub.cut_after.pop(0) if hub.cut_after else len(BODY)
        with contextlib.suppress(ConnectionError):  # the client may have stopped
            self.wfile.write(BODY[start:end])

    def _say(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()

    def _note(self) -> None:
        asked, token = self.headers["Range"], self.headers["Authorization"]
        self.server.seen.append((self.command, self.path, asked, token))

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def a_hub(server: FakeHub, folder: Path, *, token: str | None = None, attempts: int = 3) -> Hub:
    return Hub(
        cache_dir=folder,
        endpoint=f"http://127.0.0.1:{server.server_port}",
        token=token,
        timeout_s=5,
        attempts=attempts,
        retry_delay_s=0,
        proxies={},
    )


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_a_file_is_fetched_once_and_its_checksum_kept(hub: FakeHub, tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []

    async def twice() -> Path:
        first = await locate(
            NAME, hub=a_hub(hub, tmp_path), on_progress=lambda *now: heard.append(now)
        )
        assert await locate(NAME, hub=a_hub(hub, tmp_path)) == first
        return first

    path = asyncio.run(twice())
    assert path == tmp_path / STORED
    assert path.read_bytes() == BODY
    assert path.with_name("tiny.gguf.sha256").read_text() == f"{hub.sha256}  tiny.gguf\n"
    assert heard[-1] == (len(BODY), len(BODY))
    assert len(hub.transfers) == 1


def test_a_cut_transfer_goes_on_where_it_broke(hub: FakeHub, tmp_path: Path) -> None:
    hub.cut_after = [1_500_000, 1_000_000]
    path = asyncio.run(locate(NAME, hub=a_hub(hub, tmp_path)))
    assert path.read_bytes() == BODY
    assert hub.transfers == [None, "bytes=1500000-", "bytes=2500000-"]


def test_what_came_before_a_failure_is_resumed_by_the_next_start(
    hub: FakeHub, tmp_path: Path
) -> None:
    hub.cut_after = [2_000_000]
    with pytest.raises(UpstreamError, match="transfer ended after 2000000 of"):
        asyncio.run(locate(NAME, hub=a_hub(hub, tmp_path, attempts=1)))
    assert not (tmp_path / STORED).exists()
    path = asyncio.run(locate(NAME, hub=a_hub(hub, tmp_path)))
    assert path.read_bytes() == BODY
    assert hub.transfers == [None, "bytes=2000000-"]


def test_a_server_that_cannot_resume_sends_all_again(hub: FakeHub, tmp_path: Path) -> None:
    hub.ranges, hub.cut_after = False, [2_000_000]
    path = asyncio.run(locate(NAME, hub=a_hub(hub, tmp_path)))
    assert path.read_bytes() == BODY


def test_attempts_without_a_byte_are_bounded(hub: FakeHub, tmp_path: Path) -> None:
    hub.cut_after = [0] * 10
    with pytest.raises(UpstreamError, match="3 times in a row"):
        asyncio.run(locate(NAME, hub=a_hub(hub, tmp_path)))
    assert len(hub.transfers) == 3


def test_a_wrong_checksum_leaves_no_file(hub: FakeHub, tmp_path: Path) -> None:
    hub.sha256 = "0" * 64
    with pytest.raises(UpstreamError, match="the hub promised 0000"):
        asyncio.run(locate(NAME, hub=a_hub(hub, tmp_path)))
    assert files_in(tmp_path) == {"tiny.gguf.lock"}


def test_a_file_that_cannot_be_checked_is_not_fetched(hub: FakeHub, tmp_path: Path) -> None:
    hub.names_checksum = False
    hub.location = "/owner/repo/resolve/main/folder/tiny.gguf"
    with pytest.raises(UpstreamError, match="names no sha256"):
        asyncio.run(locate(NAME, hub=a_hub(hub, tmp_path)))
    assert hub.transfers == []


def test_the_token_goes_to_the_hub_and_not_to_where_it_redirects(
    hub: FakeHub, tmp_path: Path
) -> None:
    hub.needs_token = True
    settings = a_hub(hub, tmp_path, token="secret")
    asyncio.run(locate(NAME, hub=settings))
    assert {(path[:6], token) for _, path, _, token in hub.seen} == {
        ("/owner", "Bearer secret"),
        ("/store", None),
    }
    assert "secret" not in repr(settings)


def test_a_gated_file_asks_for_a_token(hub: FakeHub, tmp_path: Path) -> None:
    hub.needs_token = True
    with pytest.raises(ConfigurationError, match="set HF_TOKEN"):
        asyncio.run(locate(NAME, hub=a_hub(hub, tmp_path)))


def test_a_missing_file_is_a_configuration_error(hub: FakeHub, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="the hub has no 'owner/repo@main/other"):
        asyncio.run(locate("hub:owner/repo/other.gguf", hub=a_hub(hub, tmp_path)))


def test_two_downloads_at_once_transfer_once(hub: FakeHub, tmp_path: Path) -> None:
    async def both() -> list[Path]:
        return await asyncio.gather(*(locate(NAME, hub=a_hub(hub, tmp_path)) for _ in range(2)))

    assert set(asyncio.run(both())) == {tmp_path / STORED}
    assert len(hub.transfers) == 1


def test_a_cancelled_download_leaves_no_file(hub: FakeHub, tmp_path: Path) -> None:
    async def cancelled() -> None:
        loop, begun = asyncio.get_running_loop(), asyncio.Event()
        hub.gate = threading.Event()
        task = asyncio.create_task(
            locate(NAME, hub=a_hub(hub, tmp_path), on_progress=lambda *_: begun.set())
        )
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        loop.call_soon(hub.gate.set)

    asyncio.run(cancelled())
    assert not (tmp_path / STORED).exists()


def test_plain_http_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    hub = Hub(cache_dir=tmp_path, endpoint="http://mirror.example", token="secret")
    with pytest.raises(ConfigurationError, match="HTTPS only"):
        fetch(parse_hub_name(NAME), hub, on_progress=lambda *_: None, stop=threading.Event())


def test_a_redirect_away_from_https_is_refused(hub: FakeHub, tmp_path: Path) -> None:
    hub.location = "http://elsewhere.example/tiny"
    with pytest.raises(ConfigurationError, match="HTTPS only"):
        asyncio.run(locate(NAME, hub=a_hub(hub, tmp_path)))


@pytest.mark.parametrize(
    "name",
    [
        "hub:owner/tiny.gguf",
        "hub:owner/repo/tiny.bin",
        "hub:owner/repo/../../tiny.gguf",
        "hub:../repo/tiny.gguf",
        "hub:owner/repo@../tiny.gguf",
        "hub:owner/repo//tiny.gguf",
        "hub:owner/repo/tiny.gguf?x=1",
        "hub:owner/repo/big-00001-of-00003.gguf",
    ],
)
def test_a_hub_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_hub_name(name)


def test_a_hub_name_may_pin_a_revision() -> None:
    file = parse_hub_name("hub:Qwen/Qwen3-0.6B-GGUF@23749fe/Qwen3-0.6B-Q8_0.gguf")
    assert (file.repo, file.revision) == ("Qwen/Qwen3-0.6B-GGUF", "23749fe")
    assert file.path == "Qwen3-0.6B-Q8_0.gguf"


def test_a_hub_name_without_a_cache_folder_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="cannot be downloaded"):
        asyncio.run(locate(NAME))


def test_an_unknown_shipped_name_lists_what_exists(tmp_path: Path) -> None:
    for name in ("small", "large"):
        (tmp_path / f"{name}.gguf").touch()
    with pytest.raises(ConfigurationError) as caught:
        shipped_path("smal", folder=tmp_path)
    assert caught.value.why == "the package has: large, small"
    assert caught.value.next == "use embedded:small"
    assert shipped_path("large", folder=tmp_path) == tmp_path / "large.gguf"


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no model file"):
        asyncio.run(locate(str(tmp_path / "none.gguf")))
    with pytest.raises(ConfigurationError, match="that is not a file"):
        asyncio.run(locate(str(tmp_path)))


def test_the_cache_folder_follows_xdg() -> None:
    home = Path("/home/someone")
    assert default_cache_dir(home=home, xdg_cache_home="/c") == Path("/c/pointsman/models")
    assert default_cache_dir(home=home, xdg_cache_home=None) == home / ".cache/pointsman/models"
