"""Rows in tiles: a molecule comes out the same in any company only in products of one size.

Letters: N molecules, T tokens.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from molvae.vocabulary import EOS, PAD, Vocabulary

TILE = 64  # rows in one matrix product: fixed, because its size can change the last bits


def padded_ids(
    vocabulary: Vocabulary, molecules: Sequence[Sequence[str]], *, ended: bool = True
) -> Tensor:
    """Return the tokens of N molecules with padding, `ended` with EOS, shape (N, T)."""
    end = [EOS] if ended else []
    rows = [np.append(vocabulary.encode(symbols), end).astype(np.int64) for symbols in molecules]
    ids = torch.full((len(rows), max(map(len, rows))), PAD)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.from_numpy(row)
    return ids


def by_tile(compute: Callable[[Tensor], Tensor], count: int) -> Tensor:
    """Compute a row for each of `count` things, in calls of `TILE` rows; the last is filled up.

    Args:
        compute: numbers of things, shape (TILE,) -> a row for each, shape (TILE, ...).
        count: things, at least one.
    """
    parts = []
    for begin in range(0, count, TILE):
        parts.append(compute(torch.arange(begin, begin + TILE).clamp(max=count - 1)))
    return torch.cat(parts)[:count]
