"""The lines of a batch's input and of its output, in OpenAI's shape. Pure."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from pointsman.domain.batches import LineProblem

BODY_MOST = 10 * 1024 * 1024
LINE_MOST = BODY_MOST + 8 * 1024
CUSTOM_ID_MOST = 512
_PROBLEMS_MOST = 100
_BOM = b"\xef\xbb\xbf"
_ROW = re.compile(rb"([0-9]{1,12}) ([oe]) ([0-9]{1,12}) ")


class Line(NamedTuple):
    """One request of a batch."""

    number: int  # of the file's lines, from 1
    custom_id: str
    body: bytes


class Checked(NamedTuple):
    """What a whole input is."""

    total: int  # lines that hold a request
    problems: tuple[LineProblem, ...]


class _Said(msgspec.Struct):
    custom_id: str
    method: str
    url: str
    body: msgspec.Raw


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a line."""

    status_code: int
    request_id: str
    body: msgspec.Raw


class _Trouble(msgspec.Struct, frozen=True):
    code: str
    message: str


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    custom_id: str
    response: Told | None
    error: _Trouble | None


_SAID = msgspec.json.Decoder(_Said)


def read_line(raw: bytes, number: int, endpoint: str) -> Line | LineProblem | None:
    """One line of an input; None for one that holds nothing."""
    if number == 1:
        raw = raw.removeprefix(_BOM)
    if not raw.strip():
        return None

    def problem(code: str, message: str, param: str | None = None) -> LineProblem:
        return LineProblem(code=code, message=message, param=param, line=number)

    if len(raw) > LINE_MOST:
        return problem("line_too_large", f"This line is over {LINE_MOST} bytes.")
    try:
        if not raw.isascii():
            raw.decode()  # a body is forwarded unread: it must be text as well
        said = _SAID.decode(raw)
    except msgspec.ValidationError as error:
        param = str(error).partition("`")[2].partition("`")[0].removeprefix("$.") or None
        return problem("missing_required_parameter", f"{error}.", param)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return problem("invalid_json_line", "This line is not parseable as valid JSON.")
    if not 0 < len(said.custom_id) <= CUSTOM_ID_MOST:
        what = f"`custom_id` must have 1 to {CUSTOM_ID_MOST} characters."
        return problem("invalid_custom_id", what, "custom_id")
    if said.method != "POST":
        return problem("invalid_method", "`method` must be POST.", "method")
    if said.url != endpoint:
        what = f"`url` must be the endpoint of the batch, {endpoint}."
        return problem("mismatched_endpoint", what, "url")
    body = bytes(said.body)
    if len(body) > BODY_MOST:
        return problem("line_too_large", f"`body` is over {BODY_MOST} bytes.", "body")
    if not body.startswith(b"{"):
        return problem("invalid_request", "`body` must be an object.", "body")
    return Line(number, said.custom_id, body)


def check_input(raws: Iterable[bytes], endpoint: str, *, most: int) -> Checked:
    """The whole input: nothing of it is asked unless every line is a request of its own."""
    seen: set[str] = set()
    problems: list[LineProblem] = []
    for number, raw in enumerate(raws, 1):
        line = read_line(raw, number, endpoint)
        too_many = number > 2 * most + 1000  # blank lines have a bound as well
        if isinstance(line, LineProblem):
            problems.append(line)
        elif line is not None and line.custom_id in seen:
            problems.append(
                LineProblem(
                    code="duplicate_custom_id",
                    message="The custom_id of this line stands in an earlier one as well.",
                    param="custom_id",
                    line=number,
                )
            )
        elif line is not None:
            seen.add(line.custom_id)
        if len(seen) > most or too_many:
            what = f"The file holds more than {most} requests, or as many blank lines."
            return Checked(0, (LineProblem(code="too_many_lines", message=what),))
        if len(problems) >= _PROBLEMS_MOST:
            break
    if not seen and not problems:
        problems.append(LineProblem(code="empty_file", message="The file holds no request."))
    return Checked(len(seen), tuple(problems))


def lines_of(raws: Iterable[bytes], endpoint: str, *, skip: frozenset[int]) -> Iterator[Line]:
    """The lines of an input that was checked, less those that are done."""
    for number, raw in enumerate(raws, 1):
        if number not in skip:
            line = read_line(raw, number, endpoint)
            if isinstance(line, Line):
                yield line


def answered(batch: str, line: Line, *, status: int, request_id: str, body: bytes) -> bytes:
    """The row of a line that was answered, whatever with. One line, without its end."""
    name = request_id or _name(batch, line)
    told = Told(status_code=status, request_id=name, body=msgspec.Raw(on_one_line(body)))
    return _row(batch, line, told, None)


def unasked(batch: str, line: Line, *, code: str, message: str) -> bytes:
    """The row of a line that was never answered."""
    return _row(batch, line, None, _Trouble(code, message))


def on_one_line(body: bytes) -> bytes:
    """The same JSON without line breaks; what is none becomes a string."""
    if not body:
        return b"null"
    if b"\n" not in body and b"\r" not in body:
        return body
    try:
        return msgspec.json.format(body, indent=-1)
    except msgspec.DecodeError:
        return msgspec.json.encode(body.decode("utf-8", "replace"))


def kept_row(number: int, row: bytes, *, good: bool) -> bytes:
    """A row as it lies in a part, with its end."""
    return b"%d %c %d %b\n" % (number, b"o" if good else b"e", len(row), row)


class Kept(NamedTuple):
    """A row that was found in a part."""

    number: int
    good: bool
    start: int  # of the row within its line


def found_row(raw: bytes) -> Kept | None:
    """Which row a line of a part is; None for one that a killed process left half written."""
    head = _ROW.match(raw)
    if head is None or len(raw) != head.end() + int(head[3]) + 1 or raw[-1:] != b"\n":
        return None
    return Kept(int(head[1]), head[2] == b"o", head.end())


def _row(batch: str, line: Line, told: Told | None, trouble: _Trouble | None) -> bytes:
    return msgspec.json.encode(
        _Row(id=_name(batch, line), custom_id=line.custom_id, response=told, error=trouble)
    )


def _name(batch: str, line: Line) -> str:
    """The same line has the same id, however often it was asked."""
    return f"batch_req_{batch.removeprefix('batch_')}_{line.number}"
