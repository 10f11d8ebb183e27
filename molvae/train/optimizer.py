"""Optimizers: AdamW, or Muon for the matrices; their schedules, and the average of the weights.

AdamW scales the step of each number separately. Muon (Jordan et al. 2024,
https://kellerjordan.github.io/posts/muon/) treats a matrix as a linear map and makes its step
equally long in all directions, rare ones included. Short trainings gain by it
(benchmarks/ablations).
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from molvae.config import TrainConfig
from molvae.model.cvae import ConditionalVAE

BETAS = (0.9, 0.99)
MOMENTUM = 0.95
# Root mean square of a matrix's step at a rate of 1, as AdamW's, so that one rate and one decay fit
# both: Liu et al. 2025, https://arxiv.org/abs/2502.16982.
RMS = 0.2
# Odd polynomials that take singular values from (.001, 1] towards 1 one after the other, the best
# there are of degree 5; four of them leave the small ones on their way: Amsel et al. 2025, "The
# Polar Express", https://arxiv.org/abs/2505.16932.
POLYNOMIALS = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
)
# Safety factor for the rounding of singular values, as in their article: without it a narrow matrix
# in bfloat16 leaves the interval where the polynomials hold, and explodes.
SAFETY = 1.01


class Muon(torch.optim.AdamW):
    """AdamW, except that matrices take steps along their orthogonalized momentum.

    torch.optim.Muon computes in bfloat16, which many processors emulate at a hundredth of their
    speed, and treats the four gates of an LSTM as one matrix.

    Args:
        groups: as AdamW takes them, each with `blocks`: the number of matrices, one below the
            other, in each of its weights. 0: AdamW updates them.
        lr: learning rate.
        products: arithmetic of the products that orthogonalize. On a processor with bfloat16 units
            they take most of a step in float32 and a fifth of that in bfloat16.
    """

    def __init__(
        self, groups: list[dict[str, Any]], *, lr: float, products: torch.dtype = torch.float32
    ) -> None:
        super().__init__(groups, lr=lr, betas=BETAS)
        self.products = products

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take one step with the present gradients."""
        every = self.param_groups
        try:
            self.param_groups = [group for group in every if not group["blocks"]]
            loss: float | None = super().step(closure)
        finally:
            self.param_groups = every
        for group in every:
            if not group["blocks"]:
                continue
            for weight in group["params"]:
                if weight.grad is not None:
                    self._update(weight, weight.grad, group)
        return loss

    @torch.no_grad()
    def _update(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state["step"] = torch.zeros(())  # AdamW asks every state that is loaded for it
            state["momentum"] = torch.zeros_like(weight)
        state["step"] += 1
        momentum = state["momentum"].lerp_(gradient, 1.0 - MOMENTUM)
        ahead = torch.lerp(gradient, momentum, MOMENTUM)  # Nesterov's
        rows = len(weight) // group["blocks"]
        matrices = ahead.view(-1, rows, weight.shape[1])
        direction = orthogonalized(matrices, self.products)
        length = RMS * max(rows, weight.shape[1]) ** 0.5
        weight.mul_(1.0 - group["lr"] * group["weight_decay"])
        weight.add_(direction.reshape_as(weight), alpha=-group["lr"] * length)


def orthogonalized(matrices: Tensor, products: torch.dtype = torch.float32) -> Tensor:
    """Return approximately U V^T of matrices U S V^T, shape (N, A, B), without an SVD.

    Args:
        matrices: any number of them, float32.
        products: type of the computation; the result is float32.
    """
    wide = matrices.shape[1] <= matrices.shape[2]
    x = matrices if wide else matrices.mT
    x = (x / (SAFETY * torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)).to(products)
    for a, b, c in POLYNOMIALS:
        gram = x @ x.mT
        even = torch.baddbmm(gram, gram, gram, beta=b / SAFETY**3, alpha=c / SAFETY**5)
        x = torch.baddbmm(x, even, x, beta=a / SAFETY)
    x = x.to(matrices.dtype)
    return x if wide else x.mT


def make_optimizer(
    model: ConditionalVAE, config: TrainConfig, products: torch.dtype = torch.float32
) -> torch.optim.AdamW:
    """Return the optimizer of a model's weights; biases and norms have no weight decay."""
    blocks = dict(_hidden_matrices(model)) if config.optimizer == "muon" else {}
    members: dict[tuple[int, bool], list[Tensor]] = {}
    for weight in model.parameters():
        members.setdefault((blocks.get(weight, 0), weight.dim() > 1), []).append(weight)
    groups = [
        {"params": weights, "weight_decay": config.weight_decay * decays, "blocks": count}
        for (count, decays), weights in members.items()
    ]
    if not blocks:
        return torch.optim.AdamW(groups, lr=config.learning_rate, betas=BETAS)
    return Muon(groups, lr=config.learning_rate, products=products)


def _hidden_matrices(model: ConditionalVAE) -> Iterator[tuple[Tensor, int]]:
    """Yield the matrices between hidden states, and the number of gates that each consists of.

    Embeddings and the output are lists of vectors, one for each symbol: AdamW suits them better.
    """
    at_symbols = (model.decoder.output, model.decoder.at_output)
    for module in model.modules():
        if isinstance(module, nn.RNNBase):
            size = module.hidden_size
            yield from ((each, len(each) // size) for each in module.parameters() if each.dim() > 1)
        elif isinstance(module, nn.Linear) and module not in at_symbols and module.weight.numel():
            yield module.weight, 1  # without any property, that of the head is empty


def learning_rate(config: TrainConfig, progress: float) -> float:
    """Return the learning rate: a linear warm-up, then the schedule.

    A constant rate does not depend on the number of epochs, so that a training can go on for as
    long as it pays; a short linear fall then brings what the cosine brings
    (Hägele et al. 2024, https://arxiv.org/abs/2405.18392). `progress` is that of the training, 0
    to 1.
    """
    if config.schedule == "constant":
        progress = min(progress * config.epochs, 1.0)  # of the first epoch
    if progress < config.warmup:
        return config.learning_rate * max(progress / config.warmup, 1e-3)
    after = (progress - config.warmup) / (1.0 - config.warmup)
    left = SCHEDULES[config.schedule](min(after, 1.0))
    return config.learning_rate * (config.final_rate + (1.0 - config.final_rate) * left)


def kl_weight(config: TrainConfig, progress: float) -> float:
    """Return beta: zero at first, then a linear rise to its full value, then constant.

    Starting at zero lets the decoder learn to use the code before the KL term acts
    (Bowman et al. 2016, https://arxiv.org/abs/1511.06349).
    """
    if progress < config.kl_hold:
        return 0.0
    if config.kl_warmup == 0.0:
        return config.beta
    return config.beta * min((progress - config.kl_hold) / config.kl_warmup, 1.0)


def update_ema(
    averaged: Mapping[str, Tensor], model: nn.Module, *, decay: float, steps: int
) -> None:
    """Update the exponential moving average of a model's weights, by name, in place.

    The share of the old average grows with the steps taken, up to `decay`, so that the random start
    is soon forgotten.
    """
    kept = min(decay, (1 + steps) / (10 + steps))
    with torch.no_grad():
        for name, weight in model.state_dict().items():
            averaged[name].lerp_(weight, 1.0 - kept)


# Schedule -> the share of the decay that is left, from the progress after the warm-up, 0 to 1.
SCHEDULES: dict[str, Callable[[float], float]] = {
    "cosine": lambda progress: 0.5 * (1.0 + math.cos(math.pi * progress)),
    "linear": lambda progress: 1.0 - progress,
    "constant": lambda progress: 1.0,
}
