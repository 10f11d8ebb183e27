"""A molvae model in the tests of `control`: it is asked, and what comes is measured."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

import numpy as np

from molvae.config import GenerateConfig, as_dict
from molvae.evaluate.work import Progress
from molvae.generation.results import Generated
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
    """What a model is asked.

    Attributes:
        n: molecules for each target of the grid, each single target and each calibration.
        seed: of all randomness.
        tests: those of `TESTS` that are done.
        training: the properties of the training set in the model's columns, where it is at hand.
        held_out: molecules whose properties are the joint targets, where they are at hand.
    """

    n: int = 1000
    seed: int = 1
    tests: Sequence[str] = TESTS
    training: Training | None = None
    held_out: TokenizedMolecules | None = None


class PropertySampler(NamedTuple):
    """A model and how it draws.

    Attributes:
        generator: the model.
        config: tier, temperature and the like.
        executor: does the chemistry.
        report: called with a stage, the molecules done in it and how many there are.
    """

    generator: MoleculeGenerator
    config: GenerateConfig
    executor: Executor | None = None
    report: Progress = lambda stage, done, total: None


def run_control(
    asked: PropertySampler, questions: ControlTests, *, name: str, versions: Mapping[str, str]
) -> Control:
    """Ask a model for properties, and measure what comes.

    Targets with a property that the model was not trained on are left out.

    Args:
        asked: the model.
        questions: what it is asked.
        name: of the model, for people.
        versions: that the numbers depend on.
    """
    known = asked.generator.measured
    grid, single = (
        _points(title, [one for one in targets if set(one) <= set(known)], asked, questions)
        for title, targets in (("grid", GRID), ("single", SINGLES))
    )
    joint = questions.held_out if "joint" in questions.tests else None
    return Control(
        model=name,
        settings=as_dict(asked.generator.model.settings(asked.config)),
        grid=grid,
        single=single,
        grid_mean=grid_mean(grid),
        calibration=_calibrations(asked, questions) if "calibration" in questions.tests else {},
        joint={} if joint is None else _joint(joint, asked, questions),
        neighbors=describe_neighbors(questions.training),
        published=PUBLISHED,
        seed=questions.seed,
        versions=versions,
    )


def _points(
    title: str,
    targets: Sequence[Mapping[str, float]],
    asked: PropertySampler,
    questions: ControlTests,
) -> list[dict[str, Any]]:
    """Ask for each target `n` times."""
    points: list[dict[str, Any]] = []
    for target in targets if title in questions.tests else ():
        generation = asked.generator.generate(
            questions.n,
            target,
            config=asked.config,
            seed=questions.seed + len(points),
            executor=asked.executor,
        )
        points.append(
            {
                "asked": dict(target),
                **summarize_errors({name: _errors(generation.molecules, name) for name in target}),
                "acceptance": generation.summary.to_dict()["acceptance"],
                "neighbors": neighbors(
                    target, asked.generator.normalizer.names, questions.training
                ),
            }
        )
        asked.report(f"Targets: {title}", len(points) * questions.n, len(targets) * questions.n)
    return points


def _calibrations(asked: PropertySampler, questions: ControlTests) -> dict[str, dict[str, Any]]:
    found = {}
    names = asked.generator.measured
    for number, name in enumerate(names):
        found[name] = calibrate(
            asked.generator,
            name,
            n=questions.n,
            seed=questions.seed + number,
            config=asked.config,
            executor=asked.executor,
        )._asdict()
        asked.report("Calibration", (number + 1) * questions.n, len(names) * questions.n)
    return found


def _joint(
    held_out: TokenizedMolecules, asked: PropertySampler, questions: ControlTests
) -> dict[str, Any]:
    """Ask for all properties of each held-out molecule, once."""
    names, normalizer = asked.generator.measured, asked.generator.normalizer
    columns = [normalizer.names.index(name) for name in names]
    requests = [
        {n: float(value) for n, value in zip(names, row, strict=True) if np.isfinite(value)}
        for row in held_out.dataset.properties[:, columns]
    ]

    def tell(done: int) -> None:
        asked.report("Joint targets", done, len(requests))

    generation = asked.generator.generate(
        len(requests),
        requests,
        config=asked.config,
        seed=questions.seed,
        executor=asked.executor,
        report=tell,
    )
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
    """Return realized minus requested, NaN where nothing was asked, shape (N,)."""
    errors = np.full(len(molecules), np.nan)
    for row, molecule in enumerate(molecules):
        wanted = molecule.targets.get(name)
        if isinstance(wanted, tuple):
            errors[row] = molecule.properties[name] - wanted[0]
    return errors
