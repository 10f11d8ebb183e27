"""Splits of molecules into train, validation and test.

The split of a molecule depends on the set of molecules and the seed, not on the order of the rows.
"""

import numpy as np

from molvae.config import DataConfig
from molvae.dataset import TEST, TRAIN, VALIDATION
from molvae.errors import InputError

# Words of a split column, in any case.
SPLIT_WORDS = {
    "train": TRAIN,
    "training": TRAIN,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "val": VALIDATION,
    "test": TEST,
}
METHODS = ("random", "scaffold")  # any other name of a split is a column


def split_molecules(
    config: DataConfig, *, hashes: np.ndarray, scaffolds: np.ndarray, assigned: np.ndarray
) -> np.ndarray:
    """Return the split of N distinct molecules, uint8, shape (N,).

    Args:
        config: the method of splitting or a column, the shares that are held out, and the seed.
        hashes: of each canonical SMILES, uint64, shape (N,).
        scaffolds: hash of each Murcko scaffold, uint64, shape (N,); 0 unless they are needed.
        assigned: split that the column names, uint8, shape (N,); 0 without one.

    Raises:
        InputError: when no molecule is left to train on, or each scaffold is too frequent to be
            held out.
    """
    if config.split == "random":
        split = _random(hashes, config)
    else:
        split = _scaffold(scaffolds, config) if config.split == "scaffold" else assigned
    if not np.any(split == TRAIN):
        raise InputError(
            f"the split '{config.split}' of {len(split):,} molecules leaves none to train on."
        )
    return split


def split_word(cell: str, *, where: str) -> int:
    """Return the split that a cell names, one of `SPLIT_WORDS` in any case.

    Raises:
        InputError: for any other word, naming `where` it is.
    """
    code = SPLIT_WORDS.get(cell.strip().lower())
    if code is None:
        raise InputError(f"{where}: '{cell[:40]}' names no split: one of {', '.join(SPLIT_WORDS)}.")
    return code


def _random(hashes: np.ndarray, config: DataConfig) -> np.ndarray:
    """Hold out molecules at random; the shares are exact to one molecule."""
    count = len(hashes)
    order = np.argsort(_keyed(hashes, config.seed), kind="stable")
    test = round(count * config.test)
    validation = round(count * config.validation)
    split = np.full(count, TRAIN, dtype=np.uint8)
    split[order[:test]] = TEST
    split[order[test : test + validation]] = VALIDATION
    return split


def _scaffold(scaffolds: np.ndarray, config: DataConfig) -> np.ndarray:
    """Hold out whole scaffolds: no Murcko scaffold is in two splits.

    Scaffolds from the most to the least frequent fill train, then validation, then test, so that
    rare chemistry is held out (Bemis & Murcko 1996, https://doi.org/10.1021/jm9602928;
    the order is that of MoleculeNet, https://doi.org/10.1039/C7SC02664A). A scaffold with more
    molecules than validation and test may hold together goes to train; where that fills train,
    validation and test share the others. Scaffolds of one size come in an order that the seed
    decides. Molecules without rings are one group. A share is met up to the size of a group.
    """
    count = len(scaffolds)
    groups, members, sizes = np.unique(scaffolds, return_inverse=True, return_counts=True)
    held_out = count * (config.validation + config.test)
    too_large = sizes > max(held_out, 1)
    if held_out and too_large.all():
        raise InputError(
            f"the split 'scaffold' of {count:,} molecules holds none out: each scaffold"
            f" ({len(groups):,} in all) has more molecules than the {held_out:,.0f} of validation"
            " and test. Take --split random, the column of another split, or larger shares."
        )
    left = (count - sizes[too_large].sum()) / max(held_out, 1)
    room = {TRAIN: count - held_out, VALIDATION: count * config.validation * min(left, 1.0)}
    side = np.full(len(groups), TEST if config.test else TRAIN, dtype=np.uint8)
    for group in np.lexsort((_keyed(groups, config.seed), -sizes)):
        for where in (TRAIN, VALIDATION):
            if sizes[group] <= room[where] or (where == TRAIN and too_large[group]):
                side[group] = where
                room[where] -= sizes[group]
                break
    return side[members]


def _keyed(hashes: np.ndarray, seed: int) -> np.ndarray:
    """Shuffle hashes by a seed: the finalizer of SplitMix64 (doi 10.1145/2660193.2660195)."""
    key = np.random.SeedSequence(seed).generate_state(1, np.uint64)
    mixed = hashes ^ key
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
