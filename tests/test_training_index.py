import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from molvae.training_index import BloomFilter, molecule_hash


def hashes(prefix: str, count: int) -> np.ndarray:
    return molecule_hash(f"{prefix}{number}" for number in range(count))


def test_hash_is_the_same_on_every_machine_and_in_every_version() -> None:
    """It is stored in datasets and checkpoints, so it may never change."""
    hashes = [14074757553414938733, 809599947829910117]  # first 8 bytes of each BLAKE2b digest
    assert molecule_hash(["CCO", "C"]).tolist() == hashes
    assert molecule_hash([]).shape == (0,)


@pytest.mark.parametrize("error_rate", [1e-2, 1e-4])
def test_members_are_found_and_others_mistaken_at_the_stated_rate(error_rate: float) -> None:
    members, others = hashes("C", 20_000), hashes("N", 100_000)
    index = BloomFilter.of(members, error_rate=error_rate)
    assert index.contains(members).all()
    mistaken = float(index.contains(others).mean())
    deviation = (error_rate / len(others)) ** 0.5
    assert mistaken < 1.3 * error_rate + 4 * deviation
    assert index.error_rate == pytest.approx(error_rate, rel=0.3)


def test_it_takes_little_more_than_two_bytes_a_molecule() -> None:
    assert BloomFilter.of(hashes("C", 10_000)).bits.nbytes < 2.5 * 10_000


def test_added_members_are_found_beside_the_old_ones() -> None:
    old, new, others = hashes("C", 10_000), hashes("N", 1_000), hashes("O", 50_000)
    before = BloomFilter.of(old)
    index = before.with_members(new)
    assert index.contains(old).all()
    assert index.contains(new).all()
    assert not before.contains(new).all()
    assert before.error_rate < index.error_rate < 5e-4
    assert index.contains(others).mean() < 1e-3


@given(st.lists(st.integers(0, 2**64 - 1), max_size=60))
def test_no_member_is_ever_missed(numbers: list[int]) -> None:
    members = np.array(numbers, dtype=np.uint64)
    assert BloomFilter.of(members).contains(members).all()


def test_empty_index_has_no_members() -> None:
    index = BloomFilter.of(np.empty(0, dtype=np.uint64))
    assert not index.contains(hashes("C", 100)).any()
    assert index.contains(np.empty(0, dtype=np.uint64)).shape == (0,)
