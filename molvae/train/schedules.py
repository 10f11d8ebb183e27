"""Pure functions: progress of the training (0 to 1) -> a weight."""

import math

from molvae.config import TrainConfig


def learning_rate(config: TrainConfig, progress: float) -> float:
    """Return the learning rate: a linear warm-up, then a cosine down to the final share."""
    if progress < config.warmup:
        return config.learning_rate * max(progress / config.warmup, 1e-3)
    through = (progress - config.warmup) / (1.0 - config.warmup)
    cosine = 0.5 * (1.0 + math.cos(math.pi * min(through, 1.0)))
    return config.learning_rate * (config.final_rate + (1.0 - config.final_rate) * cosine)


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
