"""Server-sent events: bytes in at any split, the data of whole events out; nothing else."""

from pointsman.backends.http_wire import WireError


class SseSplitter:
    """Splits one stream into the payloads of its events.

    Comments and the fields `event`, `id` and `retry` are dropped, as are events without data.
    Line ends may be LF, CRLF or CR. An event is given out once its empty line has arrived.
    Source: WHATWG HTML, 9.2.6 "Interpreting an event stream".
    """

    __slots__ = ("_after_cr", "_data", "_max", "_partial", "_size", "_start")

    def __init__(self, *, max_event_bytes: int = 4 * 1024 * 1024) -> None:
        self._max = max_event_bytes
        self._partial: list[bytes] = []  # of a line whose end has not arrived
        self._size = 0  # bytes in `_partial` and `_data`
        self._data: list[bytes] = []  # the event's data lines so far
        self._start = True  # a byte order mark may come
        self._after_cr = False  # a line feed now belongs to the line end before

    @property
    def pending(self) -> bool:
        """Whether an event is incomplete: at the end of a stream, that it was cut."""
        return bool(self._data or self._partial)

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads of the events that end in `data`.

        Raises: WireError `too_large` when one event outgrows the bound.
        """
        if not (self._partial or self._data or self._after_cr or self._start):
            if data.count(b"\n") == 2 and data[:6] == b"data: " and data[-2:] == b"\n\n":
                if b"\r" not in data and len(data) <= self._max:  # one event, as most
                    return [data[6:-2]]
            else:
                events = _usual(data)
                if events is not None and len(data) <= self._max:
                    return events
        return self._walk(data) if data else []

    def _walk(self, data: bytes) -> list[bytes]:
        if self._after_cr:
            self._after_cr = False
            if data[:1] == b"\n":
                data = data[1:]
        if self._start:
            joined = b"".join(self._partial) + data
            if len(joined) < 3 and _MARK.startswith(joined):
                self._keep(data)
                return []
            self._partial.clear()
            self._size = 0
            self._start = False
            data = joined.removeprefix(_MARK)
        self._after_cr = data.endswith(b"\r")
        lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        events: list[bytes] = []
        for line in lines[:-1]:
            if self._partial:
                self._keep(line)
                line = b"".join(self._partial)
                self._size -= len(line)
                self._partial.clear()
            self._line(line, events)
        if lines[-1]:
            self._keep(lines[-1])
        return events

    def _line(self, line: bytes, events: list[bytes]) -> None:
        if not line:
            if self._data:
                events.append(b"\n".join(self._data))
                self._data.clear()
                self._size = 0
            return
        if line[:5] == b"data:":
            value = line[6:] if line[5:6] == b" " else line[5:]
        elif line == b"data":
            value = b""
        else:
            return
        self._bound(len(value) + 1)
        self._data.append(value)

    def _keep(self, piece: bytes) -> None:
        self._bound(len(piece))
        self._partial.append(piece)

    def _bound(self, more: int) -> None:
        self._size += more
        if self._size > self._max:
            raise WireError("too_large", f"an event of the stream is over {self._max} bytes")


def _usual(data: bytes) -> list[bytes] | None:
    """Payloads where `data` is whole events of one `data: ` line each, ended by LF; or None."""
    if data[:6] != b"data: " or data[-2:] != b"\n\n" or b"\r" in data:
        return None
    events = data[6:-2].split(b"\n\ndata: ")
    for event in events:
        if b"\n" in event:
            return None
    return events


_MARK = b"\xef\xbb\xbf"
