"""What clients ask of files and batches. For threads; the tenant comes from the credential."""

from collections.abc import Callable, Iterable
from typing import BinaryIO

import msgspec

from pointsman.batches.status import cancelled
from pointsman.batches.store import Store
from pointsman.batches.uploads import Upload, checked_expiry
from pointsman.batches.wishes import Wish, checked_wish
from pointsman.domain.batches import Batch, FileEntry, Maker, Purpose
from pointsman.domain.errors import InvalidRequest, PointsmanError, StateUnavailable
from pointsman.domain.ids import batch_id, file_id
from pointsman.domain.ports import BatchState
from pointsman.domain.task import BatchSettings

DAY_S = 86_400
PAGE_MOST = 10_000
OPEN_MOST = 100  # batches of a tenant that wait or run


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What part of a list is wanted."""

    limit: int
    after: str | None = None
    ascending: bool = False
    purpose: str | None = None


class Desk:
    """Files over one state and one store.

    Args: now_us is the wall clock; entropy gives unguessable bytes for ids.
    """

    def __init__(
        self,
        state: BatchState,
        store: Store,
        settings: Callable[[], BatchSettings],
        *,
        now_us: Callable[[], int],
        entropy: Callable[[int], bytes],
    ) -> None:
        self.state = state
        self.store = store
        self._settings = settings
        self._now_us = now_us
        self._entropy = entropy

    def upload(self, tenant: str, content_type: bytes, body: Iterable[bytes]) -> FileEntry:
        """Keep the file in a form. Raises: as `Upload`; InvalidRequest; StateUnavailable."""
        settings = self._settings()
        try:
            upload = Upload(self.store, content_type, most_bytes=settings.max_file_bytes)
            try:
                for piece in body:
                    upload.feed(piece)
                return self._keep(tenant, upload)
            finally:
                upload.abandon()  # where it was kept, nothing of that name is left
        except OSError as error:
            raise _disk(error) from error

    def file(self, file: str, tenant: str) -> FileEntry:
        """The file. Raises: NotFound."""
        return self.state.files.get(file, tenant, now_us=self._now_us())

    def files(self, tenant: str, page: Page) -> tuple[tuple[FileEntry, ...], bool]:
        """A page of files, and whether there are more."""
        found = self.state.files.page(
            tenant,
            now_us=self._now_us(),
            limit=page.limit + 1,
            after=page.after,
            purpose=page.purpose,
            ascending=page.ascending,
        )
        return found[: page.limit], len(found) > page.limit

    def content(self, file: str, tenant: str) -> BinaryIO:
        """The bytes of a file, open. Raises: NotFound; StateUnavailable where they lie not here."""
        return self.bytes_of(self.file(file, tenant))

    def bytes_of(self, entry: FileEntry) -> BinaryIO:
        """The bytes of a file, open. Raises: StateUnavailable where they lie not here."""
        try:
            return self.store.open(entry.id)
        except FileNotFoundError:
            elsewhere = entry.store != self.store.id
            raise StateUnavailable(
                f"the bytes of {entry.id} are not here",
                why="they lie in the folder of another gateway" if elsewhere else "they are gone",
                next="let gateways that share a state share batches.path as well"
                if elsewhere
                else "upload it again",
                code="file_content_missing",
            ) from None
        except OSError as error:
            raise _disk(error) from error

    def delete(self, file: str, tenant: str) -> FileEntry:
        """Forget a file and its bytes. Raises: NotFound; InvalidRequest where it is in use."""
        entry = self.state.files.remove(file, tenant)
        try:
            self.store.remove(entry.id)
        except OSError as error:
            raise _disk(error) from error
        return entry

    def create(self, tenant: str, maker: Maker, wish: Wish) -> Batch:
        """Put a batch into the queue.

        Raises: InvalidRequest; NotFound for a file that is not there; StateUnavailable where its
            bytes are not here.
        """
        window_us = checked_wish(wish)
        entry = self.file(wish.input_file_id, tenant)
        if entry.purpose != "batch":
            raise InvalidRequest(
                f"the file {entry.id} is the output of a batch",
                param="input_file_id",
                code="invalid_value",
            )
        self.bytes_of(entry).close()
        now_us = self._now_us()
        output = wish.output_expires_after
        batch = Batch(
            id=batch_id(now_us // 1000, self._entropy(10)),
            tenant=tenant,
            store=self.store.id,
            made_by=maker,
            input_file=entry.id,
            endpoint=wish.endpoint,
            window=wish.completion_window,
            made_us=now_us,
            expires_us=now_us + window_us,
            metadata=wish.metadata,
            output_expires_s=checked_expiry(output.anchor, output.seconds) if output else None,
        )
        self.state.batches.add(batch, most_open=OPEN_MOST)
        return batch

    def batch(self, batch: str, tenant: str) -> Batch:
        """The batch. Raises: NotFound."""
        return self.state.batches.get(batch, tenant)

    def batches(self, tenant: str, page: Page) -> tuple[tuple[Batch, ...], bool]:
        """A page of batches, the newest first, and whether there are more."""
        found = self.state.batches.page(tenant, limit=page.limit + 1, after=page.after)
        return found[: page.limit], len(found) > page.limit

    def cancel(self, batch: str, tenant: str) -> Batch:
        """The batch, which begins no line more. Raises: NotFound; InvalidRequest if too late."""
        at_us = self._now_us()
        return self.state.batches.change(
            batch, lambda now: cancelled(now, at_us=at_us), tenant=tenant
        )

    def mint_file(
        self, tenant: str, name: str, purpose: Purpose, size: int, expires_s: int | None
    ) -> FileEntry:
        """The entry of a new file, which nobody has seen yet."""
        now_us = self._now_us()
        lasts_s = expires_s if expires_s is not None else self._settings().keep_days * DAY_S
        return FileEntry(
            id=file_id(now_us // 1000, self._entropy(10)),
            tenant=tenant,
            store=self.store.id,
            name=name,
            purpose=purpose,
            size=size,
            made_us=now_us,
            expires_us=now_us + lasts_s * 1_000_000,
        )

    def _keep(self, tenant: str, upload: Upload) -> FileEntry:
        said = upload.finish()
        if said.purpose != "batch":
            raise InvalidRequest(
                f"files of the purpose {said.purpose[:64]!r} are not taken",
                next="upload with `purpose` `batch`",
                param="purpose",
                code="purpose_not_supported",
            )
        entry = self.mint_file(tenant, said.name, "batch", upload.file.size, said.expires_s)
        self.store.keep(upload.file, entry.id)
        try:
            self.state.files.add(entry, most_bytes=self._settings().max_tenant_bytes)
        except PointsmanError:
            self.store.remove(entry.id)
            raise
        return entry


def _disk(error: OSError) -> StateUnavailable:
    return StateUnavailable(
        "the bytes of files cannot be reached",
        why=error.strerror or str(error),
        next="look at the disk and the folder batches.path",
    )
