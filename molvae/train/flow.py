"""Stage 2: fit the flow prior to the codes of the training set, when the model is done."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from molvae.config import PriorConfig
from molvae.model.conditions import hide
from molvae.model.flow import FlowPrior, Velocity, flow_loss
from molvae.train.averaging import follow
from molvae.train.encoding import Codes
from molvae.train.objective import one_seed
from molvae.train.schedules import share_of_peak

UNASKED = 0.15  # share of codes shown without any property, besides those that `hide` leaves bare
WARMUP = 0.02  # share of steps
CLIP = 1.0
EMA = 0.999  # decay of the moving average
STAGE = 2**40  # in a seed's key: beyond any step of the first stage, whose key is its number


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
        generator = torch.Generator().manual_seed(one_seed(seed, STAGE, step + 1))
        for group in optimizer.param_groups:
            share = share_of_peak(step / config.flow_steps, warmup=WARMUP, final=0.0)
            group["lr"] = config.flow_learning_rate * share
        loss = _batch_loss(velocity, kept, config.flow_batch_size, groups, generator)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        clip_grad_norm_(velocity.parameters(), CLIP)
        optimizer.step()
        follow(averaged, velocity, decay=EMA, steps=step)
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
