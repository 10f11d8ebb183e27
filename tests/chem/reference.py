import numpy as np

from molvae.chem.similarity import bit_counts, tanimoto_of_counts


def similarity_matrix(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the similarity of every pair of two sets of packed fingerprints."""
    bits = [np.unpackbits(packed, axis=1).astype(np.float32) for packed in (first, second)]
    shared = bits[0] @ bits[1].T
    return tanimoto_of_counts(shared, bit_counts(first)[:, None], bit_counts(second))
