"""What a model file says of itself; hostile files are refused, never read beyond their end."""

import hashlib
import json
import os
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.backends import gguf
from pointsman.backends.gguf import BadGguf, found_in, parts_of, read_header
from pointsman.backends.model_files import SHIPPED

TEMPLATE = "{{ messages }}"


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def entry(name, kind, value):
    return text(name) + struct.pack("<I", kind) + value


def a_file(*entries, count=None, version=3):
    head = b"GGUF" + struct.pack("<IQQ", version, 0, len(entries) if count is None else count)
    return head + b"".join(entries)


KIND = entry("general.file_type", 4, struct.pack("<I", 15))
CHAT = entry("tokenizer.chat_template", 8, text(TEMPLATE))
NAMES = entry("tokens", 9, struct.pack("<IQ", 8, 2) + text("a") + text("b"))
NESTED = entry("nested", 9, struct.pack("<IQIQ", 9, 1, 0, 3) + b"abc")
WHOLE = a_file(NESTED, NAMES, KIND, CHAT) + b"tensors"


def test_it_says_how_it_is_stored_and_asked(tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(WHOLE)
    found = found_in(path)
    assert found.quantisation == "Q4_K_M"
    assert found.chat_template_sha256 == hashlib.sha256(TEMPLATE.encode()).hexdigest()
    assert found.weights_sha256 == hashlib.sha256(WHOLE).hexdigest()
    path.write_bytes(a_file(entry("general.file_type", 4, struct.pack("<I", 77))))
    assert found_in(path).quantisation == "type 77"
    assert found_in(path).chat_template_sha256 is None


def test_the_shipped_models_are_what_their_list_says():
    listed = json.loads((SHIPPED / "MODELS.json").read_bytes())
    for path in SHIPPED.glob("*.gguf"):
        assert found_in(path).weights_sha256 in json.dumps(listed)


def test_a_digest_is_remembered_until_the_file_is_another(tmp_path, monkeypatch):
    path, read = tmp_path / "m.gguf", []
    digest = hashlib.file_digest
    monkeypatch.setattr(
        gguf.hashlib, "file_digest", lambda file, name: read.append(1) or digest(file, name)
    )
    path.write_bytes(WHOLE)
    first = found_in(path)
    assert found_in(path) == first
    assert len(read) == 1
    other = tmp_path / "other"
    other.write_bytes(WHOLE[:-1] + b"!")
    os.replace(other, path)  # the same size, another inode
    assert found_in(path).weights_sha256 != first.weights_sha256


def test_all_parts_of_a_split_model_count(tmp_path):
    paths = [tmp_path / f"m-0000{at}-of-00002.gguf" for at in (1, 2)]
    paths[0].write_bytes(WHOLE)
    paths[1].write_bytes(b"more")
    assert parts_of(paths[0]) == tuple(paths)
    assert found_in(paths[0]).weights_sha256 == hashlib.sha256(WHOLE + b"more").hexdigest()
    paths[1].unlink()
    with pytest.raises(OSError, match="00002-of"):
        found_in(paths[0])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GGML" + bytes(20),
        a_file(version=1),
        a_file(count=1),
        a_file(count=2**63),
        a_file(entry("a", 8, struct.pack("<Q", 2**62))),
        a_file(entry("a", 9, struct.pack("<IQ", 8, 2**60))),
        a_file(entry("a", 9, struct.pack("<IQ", 9, 1) * 40)),
        a_file(entry("a", 99, b"")),
        a_file(entry("tokenizer.chat_template", 8, struct.pack("<Q", 2**30))),
    ],
)
def test_what_is_no_gguf_is_refused(tmp_path, data):
    path = tmp_path / "m.gguf"
    path.write_bytes(data)
    with pytest.raises(BadGguf):
        found_in(path)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80), st.integers(0, len(WHOLE)))
def test_any_bytes_end_well(tmp_path_factory, noise, at):
    path = tmp_path_factory.getbasetemp() / "noise.gguf"
    path.write_bytes(WHOLE[:at] + noise)
    try:
        said = read_header(path)
    except BadGguf:
        return
    assert said.keys() <= {"general.file_type", "tokenizer.chat_template"}
