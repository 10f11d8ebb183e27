"""z and c -> symbols."""

from typing import NamedTuple

import torch
from torch import Tensor

from molvae.errors import ArtifactError
from molvae.model.cvae import ConditionalVAE
from molvae.vocabulary import BOS, EOS, PAD, UNK

NEVER_SAMPLED = [PAD, BOS, UNK]
GREEDY = 1e-3  # temperatures below leave nothing to chance, and dividing by them overflows


class Sampled(NamedTuple):
    """Molecules as the decoder wrote them.

    Attributes:
        ids: symbols, EOS and padding, int64, shape (B, T); a molecule that never ended has no EOS.
        nll: -log p(x given z, c) of what was written, nats, without temperature and guidance,
            shape (B,).
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
    guidance: float = 1.0,
    noise: float = 0.0,
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
        guidance: w of `(1 - w) * unconditional + w * conditional` on the log-probabilities
            (https://arxiv.org/abs/2407.09357): above 1, the conditions are heeded more than they
            were in the training set.
        noise: level of noise in the codes, 0 to 1; see `latent`.

    Raises:
        ArtifactError: when the model's numbers are not finite: nothing sensible can be drawn.
    """
    rows, steps = uniforms.shape
    never = torch.tensor(NEVER_SAMPLED, device=z.device)
    guided = guidance != 1.0 and not bool(torch.isnan(conditions).all())
    if guided:  # both in one matrix product: the conditional rows, then the unconditional ones
        conditions = torch.cat([conditions, torch.full_like(conditions, float("nan"))])
        z = torch.cat([z, z])
    state, context = model.start(z, conditions, z.new_full((len(z),), noise))
    last = torch.full((rows, 1), BOS, dtype=torch.long, device=z.device)
    ended = torch.zeros(rows, dtype=torch.bool, device=z.device)
    nll = torch.zeros(rows, device=z.device)
    written = []
    for step in range(steps):
        logits, state = model.decoder(state, context, last.repeat(2, 1) if guided else last)
        if step == 0 and not bool(torch.isfinite(logits).all()):
            raise ArtifactError("the model's weights give numbers that are not finite.")
        log_p = logits[:, 0].index_fill(1, never, float("-inf")).log_softmax(dim=1)
        wanted = log_p[:rows]
        if guided:  # -inf minus -inf is NaN: rule the same symbols out again
            wanted = (1.0 - guidance) * log_p[rows:] + guidance * wanted
            wanted = wanted.index_fill(1, never, float("-inf"))
        chosen = choose(wanted, uniforms[:, step], temperature=temperature, top_p=top_p)
        nll = nll - log_p[:rows].gather(1, chosen[:, None])[:, 0].masked_fill(ended, 0.0)
        chosen = chosen.masked_fill(ended, PAD)
        written.append(chosen)
        ended = ended | (chosen == EOS)
        if bool(ended.all()):
            break
        last = chosen[:, None]
    return Sampled(torch.stack(written, dim=1), nll, ended)


def choose(logits: Tensor, uniforms: Tensor, *, temperature: float, top_p: float) -> Tensor:
    """Draw one symbol for each row of logits (B, V) by inverting its distribution, (B,)."""
    if temperature < GREEDY:
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
