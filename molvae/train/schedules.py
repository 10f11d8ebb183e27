"""Pure functions: progress of the training (0 to 1) -> a weight."""

import math
from collections.abc import Callable

from molvae.config import TrainConfig


def learning_rate(config: TrainConfig, progress: float) -> float:
    """Return the learning rate: a linear warm-up, then the schedule's way to its last value.

    A constant rate does not depend on the number of epochs, so that a training can go on for as
    long as it pays; a short linear fall then brings what the cosine brings
    (Hägele et al. 2024, https://arxiv.org/abs/2405.18392).

    Args:
        config: schedule, peak rate, warm-up and final share.
        progress: of the training, 0 to 1.
    """
    if config.schedule == "constant":
        progress = min(progress * config.epochs, 1.0)  # of the first epoch
    shape = SCHEDULES[config.schedule]
    share = share_of_peak(progress, warmup=config.warmup, final=config.final_rate, shape=shape)
    return config.learning_rate * share


def cosine(through: float) -> float:
    """Return how much of the fall is left: half a cosine."""
    return 0.5 * (1.0 + math.cos(math.pi * min(through, 1.0)))


def linear(through: float) -> float:
    """Return how much of the fall is left: a straight line."""
    return 1.0 - min(through, 1.0)


def constant(through: float) -> float:
    """Return how much of the fall is left: all of it, always."""
    return 1.0


SCHEDULES: dict[str, Callable[[float], float]] = {
    "cosine": cosine,
    "linear": linear,
    "constant": constant,
}


def share_of_peak(
    progress: float, *, warmup: float, final: float, shape: Callable[[float], float] = cosine
) -> float:
    """Return how much of the peak learning rate is due.

    Args:
        progress: of the training, 0 to 1.
        warmup: share of it over which the rate rises.
        final: share of the peak at the end of the fall.
        shape: share of the fall that is left, from its progress, 0 to 1.
    """
    if progress < warmup:
        return max(progress / warmup, 1e-3)
    return final + (1.0 - final) * shape((progress - warmup) / (1.0 - warmup))


def kl_weight(config: TrainConfig, progress: float) -> float:
    """Return beta: zero at first, then linear up to its full value, then constant.

    Starting at zero lets the decoder learn to use the code before the code is taxed
    (Bowman et al. 2016, https://arxiv.org/abs/1511.06349).
    """
    if progress < config.kl_hold:
        return 0.0
    if config.kl_warmup == 0.0:
        return config.beta
    return config.beta * min((progress - config.kl_hold) / config.kl_warmup, 1.0)
