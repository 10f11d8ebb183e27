"""Latent code and conditions -> symbols."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from molvae.errors import ArtifactError
from molvae.model.cvae import ConditionalVAE
from molvae.model.decoder import Stepper
from molvae.vocabulary import BOS, EOS, PAD, UNK

NEVER_SAMPLED = [PAD, BOS, UNK]
GREEDY = 1e-3  # temperatures below leave nothing to chance, and dividing by them overflows


class Prefix(NamedTuple):
    """Symbols that strings begin with.

    Attributes:
        ids: of each string, padded, fewer than its uniform numbers, shape (B, K).
        barred: ids that may not follow straight behind, EOS among them where a string must go on.
    """

    ids: Tensor
    barred: Sequence[int] = (EOS,)


class Sampled(NamedTuple):
    """Sampled molecules.

    Attributes:
        ids: symbols, EOS and padding, int64, shape (B, T); a string that never ended has no EOS.
        nll: -log p(x given z, c) of the sampled symbols, nats, without temperature and guidance,
            shape (B,).
        ended: whether EOS was reached, shape (B,).
        prefix_nll: the same of the symbols that were given, 0 where there were none, shape (B,).
    """

    ids: Tensor
    nll: Tensor
    ended: Tensor
    prefix_nll: Tensor


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
    live: int | None = None,
    prefix: Prefix | None = None,
) -> Sampled:
    """Sample one molecule for each code.

    `live` strings are sampled at once; where one ends the next begins, so that no step is spent on
    strings that have ended. Symbols that are given are read at once, before the sampling.

    Args:
        model: in evaluation mode.
        z: codes, shape (B, Z).
        conditions: standardized properties, NaN = unspecified, shape (B, P).
        uniforms: one number in [0, 1) for each symbol, shape (B, T): the only source of
            randomness, so that the caller decides what is reproducible. T caps the length.
        temperature: divides the logits; 0 takes the likeliest symbol (greedy).
        top_p: sample among the likeliest symbols with this total probability
            (nucleus sampling, https://arxiv.org/abs/1904.09751).
        guidance: w of `(1 - w) * unconditional + w * conditional` on the log-probabilities
            (https://arxiv.org/abs/2407.09357): above 1, molecules follow the conditions more
            closely than in the training set.
        noise: level of noise in the codes, 0 to 1; see `latent`.
        live: rows of every matrix product, at least 1; fewer codes are padded. The size can
            change the last bits of a result; with a fixed size a molecule does not depend on the
            others of its batch. None: B.
        prefix: symbols that the strings begin with; None: none.

    Raises:
        ArtifactError: when the model's numbers are not finite.
    """
    count, steps = uniforms.shape
    live = live or count
    filled = torch.arange(max(count, live), device=z.device).clamp(max=count - 1)
    z, conditions = z[filled], conditions[filled]
    prefix = Prefix(ids=z.new_zeros(count, 0, dtype=torch.long)) if prefix is None else prefix
    begun = prefix.ids[filled]
    stepper = model.decoder.stepper()
    guided = guidance != 1.0 and not bool(torch.isnan(conditions).all())
    given = [conditions, torch.full_like(conditions, float("nan"))] if guided else [conditions]
    starts, costs = [], []
    for each in given:
        *start, cost = _starts(model, stepper, z, each, begun, noise=noise, live=live)
        starts.append(start)
        costs.append(cost.sum(dim=1))
    writing = _Writing(stepper, starts, live, prefix=begun)
    # One row more than there are molecules: for the rows of `writing` without a molecule.
    uniforms = torch.cat([uniforms[filled], uniforms[:1]])
    ids = torch.full_like(uniforms, PAD, dtype=torch.long)
    ids[:-1, : begun.shape[1]] = begun
    nll = torch.zeros(len(ids), device=z.device)
    never = torch.tensor(NEVER_SAMPLED, device=z.device)
    barred = torch.tensor(prefix.barred, device=z.device)
    while writing.busy:
        logits = writing.logits().index_fill_(1, never, float("-inf"))
        log_p, guided_log_p = guide(logits, guidance if guided else 1.0, never=never)
        if begun.shape[1]:
            guided_log_p = torch.where(
                (writing.position == writing.begins[writing.molecule])[:, None],
                guided_log_p.index_fill(1, barred, float("-inf")),
                guided_log_p,
            )
        at = (writing.molecule, writing.position)
        chosen = choose(guided_log_p, uniforms[at], temperature=temperature, top_p=top_p)
        nll[writing.molecule] -= log_p.gather(1, chosen[:, None])[:, 0]
        ids[at] = chosen
        writing.go_on(chosen, (chosen == EOS) | (writing.position == steps - 1))
    ids, nll = ids[:count], nll[:count]
    if not bool(torch.isfinite(nll).all()):
        raise ArtifactError("the model's weights give numbers that are not finite.")
    width = int((ids != PAD).sum(dim=1).max())
    return Sampled(ids[:, :width], nll, (ids == EOS).any(dim=1), costs[0][:count])


@torch.inference_mode()
def symbol_costs(
    model: ConditionalVAE, z: Tensor, conditions: Tensor, ids: Tensor, *, noise: float, live: int
) -> Tensor:
    """Return -log p of each symbol given those before it, nats, 0 for padding, shape (B, K).

    Args:
        model: in evaluation mode.
        z: codes, shape (B, Z).
        conditions: standardized properties, NaN = unspecified, shape (B, P).
        ids: symbols, with or without EOS, padded, shape (B, K).
        noise: level of noise in the codes.
        live: rows of every matrix product.
    """
    stepper = model.decoder.stepper()
    return _starts(model, stepper, z, conditions, ids, noise=noise, live=live)[-1]


def _starts(
    model: ConditionalVAE,
    stepper: Stepper,
    z: Tensor,
    conditions: Tensor,
    prefix: Tensor,
    *,
    noise: float,
    live: int,
) -> list[Tensor]:
    """Return what each string begins with behind its prefix, and the costs of the prefix.

    They are computed for `live` strings at a time, those with short prefixes first.
    """
    lengths = (prefix != PAD).sum(dim=1)
    order, parts = lengths.argsort(stable=True), []
    before = torch.cat([torch.full_like(lengths, BOS)[:, None], prefix], dim=1)
    never = torch.tensor(NEVER_SAMPLED, device=z.device)
    for begin in range(0, len(z), live):
        rows = order[torch.arange(begin, begin + live, device=z.device).clamp_(max=len(z) - 1)]
        level = z.new_full((live,), noise)
        now = stepper.begin(*model.start(z[rows], conditions[rows], level))
        costs = z.new_zeros(live, prefix.shape[1])
        started = [each.clone() for each in now] if prefix.shape[1] else now
        for step in range(int(lengths[rows[-1]]) if prefix.shape[1] else 0):
            logits = stepper.step(now, before[rows, step]).index_fill_(1, never, float("-inf"))
            log_p = logits.log_softmax(dim=1).gather(1, prefix[rows, step, None])[:, 0]
            costs[:, step] = torch.where(lengths[rows] > step, -log_p, 0.0)
            ready = (lengths[rows] == step + 1).nonzero()[:, 0]
            for kept, each in zip(started, now, strict=True):
                kept[ready] = each[ready]
        parts.append([*started, costs])
    columns = [torch.cat(column)[: len(z)] for column in zip(*parts, strict=True)]
    return [column[order.argsort()] for column in columns] if prefix.shape[1] else columns


class _Writing:
    """Strings in progress, `live` at once, and those that wait.

    Args:
        stepper: the decoder.
        starts: what each of B strings begins with, for each condition it is written under.
        live: strings at once, at most B.
        prefix: symbols that each string begins with, padded, shape (B, K).

    Attributes:
        molecule: which string each row writes, shape (live,); B for a row that has nothing to.
        position: of the token that comes next, shape (live,).
        begins: the position of the first token that is not given, shape (B + 1,).
        busy: rows that have something to write.
    """

    def __init__(
        self, stepper: Stepper, starts: list[list[Tensor]], live: int, *, prefix: Tensor
    ) -> None:
        self.stepper, self.starts, self.live = stepper, starts, live
        self.rows = [torch.cat([each[:live] for each in one]) for one in zip(*starts, strict=True)]
        self.molecule = torch.arange(live, device=self.rows[0].device)
        behind = torch.nn.functional.pad(prefix, (1, 0, 0, 1), value=PAD)
        behind[:, 0] = BOS
        self.begins = (behind != PAD).sum(dim=1) - 1
        self.before = behind.gather(1, self.begins[:, None])[:, 0]
        self.position, self.last = self.begins[:live].clone(), self.before[:live].clone()
        self.busy = self.begun = live

    def logits(self) -> Tensor:
        """Return what may follow, shape (conditions * live, V)."""
        last = self.last if len(self.starts) == 1 else self.last.repeat(len(self.starts))
        return self.stepper.step(self.rows, last)

    def go_on(self, chosen: Tensor, ended: Tensor) -> None:
        """Append a token to each string (live,), and replace finished strings by new ones."""
        self.last, self.position = chosen, self.position + 1
        free = ended.nonzero()[:, 0]
        if len(free) == 0:
            return
        waiting = len(self.starts[0][0])
        following = torch.arange(self.begun, self.begun + len(free), device=free.device)
        following.clamp_(max=waiting)
        come = min(len(free), waiting - self.begun)
        if come:
            taken, place = following[:come], free[:come]
            for side, start in enumerate(self.starts):
                for row, begin in zip(self.rows, start, strict=True):
                    row.index_copy_(0, place + side * self.live, begin.index_select(0, taken))
            self.begun += come
        self.busy -= int((self.molecule[free] < waiting).sum()) - come
        self.molecule[free] = following
        self.last[free], self.position[free] = self.before[following], self.begins[following]


def guide(logits: Tensor, guidance: float, *, never: Tensor) -> tuple[Tensor, Tensor]:
    """Return the log-probabilities (B, V) that the model learned, and those with guidance.

    Args:
        logits: with the conditions, shape (B, V); with guidance, those without follow, (2B, V).
        guidance: see `sample`; 1: none.
        never: ids that are never sampled; their logits are -inf.
    """
    log_p = logits.log_softmax(dim=1)
    if guidance == 1.0:
        return log_p, log_p
    log_p, unconditional = log_p.chunk(2)
    guided = (1.0 - guidance) * unconditional + guidance * log_p
    return log_p, guided.index_fill(1, never, float("-inf"))  # -inf minus -inf is NaN


def choose(logits: Tensor, uniforms: Tensor, *, temperature: float, top_p: float) -> Tensor:
    """Draw one token for each row of logits (B, V) by inverting its distribution, (B,)."""
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
