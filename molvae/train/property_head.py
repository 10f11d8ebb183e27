"""Errors of the property head on held-out molecules.

Letters: N molecules, P columns of conditions.
"""

from typing import Any, NamedTuple

import numpy as np
import torch

from molvae.dataset import MoleculeDataset
from molvae.model.cvae import ConditionalVAE
from molvae.train.batches import choose
from molvae.train.encoding import encode

BATCH = 250  # molecules
LIMIT = 5_000  # molecules: their mean error is known to a hundredth of a standard deviation


class Errors(NamedTuple):
    """Errors of the head's predictions of a number, over N held-out molecules.

    Attributes:
        mae, rmse: mean absolute and root mean squared error, in the property's unit.
        r2: coefficient of determination, 1 at best, 0 for predicting the mean. None where all
            molecules have the same value.
    """

    molecules: int
    mae: float
    rmse: float
    r2: float | None


class ClassErrors(NamedTuple):
    """Errors of the head's predictions of a class label, over N held-out molecules.

    Attributes:
        accuracy: share of molecules whose predicted class is their class.
        largest: share of the most frequent class: the accuracy of always predicting it.
        auc: area under the ROC curve, the chance that the prediction for a class is higher for a
            molecule of it than for another one; mean over the classes that some molecules have and
            some do not. None where there is none.
        average_precision: of the rarest class: the mean over its molecules of the share of its
            molecules among those that are predicted as surely. None where no molecule is of it.
        smallest: share of the rarest class: the average precision of a guess.
    """

    molecules: int
    accuracy: float
    largest: float
    auc: float | None
    average_precision: float | None
    smallest: float


def evaluate_head(
    model: ConditionalVAE, dataset: MoleculeDataset, *, split: str, seed: int, limit: int = LIMIT
) -> dict[str, Any]:
    """Compare predictions from posterior means with the labels of up to `limit` molecules.

    Returns:
        Plain values for a JSON header: the split, and the errors by property or label, without
        those that no molecule has.
    """
    members = choose(dataset, split, limit=limit, seed=seed)
    known, normalizer = dataset.properties[members].astype(np.float64), dataset.normalizer
    means = encode(model, dataset, members, at_once=BATCH).means
    device = next(model.parameters()).device
    with torch.inference_mode():
        parts = [model.predict_properties(part.to(device)) for part in torch.split(means, BATCH)]
    predicted = normalizer.restore(torch.cat(parts).double().cpu().numpy())
    errors: dict[str, dict[str, Any]] = {}
    for name in normalizer.quantities:
        in_classes = name in normalizer.classes
        columns = normalizer.columns(name) if in_classes else [normalizer.names.index(name)]
        rows = np.isfinite(known[:, columns]).all(axis=1)
        if rows.any():
            errors_of = class_errors if in_classes else number_errors
            errors[name] = errors_of(known[rows][:, columns], predicted[rows][:, columns])._asdict()
    return {"split": split, "errors": errors}


def number_errors(known: np.ndarray, predicted: np.ndarray) -> Errors:
    """Return the errors of predictions of a number, shapes (N, 1)."""
    error = predicted - known
    squared, variance = float(np.square(error).mean()), float(known.var())
    return Errors(
        molecules=len(known),
        mae=float(np.abs(error).mean()),
        rmse=squared**0.5,
        r2=1.0 - squared / variance if variance else None,
    )


def class_errors(known: np.ndarray, predicted: np.ndarray) -> ClassErrors:
    """Return the errors of predictions of a class label, one-hot, shapes (N, A)."""
    theirs = known.astype(bool)
    mixed = np.flatnonzero(theirs.any(axis=0) & ~theirs.all(axis=0))
    areas = [
        area_under_curve(predicted[theirs[:, a], a], predicted[~theirs[:, a], a]) for a in mixed
    ]
    rarest = int(known.mean(axis=0).argmin())
    return ClassErrors(
        molecules=len(known),
        accuracy=float((known.argmax(axis=1) == predicted.argmax(axis=1)).mean()),
        largest=float(known.mean(axis=0).max()),
        auc=float(np.mean(areas)) if areas else None,
        average_precision=average_precision(predicted[:, rarest], theirs[:, rarest]),
        smallest=float(known[:, rarest].mean()),
    )


def average_precision(scores: np.ndarray, members: np.ndarray) -> float | None:
    """Return the area under the curve of precision against recall; None without a member.

    Args:
        scores: higher for likelier members, shape (N,).
        members: whether each is one, shape (N,).

    >>> average_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]))
    0.8333333333333333
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # of each run of equal scores
    found = np.cumsum(members[order])[ends]
    if not members.any():
        return None
    precision, recall = found / (ends + 1), np.diff(found, prepend=0) / found[-1]
    return float(precision @ recall)


def area_under_curve(inside: np.ndarray, outside: np.ndarray) -> float:
    """Return the area under the ROC curve; NaN where either set is empty.

    It is the chance that a value of the first set, shape (N,), is above one of the second, shape
    (M,); equal values count half.

    >>> area_under_curve(np.array([0.35, 0.8]), np.array([0.1, 0.4]))
    0.75
    """
    if not (inside.size and outside.size):
        return float("nan")
    outside = np.sort(outside)
    below = sum(np.searchsorted(outside, inside, side=side).sum() for side in ("left", "right"))
    return float(below / (2 * inside.size * outside.size))
