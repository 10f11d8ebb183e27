"""Vectors for tokens."""

import torch
from torch import nn


def symbol_embedding(vocabulary_size: int, size: int) -> nn.Embedding:
    """Return V = `vocabulary_size` vectors of a token each, drawn from N(0, I) as torch does.

    On the device "meta" nothing is drawn: torch would import its compiler for that, and loading a
    model would take a second and a half more.
    """
    weight = torch.empty(vocabulary_size, size)
    if not weight.is_meta:
        nn.init.normal_(weight)
    made: nn.Embedding = nn.Embedding.from_pretrained(weight, freeze=False)  # type: ignore[no-untyped-call]
    return made
