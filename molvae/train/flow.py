"""Stage 2: fit the flow prior to the codes of the training set, when the model is done."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from molvae.config import PriorConfig
from molvae.model.conditions import hide
from molvae.model.flow import FlowPrior, Velocity, flow_loss
from molvae.train.encoding import Codes
from molvae.train.objective import one_seed

UNASKED = 0.15  # share of codes shown without any property, besides those that `hide` leaves bare
WARMUP = 0.02  # share of steps
CLIP = 1.0
EMA = 0.999  # decay of the moving average
STAGE = 2  # keeps the random numbers of this stage apart from those of the first


def fit_flow(
    codes: Codes,
    config: PriorConfig,
    *,
    groups: tuple[int, ...],
    device: torch.device,
    seed: int,
    report: Callable[[int, float], None] = lambda step, loss: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> FlowPrior | None:
    """Fit p(z given c), any subset of the properties being named.

    Args:
        codes: of the training set; z is drawn from each posterior anew whenever it is met.
        config: sizes and steps.
        groups: see `hide`.
        device: where to compute.
        seed: of all randomness: a step depends on it and the step's number alone.
        report: told the number of steps taken and the loss, mean over the codes' dimensions.
        should_stop: asked after every step.

    Returns:
        The moving average of the network; None when asked to stop.
    """
    latent_size, n_conditions = codes.means.shape[1], codes.conditions.shape[1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(one_seed(seed, STAGE))
        velocity = Velocity(config, latent_size, n_conditions)
    velocity.to(device)
    averaged = {name: weight.detach().clone() for name, weight in velocity.state_dict().items()}
    optimizer = torch.optim.AdamW(
        velocity.parameters(), lr=config.flow_learning_rate, betas=(0.9, 0.99), weight_decay=0.01
    )
    kept = Codes(*(part.to(device) for part in codes))
    for step in range(config.flow_steps):
        generator = torch.Generator().manual_seed(one_seed(seed, STAGE, step))
        for group in optimizer.param_groups:
            group["lr"] = config.flow_learning_rate * _schedule(step / config.flow_steps)
        loss = _batch_loss(velocity, kept, config.flow_batch_size, groups, generator)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        clip_grad_norm_(velocity.parameters(), CLIP)
        optimizer.step()
        decay = min(EMA, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, weight in velocity.state_dict().items():
                averaged[name].lerp_(weight, 1.0 - decay)
        if step % 100 == 99 or step + 1 == config.flow_steps:
            report(step + 1, float(loss.detach()) / latent_size)
        if should_stop():
            return None
    velocity.load_state_dict(averaged)
    return FlowPrior(velocity.cpu().eval(), config)


def _batch_loss(
    velocity: Velocity,
    codes: Codes,
    batch_size: int,
    groups: tuple[int, ...],
    generator: torch.Generator,
) -> Tensor:
    count, size = codes.means.shape
    rows = torch.randint(0, count, (batch_size,), generator=generator).to(codes.means.device)
    drawn, noise = torch.randn(2, batch_size, size, generator=generator).to(rows.device)
    level = torch.rand(batch_size, generator=generator)
    bare = torch.rand(batch_size, 1, generator=generator) < UNASKED
    shown = hide(codes.conditions[rows], generator, groups=groups)
    shown = shown.masked_fill(bare.to(rows.device), float("nan"))
    z = codes.means[rows] + drawn * torch.exp(0.5 * codes.log_vars[rows])
    return flow_loss(velocity, z, shown, noise, level.to(rows.device)).mean()


def _schedule(progress: float) -> float:
    """Return the share of the peak learning rate: a short warm-up, then a cosine to zero."""
    if progress < WARMUP:
        return max(progress / WARMUP, 1e-3)
    return 0.5 * (1.0 + math.cos(math.pi * (progress - WARMUP) / (1.0 - WARMUP)))
