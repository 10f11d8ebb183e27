"""Which runs of symbols become tokens: the pairs that are most frequent, merged again and again.

Byte-pair encoding (Sennrich 2016, arXiv 1508.07909) on SELFIES. The symbols of a ring or of a
common group follow each other nearly always, so a model of symbols spends most of its steps on what
is certain. With a hundred merges MOSES has 13 tokens a molecule instead of 34 symbols.
"""

import numpy as np

from molvae.dataset import MoleculeDataset
from molvae.vocabulary import MAX_RUN, Vocabulary

MOLECULES = 20_000  # that are looked at
LEAST = 100  # occurrences that a pair needs to be merged: a token has to be learned
_BREAK = -1  # between molecules


def with_merges(dataset: MoleculeDataset, count: int, *, seed: int) -> MoleculeDataset:
    """Return a dataset in tokens that its training split suggests.

    Args:
        dataset: in symbols, or in tokens, which then stay.
        count: merges at most.
        seed: of the molecules that are looked at.
    """
    if not count or dataset.vocabulary.merges:
        return dataset
    members = np.random.default_rng(seed).permutation(dataset.members("train"))[:MOLECULES]
    runs = frequent_runs([dataset.molecule(m) for m in np.sort(members)], count)
    names = [tuple(dataset.vocabulary.decode(run)) for run in runs]
    return dataset.in_tokens_of(Vocabulary(dataset.vocabulary.symbols, names))


def frequent_runs(molecules: list[np.ndarray], count: int) -> list[tuple[int, ...]]:
    """Return runs of ids, each the merger of the most frequent pair after those before it.

    Args:
        molecules: ids of each, shape (T,).
        count: runs at most; fewer where no pair is left that occurs `LEAST` times, or where a run
            would become longer than `MAX_RUN`.
    """
    ends = np.array([_BREAK], dtype=np.int64)
    line = np.concatenate([part for ids in molecules for part in (ids.astype(np.int64), ends)])
    size = int(line.max(initial=0)) + 1
    runs: list[tuple[int, ...]] = [(number,) for number in range(size)]
    known = {run: number for number, run in enumerate(runs)}
    while len(known) < size + count:
        first, second = line[:-1], line[1:]
        within = (first != _BREAK) & (second != _BREAK)
        pairs = np.bincount(first[within] * len(runs) + second[within], minlength=1)
        best = int(pairs.argmax())
        if pairs[best] < LEAST:
            break
        left, right = divmod(best, len(runs))
        run = runs[left] + runs[right]
        if len(run) > MAX_RUN:
            break
        number = known.setdefault(run, len(runs))  # two ways may lead to one run
        if number == len(runs):
            runs.append(run)
        at = _apart(np.flatnonzero((first == left) & (second == right)))
        line[at] = number
        line = np.delete(line, at + 1)
    return runs[size:]


def _apart(places: np.ndarray) -> np.ndarray:
    """Keep every second of places in a row: of three equal tokens two are a pair."""
    begins = np.diff(places, prepend=-2) > 1
    first = np.maximum.accumulate(np.where(begins, places, 0))
    kept: np.ndarray = places[(places - first) % 2 == 0]
    return kept
