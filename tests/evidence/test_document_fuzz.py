"""Damaged documents of every kind: they may be refused, never hang, grow or break us."""

import random

import pytest
from tests.evidence.test_documents import HTML, MAIL, MARKDOWN, a_docx, a_pptx, an_xlsx
from tests.support.pdfs import Content, pdf, ruled

from pointsman.domain.errors import DocumentRefused
from pointsman.evidence.bounded import Bounds
from pointsman.evidence.documents.document import parts_of
from pointsman.evidence.documents.reading import read_document_bytes
from pointsman.evidence.provenance import format_id, parse_id

BOUNDS = Bounds(wall_s=60, cpu_s=30, memory_bytes=700 << 20, output_bytes=32 << 20)
SAMPLES = {
    "x.pdf": lambda: pdf([ruled(Content().text(72, 60, "Runbook"))] * 2),
    "x.docx": a_docx,
    "x.pptx": a_pptx,
    "x.xlsx": an_xlsx,
    "x.html": lambda: HTML,
    "x.md": lambda: MARKDOWN,
    "x.eml": lambda: MAIL,
}


def damaged(content, chance):
    """Some bytes changed, cut, doubled or moved."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 3, 12, 40))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del data[at : at + chance.choice((1, 4, 40))]
            case 2:
                data[at:at] = data[: chance.randrange(200)]
            case 3:
                data[at : at + 4] = chance.choice((b"\xff\xff\xff\xff", b"9999", b"<<<<", b"((((")
                                                  )  # fmt: skip
            case 4:
                data[at:at] = str(chance.choice((0, -1, 2**31, 10**12))).encode()
    return bytes(data)


def survive(name, seed):
    content = damaged(SAMPLES[name](), random.Random(f"{name}{seed}"))
    try:
        document = read_document_bytes(content, name=name, bounds=BOUNDS)
    except DocumentRefused:
        return
    for part in parts_of(document, name):
        assert format_id(parse_id(part.id)) == part.id


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("seed", range(2))
def test_a_damaged_document_is_read_or_refused(name, seed):
    survive(name, seed)


@pytest.mark.deep
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", SAMPLES)
def test_many_damaged_documents_are_read_or_refused(name):
    for seed in range(2, 80):
        survive(name, seed)
