"""The gradients of a batch, the same whether one process takes it whole or many take parts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from molvae.config import TrainConfig
from molvae.errors import MolvaeError
from molvae.model.cvae import ConditionalVAE
from molvae.model.losses import weigh
from molvae.train.objective import DrawnBatch, kl, one_seed, terms
from molvae.train.precision import Precision
from molvae.train.processes import Processes


class Gradients:
    """Compute the gradients of whole batches in pieces that fit the device.

    Only dropout tells: its noise is drawn piece by piece.

    Args:
        model: whose gradients.
        config: how the terms are weighed, and into how many pieces a batch is divided at first.
        precision: of the passes, with the device.
        processes: those that share each batch.
        notice: told when the device's memory asks for smaller pieces.
    """

    def __init__(
        self,
        model: ConditionalVAE,
        *,
        config: TrainConfig,
        precision: Precision,
        processes: Processes,
        notice: Callable[[str], None],
    ) -> None:
        self.model, self.config, self.precision = model, config, precision
        self.processes, self.notice = processes, notice
        self.pieces = config.accumulate

    def compute(self, batch: DrawnBatch, *, beta: float, seed: int) -> np.ndarray:
        """Leave in `.grad` the gradient of the mean loss over the whole batch.

        Args:
            batch: all molecules of the step, on the CPU; each process takes its share.
            beta: weight of the KL term.
            seed: of dropout's noise.

        Returns:
            Molecules, and the sums of the three terms over them, float64, shape (4,).

        Raises:
            MolvaeError: when not even one molecule fits, or another process is gone.
        """
        first, end = self.processes.share(len(batch.ids))
        charge = _Charge(self.processes, len(batch.ids), self.config.free_nats)
        before = self.pieces
        while (sums := self._attempt(batch, first, end, beta, charge, seed)) is None:
            if self.pieces >= end - first:
                raise MolvaeError(
                    f"{self.precision.device}: out of memory for a single molecule. Take a smaller"
                    " model, or --device cpu."
                )
            self.pieces = min(2 * self.pieces, end - first)
            torch.cuda.empty_cache()
        if self.pieces != before:
            self.notice(
                f"{self.precision.device} has no memory for {-(-(end - first) // before):,}"
                f" molecules at once: each step takes {self.pieces} pieces from now on. The"
                f" gradients are the same; --accumulate {self.pieces} begins like this."
            )
        self._add_up()
        self.processes.add_up(sums)
        return sums.cpu().numpy()

    def _attempt(
        self, batch: DrawnBatch, first: int, end: int, beta: float, charge: "_Charge", seed: int
    ) -> Tensor | None:
        """Pass this process's rows forwards and backwards; None when the memory is too small."""
        model, precision, config = self.model, self.precision, self.config
        model.zero_grad(set_to_none=True)
        sums = torch.zeros(4, dtype=torch.float64, device=precision.device)
        pieces = list(batch.rows(first, end).to(precision.device).pieces(self.pieces))
        try:
            if len(pieces) != 1:  # the mean KL is needed before the first backward pass
                known = [kl(model, piece, precision).sum() for piece in pieces]
                charge.settle(sum(known, start=sums.new_zeros(())))
            for number, piece in enumerate(pieces):
                with _seeded((seed, first, number), model.config.dropout, precision.device):
                    found = terms(model, piece, precision)
                charged = charge.settle(found.kl.detach().sum())
                loss = weigh(
                    *found,
                    beta=beta if charged else 0.0,
                    property_weight=config.property_weight,
                )
                precision.backward(loss * (len(piece.ids) / len(batch.ids)))
                sums += found.sums()
        except torch.OutOfMemoryError:
            return None  # by then nothing holds on to the memory of the failed pass
        return sums

    def _add_up(self) -> None:
        """Sum the gradients over all processes, as one vector."""
        if self.processes.size == 1:
            return
        weights = list(self.model.parameters())
        for weight in weights:  # a process without a row in a small last batch has none
            weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
        vector = torch.cat([w.grad.flatten() for w in weights if w.grad is not None])
        self.processes.add_up(vector)
        parts = torch.split(vector, [weight.numel() for weight in weights])
        for weight, part in zip(weights, parts, strict=True):
            weight.grad = part.view_as(weight)


class _Charge:
    """Does a batch's mean KL exceed the free nats? Asked once, of all its molecules together.

    Below them it costs nothing (free bits on the total, Kingma et al. 2016,
    https://arxiv.org/abs/1606.04934), so that the code is worth using from the start. That floor is
    on the mean over the batch, which no piece of it knows. The answer is kept, since
    a process that runs out of memory tries again while the others have theirs.
    """

    def __init__(self, processes: Processes, rows: int, free_nats: float) -> None:
        self.processes, self.rows, self.free_nats = processes, rows, free_nats
        self.answer: bool | None = None

    def settle(self, kl_sum: Tensor) -> bool:
        """Return the answer; `kl_sum` is over this process's rows, and heeded the first time."""
        if self.answer is None:
            total = kl_sum.double().reshape(1)
            self.processes.add_up(total)
            self.answer = bool(total.item() / self.rows >= self.free_nats)
        return self.answer


@contextmanager
def _seeded(key: tuple[int, ...], dropout: float, device: torch.device) -> Iterator[None]:
    """Key dropout's noise: torch draws it from the global generator only."""
    if not dropout:
        yield
        return
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(one_seed(*key))
        yield
