"""The card of a model: its acceptance rate, novelty and control.

Training measures the latent space (`train.health`); this module measures what needs chemistry, on
molecules of the tier RAW, so that no filter improves the figures.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np

from molvae.config import GenerateConfig
from molvae.evaluate.control import fit_line
from molvae.generator import MoleculeGenerator

MIN_ACCEPTANCE = 0.80  # share of strings at the default temperature that need no repair
MIN_SLOPE = 0.5  # of realized on requested values; below, the target is hardly followed
MIN_RATIO = 2.0  # error against shuffled requests / error
LEVELS = (0.05, 0.95)  # quantiles of the training set between which requests are spread


class Calibration(NamedTuple):
    """The control of one property, without targets for the others.

    A figure that is undefined, without molecules or without any spread, is None.
    """

    molecules: int
    slope: float | None  # of realized on requested values; 1: followed exactly, 0: ignored
    r2: float | None  # share of the realized variance that the request explains
    mae: float | None  # mean absolute error in the property's unit
    mae_scaled: float | None  # in standard deviations of the training set
    shuffled_ratio: float | None  # mean absolute error against the requests shuffled, over `mae`

    @property
    def followed(self) -> bool:
        """Whether the model follows the target."""
        if self.slope is None or self.shuffled_ratio is None:
            return False
        return self.slope >= MIN_SLOPE and self.shuffled_ratio >= MIN_RATIO


def measure_card(
    generator: MoleculeGenerator,
    *,
    n: int = 1000,
    per_property: int = 500,
    seed: int = 0,
    executor: Executor | None = None,
    report: Callable[[int], None] = lambda done: None,
) -> dict[str, Any]:
    """Generate molecules, with and without targets, and return the figures as plain values.

    `n` molecules have no target, and `per_property` one for each property that can be computed.
    `report` is called with the number of molecules so far.
    """
    config = without_selection(generator)
    free = generator.generate(n, config=config, seed=seed, executor=executor, report=report).summary
    calibrations = {}
    for number, name in enumerate(generator.measured):
        done = n + number * per_property
        calibrations[name] = calibrate(
            generator,
            name,
            n=per_property,
            seed=seed + 1 + number,
            executor=executor,
            report=lambda found, done=done: report(done + found),  # type: ignore[misc]
        )
    return {
        "tier": "raw",
        "temperature": config.temperature,
        "noise": config.noise,
        "guidance": config.guidance,
        "shortlist": config.shortlist,
        "molecules": n,
        "seed": seed,
        "acceptance": free.acceptance,
        "uniqueness": free.uniqueness,
        "novelty": free.novelty,
        "calibration": {name: found._asdict() for name, found in calibrations.items()},
        "passed": {
            "acceptance": free.acceptance >= MIN_ACCEPTANCE,
            **{f"heeds {name}": found.followed for name, found in calibrations.items()},
        },
        "rdkit": version("rdkit"),
    }


def without_selection(generator: MoleculeGenerator) -> GenerateConfig:
    """Return a model's default settings without any selection of molecules."""
    return replace(generator.defaults, tier="raw", shortlist=1, novel=False)


def calibrate(
    generator: MoleculeGenerator,
    name: str,
    *,
    n: int,
    seed: int,
    config: GenerateConfig | None = None,
    executor: Executor | None = None,
    report: Callable[[int], None] = lambda done: None,
) -> Calibration:
    """Request one property at values spread over the training set, and compare."""
    low, high = LEVELS
    values = generator.normalizer.quantile(name, np.linspace(low, high, n))
    requests: list[Mapping[str, float]] = [{name: float(value)} for value in values]
    generation = generator.generate(
        n,
        requests,
        config=config or without_selection(generator),
        seed=seed,
        executor=executor,
        report=report,
    )
    pairs = [(m.targets[name][0], m.properties[name]) for m in generation.molecules]
    if not pairs:
        return Calibration(0, None, None, None, None, None)
    requested, realized = np.array(pairs).T
    mae = float(np.abs(realized - requested).mean())
    scale = float(generator.normalizer.scale[generator.normalizer.names.index(name)])
    if requested.std() == 0.0 or realized.std() == 0.0 or mae == 0.0:
        return Calibration(len(pairs), None, None, mae, mae / scale, None)
    slope, r2 = fit_line(requested, realized)
    shuffled = np.random.default_rng(seed).permutation(requested)
    return Calibration(
        molecules=len(pairs),
        slope=slope,
        r2=r2,
        mae=mae,
        mae_scaled=mae / scale,
        shuffled_ratio=float(np.abs(realized - shuffled).mean()) / mae,
    )


def card_lines(card: Mapping[str, Any]) -> list[str]:
    """Return the figures of `measure_card` as lines of text."""
    lines = [
        f"acceptance {card['acceptance']:.1%}, unique {card['uniqueness']:.1%},"
        f" novel {card['novelty']:.1%} of {card['molecules']} draws, tier {card['tier']},"
        f" temperature {card['temperature']:g}"
    ]
    for name, found in card["calibration"].items():
        if found["slope"] is None:
            lines.append(f"{name}: no slope, requests or molecules do not vary")
            continue
        lines.append(
            f"{name}: slope {found['slope']:.2f}, R2 {found['r2']:.2f},"
            f" mean error {found['mae']:.3g} ({found['mae_scaled']:.2f} sd)"
        )
    passed = card["passed"]
    repaired = f"SELFIES repaired {1 - card['acceptance']:.0%} of its strings"
    loose = [name for name in card["calibration"] if not passed[f"heeds {name}"]]
    weak = [] if passed["acceptance"] else [repaired]
    weak += [f"it follows targets of {', '.join(loose)} loosely"] if loose else []
    if weak:
        lines.append(f"Warning: a weak model: {'; '.join(weak)}. More training may help.")
    return lines
