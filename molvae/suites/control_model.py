"""The control benchmark of a molvae model: generate on request and measure."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from molvae.config import GenerateConfig, as_dict
from molvae.evaluate.work import Progress
from molvae.generation.results import Generated, Generation
from molvae.generator import MoleculeGenerator
from molvae.suites.control import (
    GRID,
    PUBLISHED,
    SINGLES,
    Control,
    Training,
    describe_neighbors,
    grid_mean,
    neighbors,
    summarize_errors,
    summarize_joint,
)
from molvae.suites.model_card import calibrate
from molvae.suites.tokenized import TokenizedMolecules

TESTS = ("grid", "single", "calibration", "joint")


class ControlTests(NamedTuple):
    """The tests of a model."""

    n: int = 1000  # molecules for each target of the grid, single target and calibration
    seed: int = 1
    tests: Sequence[str] = TESTS
    training: Training | None = None  # the properties that the model has and RDKit measures
    held_out: TokenizedMolecules | None = None  # their properties are the joint targets


class PropertySampler(NamedTuple):
    """A model, its settings, and the executor that does the chemistry."""

    generator: MoleculeGenerator
    config: GenerateConfig
    executor: Executor | None = None
    report: Progress = lambda stage, done, total: None

    @property
    def generate(self) -> Callable[..., Generation[Generated]]:
        """`MoleculeGenerator.generate` with these settings."""
        return partial(self.generator.generate, config=self.config, executor=self.executor)


def run_control(
    sampler: PropertySampler, tests: ControlTests, *, name: str, versions: Mapping[str, str]
) -> Control:
    """Generate molecules on request, and compare them with their targets.

    Targets with a property that the model was not trained on are left out.
    """
    known = sampler.generator.measured
    grid, single = (
        _points(title, [one for one in targets if set(one) <= set(known)], sampler, tests)
        for title, targets in (("grid", GRID), ("single", SINGLES))
    )
    joint = tests.held_out if "joint" in tests.tests else None
    return Control(
        model=name,
        settings=as_dict(sampler.generator.model.settings(sampler.config)),
        grid=grid,
        single=single,
        grid_mean=grid_mean(grid),
        calibration=_calibrations(sampler, tests) if "calibration" in tests.tests else {},
        joint={} if joint is None else _joint(joint, sampler, tests),
        neighbors=describe_neighbors(tests.training),
        published=PUBLISHED,
        seed=tests.seed,
        versions=versions,
    )


def _points(
    title: str,
    targets: Sequence[Mapping[str, float]],
    sampler: PropertySampler,
    tests: ControlTests,
) -> list[dict[str, Any]]:
    """Generate `n` molecules for each target."""
    points: list[dict[str, Any]] = []
    for target in targets if title in tests.tests else ():
        request = sampler.generator.request(target)  # one beyond the training range is meant
        generation = sampler.generate(tests.n, request, seed=tests.seed + len(points))
        points.append(
            {
                "asked": dict(target),
                **summarize_errors({name: _errors(generation.molecules, name) for name in target}),
                "acceptance": generation.summary.to_dict()["acceptance"],
                "neighbors": neighbors(target, sampler.generator.measured, tests.training),
            }
        )
        sampler.report(f"Targets: {title}", len(points) * tests.n, len(targets) * tests.n)
    return points


def _calibrations(sampler: PropertySampler, tests: ControlTests) -> dict[str, dict[str, Any]]:
    found = {}
    names = sampler.generator.measured
    for number, name in enumerate(names):
        found[name] = calibrate(
            sampler.generator,
            name,
            n=tests.n,
            seed=tests.seed + number,
            config=sampler.config,
            executor=sampler.executor,
        )._asdict()
        sampler.report("Calibration", (number + 1) * tests.n, len(names) * tests.n)
    return found


def _joint(
    held_out: TokenizedMolecules, sampler: PropertySampler, tests: ControlTests
) -> dict[str, Any]:
    """Generate one molecule for all properties of each held-out molecule."""
    names, normalizer = sampler.generator.measured, sampler.generator.normalizer
    columns = [normalizer.names.index(name) for name in names]
    requests = [
        sampler.generator.request(
            {n: float(value) for n, value in zip(names, row, strict=True) if np.isfinite(value)}
        )
        for row in held_out.dataset.properties[:, columns]
    ]

    def tell(done: int) -> None:
        sampler.report("Joint targets", done, len(requests))

    generation = sampler.generate(len(requests), requests, seed=tests.seed, report=tell)
    missing = len(requests) - len(generation.molecules)
    errors = {
        name: np.append(_errors(generation.molecules, name), np.full(missing, np.nan))
        for name in names
    }
    return {
        "source": held_out.name,
        **summarize_joint(errors, normalizer.scales),
        "acceptance": generation.summary.to_dict()["acceptance"],
    }


def _errors(molecules: Sequence[Generated], name: str) -> np.ndarray:
    """Return realized minus requested values, NaN without a request, shape (N,)."""
    errors = np.full(len(molecules), np.nan)
    for row, molecule in enumerate(molecules):
        wanted = molecule.targets.get(name)
        if isinstance(wanted, tuple):
            errors[row] = molecule.properties[name] - wanted[0]
    return errors
