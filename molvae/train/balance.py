"""Rare classes: how often their molecules are drawn in an epoch.

A class of 3 % is hardly ever shown to the decoder as the one property that is asked for. With its
molecules repeated until they are a tenth of an epoch, requests for it are heeded several times
better (`benchmarks/assays.py`). The property head weighs each repeated molecule down again, so that
its probabilities stay those of the training set.
"""

import numpy as np

from molvae.dataset import MoleculeDataset

MOST = 10  # times that a molecule is drawn: the few of a very rare class would be learned by heart


def repeats(dataset: MoleculeDataset, members: np.ndarray, *, share: float) -> np.ndarray:
    """Return how often each of some molecules is drawn in an epoch, int64, shape (N,).

    Args:
        dataset: the molecules.
        members: N of them.
        share: of the draws that each class has at least, where tenfold repetition is enough for it;
            of a label with more than five classes, half of what each would have if all were alike.
    """
    times = np.ones(len(members), dtype=np.int64)
    for label in dataset.normalizer.classes:
        columns = dataset.properties[members][:, dataset.normalizer.columns(label)]
        theirs = np.nan_to_num(columns) > 0.5  # (N, A)
        molecules = theirs.sum(axis=0)
        least = min(share, 0.5 / len(molecules))
        needed = least / (1.0 - least) * (molecules.sum() - molecules)
        each = np.clip(np.ceil(needed / np.maximum(molecules, 1)), 1, MOST).astype(np.int64)
        times = np.maximum(times, theirs @ each)
    return times
