"""How weights move: AdamW, or Muon for the matrices.

AdamW scales every number's step by itself. Muon (Jordan et al. 2024,
https://kellerjordan.github.io/posts/muon/) takes a matrix for what it is, a linear map, and makes
its step equally long in all directions, the rare ones included. Trainings that are short for want
of arithmetic gain by it (benchmarks/ablations).
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from molvae.config import TrainConfig
from molvae.model.cvae import ConditionalVAE

BETAS = (0.9, 0.99)
MOMENTUM = 0.95
# Of a matrix's step at a rate of 1, as AdamW's has, so that one rate and one decay fit both: Liu et
# al. 2025, https://arxiv.org/abs/2502.16982.
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
# By how much singular values may be off for rounding, as in their article: without it a narrow
# matrix in bfloat16 leaves the interval where the polynomials hold, and explodes.
SAFETY = 1.01


class Muon(torch.optim.AdamW):
    """AdamW, but matrices go the way of their orthogonalized momentum.

    torch.optim.Muon computes in bfloat16, which many processors emulate at a hundredth of their
    speed, and takes the four gates of an LSTM for one matrix.

    Args:
        groups: as AdamW takes them, each with `blocks`: of how many matrices, one below the other,
            its weights are made. 0: AdamW moves them.
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
        """Take one step by the gradients that are there."""
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
                    self._move(weight, weight.grad, group)
        return loss

    @torch.no_grad()
    def _move(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
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
    """Return about U V^T of matrices U S V^T, shape (N, A, B), without decomposing them.

    Args:
        matrices: any number of them, float32.
        products: type that is computed in; the result is float32.
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


def optimizer_for(
    model: ConditionalVAE, config: TrainConfig, products: torch.dtype = torch.float32
) -> torch.optim.AdamW:
    """Return what moves a model's weights; a bias or a norm has no reason to be small."""
    blocks = dict(_hidden_matrices(model)) if config.optimizer == "muon" else {}
    members: dict[tuple[int, bool], list[Tensor]] = {}
    for weight in model.parameters():
        members.setdefault((blocks.get(weight, 0), weight.dim() > 1), []).append(weight)
    groups = [
        {
            "params": weights,
            "weight_decay": config.weight_decay if decays else 0.0,
            "blocks": count,
        }
        for (count, decays), weights in members.items()
    ]
    if not blocks:
        return torch.optim.AdamW(groups, lr=config.learning_rate, betas=BETAS)
    return Muon(groups, lr=config.learning_rate, products=products)


def _hidden_matrices(model: ConditionalVAE) -> Iterator[tuple[Tensor, int]]:
    """Yield the matrices between hidden states, and of how many each is made, one for each gate.

    Embeddings and the output are lists of vectors, one for each token: AdamW suits them better.
    """
    at_tokens = (model.decoder.output, model.decoder.at_output)
    for module in model.modules():
        if isinstance(module, nn.RNNBase):
            size = module.hidden_size
            yield from ((each, len(each) // size) for each in module.parameters() if each.dim() > 1)
        elif isinstance(module, nn.Linear) and module not in at_tokens and module.weight.numel():
            yield module.weight, 1  # without any property, that of the head is empty
