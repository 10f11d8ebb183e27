"""Pure functions: progress of the training (0 to 1) -> a weight."""

import math

from molvae.config import TrainConfig


def learning_rate(config: TrainConfig, progress: float) -> float:
    """Return the learning rate: a linear warm-up, then a cosine down to the final share."""
    share = share_of_peak(progress, warmup=config.warmup, final=config.final_rate)
    return config.learning_rate * share


def share_of_peak(progress: float, *, warmup: float, final: float) -> float:
    """Return how much of the peak learning rate is due.

    Args:
        progress: of the training, 0 to 1.
        warmup: share of it over which the rate rises.
        final: share of the peak that the cosine comes down to.
    """
    if progress < warmup:
        return max(progress / warmup, 1e-3)
    through = (progress - warmup) / (1.0 - warmup)
    cosine = 0.5 * (1.0 + math.cos(math.pi * min(through, 1.0)))
    return final + (1.0 - final) * cosine


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
