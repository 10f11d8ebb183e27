import csv
from itertools import islice
from pathlib import Path

import numpy as np

from molvae.chem.similarity import bit_counts, tanimoto_of_counts

DRUGLIKE = Path(__file__).parents[2] / "datasets" / "druglike-10k.csv"


def druglike(count: int) -> list[str]:
    """Return the first SMILES of the bundled data set."""
    with DRUGLIKE.open(encoding="utf-8", newline="") as file:
        return [row["SMILES"] for row in islice(csv.DictReader(file), count)]


def similarity_matrix(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the similarity of every pair of two sets of packed fingerprints."""
    bits = [np.unpackbits(packed, axis=1).astype(np.float32) for packed in (first, second)]
    shared = bits[0] @ bits[1].T
    return tanimoto_of_counts(shared, bit_counts(first)[:, None], bit_counts(second))
