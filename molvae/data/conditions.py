"""Values of properties and labels -> the conditions of a model."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from molvae.data.labels import Label
from molvae.data.tally import LabelCount
from molvae.dataset import TRAIN
from molvae.normalizer import PropertyNormalizer, class_column

LEAST = 2  # training molecules that a property or a class needs
MOSTLY = 0.9  # share of 0 and 1 above which numbers may be classes; equal molecules are averaged


class Conditions(NamedTuple):
    """The columns that a model is conditioned on.

    Attributes:
        normalizer: names, classes and scale.
        values: float32, shape (N, P); 0 and 1 for classes.
        counts: the number of molecules that have each label.
        notes: the columns that are left out, and why.
    """

    normalizer: PropertyNormalizer
    values: np.ndarray
    counts: dict[str, LabelCount]
    notes: tuple[str, ...]


def make_conditions(
    computed: Sequence[str], labels: Sequence[Label], values: np.ndarray, split: np.ndarray
) -> Conditions:
    """Fit the normalizer to the training split and leave out columns that do not vary there.

    A class of fewer than 2 training molecules is left out, since a model could not learn it. Its
    molecules then have no class.

    Args:
        computed: names of the properties.
        labels: the label columns.
        values: properties, then labels as `Label.parse` returns them, float32, shape (N, P).
        split: of each molecule, shape (N,).
    """
    training = split == TRAIN
    names: list[str] = []
    columns = [np.empty((len(values), 0), dtype=values.dtype)]
    classes: dict[str, tuple[str, ...]] = {}
    counts: dict[str, LabelCount] = {}
    notes: list[str] = []
    for label, column in zip([*map(Label, computed), *labels], values.T, strict=True):
        kept, found, rare = _without_rare(label, column, training)
        notes += rare
        known = found[training & np.isfinite(found)]
        if known.size < LEAST or known.min() == known.max():
            notes.append(f"{label.name} does not vary over the training split: left out")
            continue
        if kept.classes:
            classes[kept.name] = kept.classes
            names += [class_column(kept.name, word) for word in kept.classes]
            columns.append(kept.one_hot(found))
        else:
            names.append(kept.name)
            columns.append(found[:, None])
        if label.name not in computed:
            counts[kept.name] = _count(kept, found)
            if not kept.classes and np.isin(known, (0.0, 1.0)).mean() > MOSTLY:
                notes.append(
                    f"{label.name}: 0 and 1; --label {label.name}:class makes classes of it"
                )
    chosen = np.hstack(columns)
    normalizer = PropertyNormalizer.fit(
        names, chosen[training].astype(np.float64), classes=classes, labels=counts
    )
    return Conditions(normalizer, chosen, counts, tuple(notes))


def _without_rare(
    label: Label, column: np.ndarray, training: np.ndarray
) -> tuple[Label, np.ndarray, list[str]]:
    """Return a label without its rare classes, its column (N,), and a note on each of them."""
    if not label.classes:
        return label, column, []
    positions = np.arange(len(label.classes))
    members = (column[training, None] == positions).sum(axis=0)
    keep = members >= LEAST
    moved = np.where(keep, np.cumsum(keep) - 1, np.nan).astype(column.dtype)
    known = np.isfinite(column)
    found = np.where(known, moved[np.where(known, column, 0).astype(int)], np.nan)
    notes = [
        f"{class_column(label.name, label.classes[at])}: too few molecules in the training split"
        f" ({members[at]}): left out; without {label.name} now: {(column == at).sum()}"
        for at in positions[~keep]
    ]
    left = tuple(word for word, kept in zip(label.classes, keep, strict=True) if kept)
    return Label(label.name, left), found, notes


def _count(label: Label, column: np.ndarray) -> LabelCount:
    known = column[np.isfinite(column)]
    return LabelCount(
        molecules=known.size,
        missing=column.size - known.size,
        classes={word: int((known == at).sum()) for at, word in enumerate(label.classes)},
    )
