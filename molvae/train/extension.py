"""Weights for new symbols and labels of a model.

Letters: V ids of the vocabulary, P columns of conditions, K of them known before, H hidden units,
N molecules.
"""

import numpy as np
import torch
from torch import Tensor

from molvae.vocabulary import SPECIAL, Vocabulary

PER_SYMBOL = (  # weights with a row for each of V
    "encoder.embedding.weight",
    "decoder.embedding.weight",
    "decoder.output.weight",
    "decoder.output.bias",
    "decoder.at_output.weight",
)
PER_CONDITION = "conditions.layers.0.weight"  # (H, 2 P): values, then what is unspecified
PER_PREDICTION = ("property_head.2.weight", "property_head.2.bias")  # a row for each of P
# Noise, as a fraction of the standard deviation of similar symbols: no two new rows are equal.
APART = 0.1


def add_symbols(weights: dict[str, Tensor], before: Vocabulary, after: Vocabulary) -> None:
    """Insert a row for every new symbol between those of the known ones."""
    generator = torch.Generator().manual_seed(0)
    own = {symbol: row for row, symbol in enumerate((*SPECIAL, *before.symbols))}
    for name in PER_SYMBOL:
        rows = []
        for symbol in (*SPECIAL, *after.symbols):
            if symbol in own:
                rows.append(weights[name][own[symbol]])
                continue
            similar = [own[other] for other in before.symbols if _kind(other) == _kind(symbol)]
            like = weights[name][similar or list(own.values())[len(SPECIAL) :]]
            noise = torch.randn(like.shape[1:], generator=generator)
            rows.append(like.mean(dim=0) + APART * like.std(dim=0, correction=0) * noise)
        weights[name] = torch.stack(rows)


def _kind(symbol: str) -> tuple[str, str]:
    """Return the bond of a symbol and its kind: `[=Branch1]` is a branch with a double bond."""
    bond = symbol[1:2] if symbol[1:2] in "=#/\\" else ""
    return bond, next((word for word in ("Branch", "Ring") if word in symbol), "atom")


def add_columns(weights: dict[str, Tensor], before: int, after: int) -> None:
    """Insert zeros for new columns of conditions: at first they change nothing."""
    inward = weights[PER_CONDITION]
    columns = inward.new_zeros(len(inward), 2, after)
    columns[:, :, :before] = inward.view(len(inward), 2, before)
    weights[PER_CONDITION] = columns.flatten(1)
    for name in PER_PREDICTION:
        rows = weights[name].new_zeros(after, *weights[name].shape[1:])
        rows[:before] = weights[name]
        weights[name] = rows


def relate_labels(weights: dict[str, Tensor], conditions: np.ndarray, before: int) -> None:
    """Initialize new columns by linear regression on the known ones, and the other way round.

    Args:
        weights: of the extended model; those of the new columns are set.
        conditions: standardized values of the training split, NaN = unknown, shape (N, P).
        before: K.
    """
    count = conditions.shape[1]
    inward = weights[PER_CONDITION].view(-1, 2, count)
    outward, bias = (weights[name] for name in PER_PREDICTION)
    for column in range(before, count):
        rows = conditions[np.isfinite(conditions[:, column])].astype(np.float64)
        known = np.flatnonzero(np.isfinite(rows[:, :before]).all(axis=0))
        if not len(rows) or not len(known) or np.ptp(rows[:, column]) == 0:
            continue
        centered = rows - rows.mean(axis=0)
        label, others = centered[:, column], centered[:, known]
        # A few molecules correlate by chance: both slopes are shrunk by as many as there are K.
        to_others = others.T @ label / (label @ label) * len(rows) / (len(rows) + before)
        gram = others.T @ others + before * np.eye(len(known))
        from_others = np.linalg.solve(gram, others.T @ label)
        offset = rows[:, column].mean() - rows[:, known].mean(axis=0) @ from_others
        inward[:, 0, column] = inward[:, 0, known] @ _as_float(to_others)
        outward[column] = _as_float(from_others) @ outward[known]
        bias[column] = _as_float(from_others) @ bias[known] + float(offset)


def _as_float(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
