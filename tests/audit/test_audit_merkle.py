"""Trees and proofs, against the definition itself and the published vectors of RFC 6962's tests."""

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.audit.hashes import HashFiles
from pointsman.audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    frontier_at,
    inclusion_proof,
    leaf_hash,
    root_at,
    verify_consistency,
    verify_inclusion,
)

# Inputs and roots of the test vectors that Certificate Transparency's implementations share.
VECTORS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657",
           "606162636465666768696a6b6c6d6e6f"]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


class Plain:
    """A tree by its definition, hashed anew each time."""

    def __init__(self, leaves):
        self.leaves = leaves

    def subtree(self, level, index):
        return mth(self.leaves[index << level : (index + 1) << level])


def mth(leaves):
    """MTH of RFC 6962 section 2.1, over hashes of leaves."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def made(count):
    return [leaf_hash(b"%d" % at) for at in range(count)]


def test_the_published_vectors():
    frontier = Frontier()
    assert frontier.root() == EMPTY_ROOT
    for data, root in zip(VECTORS, ROOTS, strict=True):
        frontier.append(leaf_hash(bytes.fromhex(data)))
        assert frontier.root().hex() == root


@given(st.integers(0, 300))
def test_a_frontier_gives_the_root_of_the_definition(count):
    leaves, frontier = made(count), Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    assert frontier.root() == mth(leaves) == root_at(Plain(leaves), count)
    assert frontier_at(Plain(leaves), count).root() == frontier.root()


@given(st.integers(1, 200), st.data())
def test_every_leaf_is_proven_and_nothing_else_is(count, data):
    leaves = made(count)
    index = data.draw(st.integers(0, count - 1))
    proof = inclusion_proof(Plain(leaves), index, count)
    root = mth(leaves)
    assert verify_inclusion(leaves[index], index, count, proof, root)
    other = data.draw(st.integers(0, count + 3))
    assert verify_inclusion(leaves[index], other, count, proof, root) == (other == index)
    assert not verify_inclusion(leaf_hash(b"forged"), index, count, proof, root)
    assert not verify_inclusion(leaves[index], index, count, [*proof, root], root)
    if proof:
        assert not verify_inclusion(leaves[index], index, count, proof[:-1], root)


@given(st.integers(1, 200), st.data())
def test_a_beginning_is_proven_and_no_other_is(new, data):
    old = data.draw(st.integers(1, new))
    leaves = made(new)
    proof = consistency_proof(Plain(leaves), old, new)
    before, after = mth(leaves[:old]), mth(leaves)
    assert verify_consistency(old, new, before, after, proof)
    assert not verify_consistency(old, new, leaf_hash(b"x"), after, proof)
    changed = data.draw(st.integers(0, old - 1))
    forged = [*leaves[:changed], leaf_hash(b"forged"), *leaves[changed + 1 :]]
    assert not verify_consistency(old, new, mth(forged[:old]), after, proof)
    assert not verify_consistency(old, new, before, mth(forged), proof)


def test_proofs_that_do_not_exist_are_refused():
    tree = Plain(made(5))
    for index, size in ((5, 5), (-1, 5), (0, 0)):
        with pytest.raises(ValueError, match="no leaf"):
            inclusion_proof(tree, index, size)
    for old, new in ((0, 5), (6, 5)):
        with pytest.raises(ValueError, match="no tree"):
            consistency_proof(tree, old, new)
    assert not verify_consistency(0, 5, EMPTY_ROOT, mth(made(5)), [])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=4), st.data())
def test_hashes_on_disk_give_the_same_tree_however_they_were_added(tmp_path_factory, parts, data):
    place, leaves = tmp_path_factory.mktemp("hashes"), made(sum(parts))
    at, tree = 0, HashFiles(place, 0)
    for part in parts:
        tree = HashFiles(place, at)
        tree.append(leaves[at : at + part])
        at += part
    plain = Plain(leaves)
    assert root_at(tree, at) == mth(leaves)
    size = data.draw(st.integers(1, at))
    index = data.draw(st.integers(0, size - 1))
    assert inclusion_proof(tree, index, size) == inclusion_proof(plain, index, size)
    assert consistency_proof(tree, size, at) == consistency_proof(plain, size, at)
    with pytest.raises(ValueError, match="entries"):
        tree.subtree(0, at)


def test_what_was_never_finished_is_overwritten(tmp_path):
    leaves = made(600)
    HashFiles(tmp_path, 0).append(leaves)
    again = HashFiles(tmp_path, 200)  # the head was not replaced after that
    again.append(leaves[:300])
    assert root_at(again, 500) == mth([*leaves[:200], *leaves[:300]])
    assert (tmp_path / "hashes.00").stat().st_size == 500 * 32
