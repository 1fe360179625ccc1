"""Merkle trees as RFC 6962 and RFC 9162 define them: hashes, proofs, and how they are checked.

Pure: a tree is anything that gives the hash of a complete subtree.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Protocol

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
_LEAF, _NODE = b"\x00", b"\x01"


class Subtrees(Protocol):
    """A tree of which complete subtrees can be asked for."""

    def subtree(self, level: int, index: int) -> bytes:
        """The hash over leaves [index * 2^level, (index + 1) * 2^level), all of which are there."""


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 || data)."""
    return sha256(_LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return sha256(_NODE + left + right).digest()


class Frontier:
    """The complete subtrees of a growing tree, largest first: enough to append and for its root."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        assert len(peaks) == size.bit_count(), "one peak for each bit of the size"
        self.size = size
        self._peaks = list(peaks)

    def append(self, leaf: bytes) -> None:
        """Add one leaf's hash; O(1) amortised."""
        size, peaks = self.size, self._peaks
        while size & 1:
            leaf = sha256(_NODE + peaks.pop() + leaf).digest()
            size >>= 1
        peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The hash over everything appended."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root


def frontier_at(tree: Subtrees, size: int) -> Frontier:
    """The frontier of the first `size` leaves."""
    peaks, start = [], 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            peaks.append(tree.subtree(level, start >> level))
            start += 1 << level
    return Frontier(size, peaks)


def root_at(tree: Subtrees, size: int) -> bytes:
    """The root over the first `size` leaves."""
    return frontier_at(tree, size).root()


def inclusion_proof(tree: Subtrees, index: int, size: int) -> list[bytes]:
    """PATH(index, D[size]) of RFC 6962 section 2.1.1, from the leaf upwards.

    Raises: ValueError where there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    return _path(tree, index, 0, size)


def consistency_proof(tree: Subtrees, old: int, new: int) -> list[bytes]:
    """PROOF(old, D[new]) of RFC 6962 section 2.1.2. Raises: ValueError unless 1 <= old <= new."""
    if not 1 <= old <= new:
        raise ValueError(f"no tree of {old} leaves lies in one of {new}")
    return _subproof(tree, old, 0, new, whole=True)


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Whether the proof shows that this leaf's hash stands at `index`. RFC 9162 section 2.1.3.2."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for other in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(other, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, other)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def verify_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether the proof shows that the old tree is the new one's beginning. RFC 9162 2.1.4.2."""
    if not 1 <= old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    rest = list(proof)
    if old & (old - 1) == 0:  # the old tree is itself a complete subtree of the new one
        rest.insert(0, old_root)
    if not rest:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = rest[0]
    for other in rest[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = node_hash(other, before), node_hash(other, after)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            after = node_hash(after, other)
        at, last = at >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1


def _hash(tree: Subtrees, start: int, end: int) -> bytes:
    """The hash over leaves [start, end), where start is a multiple of the largest part of it."""
    count = end - start
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return tree.subtree(level, start >> level)
    middle = start + _split(count)
    return node_hash(_hash(tree, start, middle), _hash(tree, middle, end))


def _path(tree: Subtrees, index: int, start: int, end: int) -> list[bytes]:
    if end - start == 1:
        return []
    middle = start + _split(end - start)
    if index < middle:
        return [*_path(tree, index, start, middle), _hash(tree, middle, end)]
    return [*_path(tree, index, middle, end), _hash(tree, start, middle)]


def _subproof(tree: Subtrees, old: int, start: int, end: int, *, whole: bool) -> list[bytes]:
    if old == end - start:
        return [] if whole else [_hash(tree, start, end)]
    half = _split(end - start)
    middle = start + half
    if old <= half:
        return [*_subproof(tree, old, start, middle, whole=whole), _hash(tree, middle, end)]
    return [*_subproof(tree, old - half, middle, end, whole=False), _hash(tree, start, middle)]
