"""What is stored of the files that clients leave here, and of batches that are read from one."""

from typing import Literal

import msgspec

BatchStatus = Literal[
    "validating",
    "in_progress",
    "finalizing",
    "completed",
    "failed",
    "expired",
    "cancelling",
    "cancelled",
]
Ending = Literal["completed", "failed", "expired", "cancelled"]
OPEN: frozenset[BatchStatus] = frozenset({"validating", "in_progress", "finalizing", "cancelling"})
Purpose = Literal["batch", "batch_output"]


class FileEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A file, without its bytes: they lie in the store, named by the id alone."""

    id: str
    tenant: str
    store: str  # the folder of bytes it lies in, by that folder's own id
    name: str  # as the client calls it; never a path of ours
    purpose: Purpose
    size: int  # bytes
    made_us: int
    expires_us: int | None = None  # it is gone from then on


class Maker(msgspec.Struct, frozen=True, kw_only=True):
    """The key by which a batch was made: its lines are asked with that key's rights and limits."""

    kind: Literal["open", "file", "state"]  # no keys; a key of the configuration; a virtual key
    name: str


class LineProblem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a batch failed, in OpenAI's words; `line` counts from 1."""

    code: str
    message: str
    param: str | None = None
    line: int | None = None


class Batch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Requests from a file, asked when there is room. Times are microseconds since 1970, UTC."""

    id: str
    tenant: str
    store: str
    made_by: Maker
    input_file: str
    endpoint: str
    window: str  # as the client said it: `24h`
    made_us: int
    expires_us: int
    status: BatchStatus = "validating"
    ending: Ending | None = None  # what `finalizing` leads to
    metadata: dict[str, str] | None = None
    output_expires_s: int | None = None  # of output files; None: as long as any file
    output_file: str | None = None
    error_file: str | None = None
    total: int = 0
    completed: int = 0
    failed: int = 0
    problems: tuple[LineProblem, ...] = ()
    in_progress_us: int | None = None
    finalizing_us: int | None = None
    cancelling_us: int | None = None
    over_us: int | None = None

    @property
    def over(self) -> bool:
        """Whether nothing of it changes any more."""
        return self.status not in OPEN
