"""z and c -> symbols."""

from typing import NamedTuple

import torch
from torch import Tensor

from molvae.model.cvae import ConditionalVAE
from molvae.vocabulary import BOS, EOS, PAD, UNK

NEVER_SAMPLED = [PAD, BOS, UNK]


class Sampled(NamedTuple):
    """Molecules as the decoder wrote them.

    Attributes:
        ids: symbols, EOS and padding, int64, shape (B, T); a molecule that never ended has no EOS.
        nll: -log p(x given z, c) of what was written, nats at temperature 1, shape (B,).
        ended: whether EOS was reached, shape (B,).
    """

    ids: Tensor
    nll: Tensor
    ended: Tensor


@torch.inference_mode()
def sample(
    model: ConditionalVAE,
    z: Tensor,
    conditions: Tensor,
    uniforms: Tensor,
    *,
    temperature: float,
    top_p: float = 1.0,
) -> Sampled:
    """Write one molecule for each code.

    Args:
        model: in evaluation mode.
        z: codes, shape (B, Z).
        conditions: standardized properties, NaN = unspecified, shape (B, P).
        uniforms: one number in [0, 1) for each symbol to be drawn, shape (B, T): all the
            randomness there is, so the caller decides what is reproducible. T caps the length.
        temperature: divides the logits; 0 takes the likeliest symbol (greedy).
        top_p: draw among the likeliest symbols that together hold this probability
            (nucleus sampling, https://arxiv.org/abs/1904.09751).
    """
    state, context = model.start(z, conditions)
    rows, steps = uniforms.shape
    last = torch.full((rows, 1), BOS, dtype=torch.long, device=z.device)
    ended = torch.zeros(rows, dtype=torch.bool, device=z.device)
    nll = torch.zeros(rows, device=z.device)
    written = []
    for step in range(steps):
        logits, state = model.decoder(state, context, last)
        logits = logits[:, 0]
        logits[:, NEVER_SAMPLED] = float("-inf")
        chosen = choose(logits, uniforms[:, step], temperature=temperature, top_p=top_p)
        log_p = logits.log_softmax(dim=1).gather(1, chosen[:, None])[:, 0]
        nll = nll - log_p.masked_fill(ended, 0.0)
        chosen = chosen.masked_fill(ended, PAD)
        written.append(chosen)
        ended = ended | (chosen == EOS)
        if bool(ended.all()):
            break
        last = chosen[:, None]
    return Sampled(torch.stack(written, dim=1), nll, ended)


def choose(logits: Tensor, uniforms: Tensor, *, temperature: float, top_p: float) -> Tensor:
    """Draw one symbol for each row of logits (B, V) by inverting its distribution, (B,)."""
    if temperature == 0.0:
        return logits.argmax(dim=1)
    probabilities = torch.softmax(logits.double() / temperature, dim=1)
    if top_p < 1.0:
        ordered, order = probabilities.sort(dim=1, descending=True)
        beyond = ordered.cumsum(dim=1) - ordered >= top_p  # the likeliest one always stays
        probabilities = probabilities.scatter(1, order, ordered.masked_fill(beyond, 0.0))
    cumulative = probabilities.cumsum(dim=1)
    threshold = uniforms[:, None].double() * cumulative[:, -1:]
    return torch.searchsorted(cumulative, threshold, right=True)[:, 0].clamp(
        max=logits.shape[1] - 1
    )
