"""`/v1/files`: kept, listed, given back and deleted, for the tenant that left them alone."""

import os
import sys
from pathlib import Path

import pytest

from pointsman.domain.errors import ExtraMissing
from pointsman.testing import ScriptedUpstream
from tests.batches.batch_kit import (
    BOUNDARY,
    FORM,
    a_key,
    as_key,
    batch_config,
    form,
    part,
    upload,
)
from tests.support.gateway import RunningGateway, a_deployment

END = f"--{BOUNDARY}--\r\n".encode()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with ScriptedUpstream() as upstream:
        config = batch_config(
            tmp_path_factory.mktemp("files"),
            [a_deployment("only", upstream.base_url)],
            [a_key("ada", "acme"), a_key("bob", "other")],
            max_file_bytes=1024 * 1024,
        )
        with RunningGateway(config) as running:
            yield running


def blobs(gateway: RunningGateway) -> set[str]:
    return {name for name in os.listdir(gateway.config.batches_path) if name != "store"}


def test_a_file_comes_back_byte_for_byte_and_is_gone_once_deleted(gateway):
    content = os.urandom(300_000)
    made = upload(gateway, content, key="ada", filename="Grüße.jsonl").json
    assert made == {
        "id": made["id"], "object": "file", "bytes": 300_000, "created_at": made["created_at"],
        "filename": "Grüße.jsonl", "purpose": "batch", "status": "processed",
        "status_details": None, "expires_at": made["created_at"] + 30 * 86_400,
    }  # fmt: skip
    path = f"/v1/files/{made['id']}"
    assert gateway.request("GET", path, headers=as_key("ada")).json == made
    got = gateway.request("GET", f"{path}/content", headers=as_key("ada"))
    assert (got.status, got.body, got.whole) == (200, content, True)
    assert got.headers["content-type"] == "application/octet-stream"
    assert made["id"] in blobs(gateway)
    gone = gateway.request("DELETE", path, headers=as_key("ada"))
    assert gone.json == {"id": made["id"], "object": "file", "deleted": True}
    assert made["id"] not in blobs(gateway)
    for method, tail in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        again = gateway.request(method, path + tail, headers=as_key("ada"))
        assert (again.status, again.json["error"]["code"]) == (404, "file_not_found")


def test_another_tenant_finds_no_such_file(gateway):
    made = upload(gateway, b"{}\n", key="ada").json
    path = f"/v1/files/{made['id']}"
    for method, tail in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        answer = gateway.request(method, path + tail, headers=as_key("bob"))
        assert (answer.status, answer.json["error"]["code"]) == (404, "file_not_found")
        assert gateway.request(method, path + tail).status == 401
    listed = gateway.request("GET", "/v1/files", headers=as_key("bob")).json
    assert made["id"] not in {each["id"] for each in listed["data"]}
    assert gateway.request("GET", path, headers=as_key("ada")).json == made


def test_lists_are_paged_in_both_orders(gateway):
    made = [upload(gateway, b"{}\n", key="bob").json["id"] for _ in range(3)]

    def listed(query: str) -> dict[str, object]:
        return gateway.request("GET", f"/v1/files?{query}", headers=as_key("bob")).json

    assert [each["id"] for each in listed("order=asc")["data"]] == made
    first = listed("limit=2")
    assert [each["id"] for each in first["data"]] == made[:0:-1]
    assert (first["first_id"], first["last_id"], first["has_more"]) == (made[2], made[1], True)
    rest = listed(f"limit=2&after={made[1]}")
    assert ([each["id"] for each in rest["data"]], rest["has_more"]) == (made[:1], False)
    assert listed("purpose=batch_output")["data"] == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=x",
        "limit=99999999999",
        "limit=%D9%A3",
        "order=up",
        "after=%00",
        "after=%F0%9F%9A%82",
        "&".join(["a=1"] * 99),
    ],
)
def test_a_page_that_is_none_is_refused(gateway, query):
    answer = gateway.request("GET", f"/v1/files?{query}", headers=as_key("ada"))
    assert (answer.status, answer.json["error"]["code"]) == (400, "invalid_value")


def test_a_client_says_when_a_file_is_over(gateway):
    said = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
    made = upload(gateway, b"{}\n", key="ada", **said).json
    assert made["expires_at"] == made["created_at"] + 3600


NONSENSE = [
    ("application/json", b"{}", "invalid_multipart"),
    ("multipart/form-data", form(b"x"), "invalid_multipart"),
    ("multipart/form-data; boundary=" + "b" * 71, form(b"x"), "invalid_multipart"),
    ("multipart/form-data; boundary=other", form(b"x"), "invalid_multipart"),
    (FORM, b"", "invalid_multipart"),
    (FORM, b"\0" * 9000, "invalid_multipart"),
    (FORM, form(b"x")[:-8], "invalid_multipart"),
    (FORM, END, "missing_part"),
    (FORM, part("purpose", b"batch") + END, "missing_part"),
    (FORM, part("file", b"x", "a") + END, "missing_part"),
    (FORM, part("purpose", b"batch") + part("file", b"", "a") + END, "empty_file"),
    (FORM, part("file", b"x", "a") * 2 + END, "invalid_multipart"),
    (FORM, part("purpose", b"batch") * 2 + END, "invalid_multipart"),
    (FORM, part("purpose", b"b" * 2000) + END, "invalid_multipart"),
    (FORM, b"".join(part(f"f{n}", b"x") for n in range(40)) + END, "invalid_multipart"),
    (FORM, f"--{BOUNDARY}\r\nx: y\r\n\r\nz\r\n".encode() + END, "invalid_multipart"),
    (FORM, f"--{BOUNDARY}\r\n{'x' * 9000}: y\r\n\r\nz\r\n".encode() + END, "invalid_multipart"),
    (FORM, form(b"x", purpose="fine-tune"), "purpose_not_supported"),
    (FORM, form(b"x" * (1024 * 1024 + 1)), "file_too_large"),
    (FORM, form(b"x", **{"expires_after[anchor]": "created_at"}), "invalid_value"),
    (FORM, form(b"x", **{"expires_after[seconds]": "3600"}), "invalid_value"),
    (FORM, form(b"x", **{"expires_after[anchor]": "created_at", "expires_after[seconds]": "1"}),
     "invalid_value"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "body", "code"), NONSENSE)
def test_nonsense_is_refused_and_leaves_nothing_behind(gateway, kind, body, code):
    before = blobs(gateway)
    headers = {"content-type": kind, **as_key("ada")}
    answer = gateway.request("POST", "/v1/files", body, headers)
    assert (answer.status // 100, answer.json["error"]["code"]) == (4, code), answer.body
    assert blobs(gateway) == before


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..\\..\\boot.ini", "a\tb\x7f", "", "x" * 4000]
)
def test_a_name_is_only_ever_shown(gateway, name):
    made = upload(gateway, b"{}\n", key="ada", filename=name).json
    shown = made["filename"]
    assert 0 < len(shown) <= 255
    assert "/" not in shown
    assert "\\" not in shown
    assert shown.isprintable()
    assert {made["id"]} <= blobs(gateway)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/files/..%2F..%2Fstate.sqlite",
        "/v1/files/store/content",
        "/v1/files/%00",
        "/v1/files//content",
        "/v1/files/a/b",
    ],
)
def test_no_path_leads_out_of_the_folder(gateway, path):
    answer = gateway.request("GET", path, headers=as_key("ada"))
    assert answer.status == 404


def test_a_method_that_a_path_does_not_take_is_named(gateway):
    answer = gateway.request("PUT", "/v1/files/file-1", b"", as_key("ada"))
    assert (answer.status, answer.headers["allow"]) == (405, "GET, DELETE")


def test_what_is_left_over_of_a_tenants_room_is_its_own(tmp_path: Path):
    with ScriptedUpstream() as upstream:
        config = batch_config(
            tmp_path,
            [a_deployment("only", upstream.base_url)],
            [a_key("ada", "acme"), a_key("bob", "other")],
            max_tenant_bytes=1000,
        )
        with RunningGateway(config) as gateway:
            assert upload(gateway, b"x" * 900, key="ada").status == 200
            full = upload(gateway, b"x" * 101, key="ada")
            assert (full.status, full.json["error"]["code"]) == (400, "file_quota_exceeded")
            assert upload(gateway, b"x" * 1000, key="bob").status == 200
            assert len(blobs(gateway)) == 2


def test_files_survive_a_restart(tmp_path: Path):
    with ScriptedUpstream() as upstream:
        config = batch_config(tmp_path, [a_deployment("only", upstream.base_url)])
        with RunningGateway(config) as gateway:
            made = upload(gateway, b"kept").json
        with RunningGateway(config) as gateway:
            path = f"/v1/files/{made['id']}"
            assert gateway.request("GET", path).json == made
            assert gateway.request("GET", f"{path}/content").body == b"kept"


def test_without_the_extra_every_path_names_it(tmp_path: Path, monkeypatch):
    def missing(self):
        raise ExtraMissing("no SQLAlchemy", next='pip install "pointsman[state]"')

    monkeypatch.setattr("pointsman.app.Application._opened_state", missing)
    with ScriptedUpstream() as upstream:
        config = batch_config(tmp_path, [a_deployment("only", upstream.base_url)])
        with RunningGateway(config) as gateway:
            answers = [
                gateway.request("GET", "/v1/files"),
                gateway.request("GET", "/v1/batches/batch_1"),
                upload(gateway, b"{}"),
            ]
            for answer in answers:
                assert (answer.status, answer.json["error"]["code"]) == (501, "extra_missing")
                assert "pointsman[state]" in answer.json["error"]["message"]
            assert gateway.chat().status == 200
            assert not Path(config.batches_path).exists()


def test_without_the_parser_an_upload_names_the_extra(gateway, monkeypatch):
    monkeypatch.setitem(sys.modules, "python_multipart.multipart", None)
    answer = upload(gateway, b"{}", key="ada")
    assert (answer.status, answer.json["error"]["code"]) == (501, "extra_missing")
    assert "pointsman[state]" in answer.json["error"]["message"]


def test_where_they_are_turned_off_the_error_says_so(tmp_path: Path):
    with ScriptedUpstream() as upstream:
        config = batch_config(tmp_path, [a_deployment("only", upstream.base_url)], enabled=False)
        with RunningGateway(config) as gateway:
            answer = gateway.request("GET", "/v1/files")
            assert (answer.status, answer.json["error"]["code"]) == (404, "batches_disabled")
