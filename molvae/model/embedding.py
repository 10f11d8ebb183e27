"""Embeddings of symbols."""

import torch
from torch import nn


def symbol_embedding(vocabulary_size: int, size: int) -> nn.Embedding:
    """Return V = `vocabulary_size` vectors, one a symbol, initialized from N(0, I) as torch does.

    On the device "meta" nothing is initialized: torch would import its compiler for that, and
    loading a model would take 1.5 seconds more.
    """
    weight = torch.empty(vocabulary_size, size)
    if not weight.is_meta:
        nn.init.normal_(weight)
    made: nn.Embedding = nn.Embedding.from_pretrained(weight, freeze=False)  # type: ignore[no-untyped-call]
    return made
