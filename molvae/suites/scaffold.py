"""Molecules that keep a core, in two published protocols, and what the core costs.

MolGPT's scaffolds with properties (Bagal 2021, doi 10.1021/acs.jcim.1c00600): five scaffolds of
MOSES, targets of LogP and TPSA. GenMol's fragment tasks are those of `fragment_tasks`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any, NamedTuple

import numpy as np
from rdkit import Chem

from molvae.chem.cores import Core, open_core
from molvae.chem.properties import measure
from molvae.config import GenerateConfig, as_dict
from molvae.errors import UsageError
from molvae.generation.results import Generated, Generation
from molvae.suites.control_model import PropertySampler
from molvae.suites.fragment_tasks import GENMOL, fragment_tasks, task_means

TESTS = ("cores", "control", "fragments")
CORES = (
    "O=C(Cc1ccccc1)NCc1ccccc1",
    "c1cnc2[nH]ccc2c1",
    "c1ccc(-c2ccnnc2)cc1",
    "c1ccc(-n2cnc3ccccc32)cc1",
    "O=C(c1cc[nH]c1)N1CCN(c2ccccc2)CC1",
)
TARGETS = {"LogP": (1.0, 2.0, 3.0), "TPSA": (30.0, 60.0, 90.0)}
# Mean deviations (TheLuoFengLab/ChemFM, finetuning/conditional_generation), and percentages.
PUBLISHED: Mapping[str, Any] = {
    "control": {
        "MolGPT": {"LogP": 0.125, "TPSA": 2.651},
        "ChemFM-3B": {"LogP": 0.087, "TPSA": 2.114},
    },
    "fragments": GENMOL,
}


class Scaffold(NamedTuple):
    """The figures of a model.

    Attributes:
        model: its name.
        settings: of the default.
        cores: what each core leaves of `n` strings.
        control: targets against results with each core.
        control_means: mean deviations over all reachable targets, and over all.
        fragments: by tier and task, means over the drugs.
        tasks: the same for each drug.
        published: figures of others.
        n: strings for each core, and molecules for each target.
        seed: of all randomness.
        versions: of the packages.
        seconds: it took.
    """

    model: str
    settings: Mapping[str, Any]
    cores: Sequence[Mapping[str, Any]]
    control: Sequence[Mapping[str, Any]]
    control_means: Mapping[str, Any]
    fragments: Mapping[str, Any]
    tasks: Sequence[Mapping[str, Any]]
    published: Mapping[str, Any]
    n: int
    seed: int
    versions: Mapping[str, str]
    seconds: float

    def to_json(self) -> str:
        """Return everything as JSON text."""
        return json.dumps({"format": 1, **self._asdict()}, indent=2)

    def table(self) -> list[str]:
        """Return the figures as lines of text."""
        return list(_lines(self))


class ScaffoldTests(NamedTuple):
    """The tests of a model."""

    n: int = 1000  # strings for each core, and molecules for each target
    seed: int = 1
    tests: Sequence[str] = TESTS
    fragments: Sequence[Mapping[str, str]] = ()  # rows of GenMol's table


def run_scaffold(
    sampler: PropertySampler, tests: ScaffoldTests, *, name: str, versions: Mapping[str, str]
) -> Scaffold:
    """Generate molecules with cores, and count what is asked for.

    Raises:
        UsageError: for a model without a property that a target names.
    """
    begun = monotonic()
    generator = sampler.generator
    missing = TARGETS.keys() - set(generator.measured) if "control" in tests.tests else set()
    if missing:
        raise UsageError(f"the model does not know {', '.join(sorted(missing))}; use --only cores.")
    control = list(_control(sampler, tests)) if "control" in tests.tests else []
    rows = tests.fragments if "fragments" in tests.tests else ()
    tasks = list(fragment_tasks(sampler, rows, seed=tests.seed))
    return Scaffold(
        model=name,
        settings=as_dict(generator.model.settings(sampler.config)),
        cores=[_core(sampler, core, tests) for core in CORES if "cores" in tests.tests],
        control=control,
        control_means=_means(control),
        fragments=task_means(tasks),
        tasks=tasks,
        published=PUBLISHED,
        n=tests.n,
        seed=tests.seed,
        versions=versions,
        seconds=monotonic() - begun,
    )


def _core(sampler: PropertySampler, core: str, tests: ScaffoldTests) -> dict[str, Any]:
    """Return what is left of the first strings with a core, and how many molecules a second."""
    once = replace(sampler.config, unique=False, max_tries=1)
    raw = _decorated(sampler, core, tests, config=replace(once, tier="raw"))
    taken = _decorated(sampler, core, tests, config=once)
    begun = monotonic()
    topped_up = _decorated(sampler, core, tests, config=replace(once, max_tries=20))
    seconds = monotonic() - begun
    query = Chem.MolFromSmiles(core)
    kept = [Chem.MolFromSmiles(each.smiles).HasSubstructMatch(query) for each in topped_up]
    sampler.report(f"Core {core}", tests.n, tests.n)
    return {
        "core": core,
        "strings": raw.summary.draws,
        "accepted": raw.summary.acceptance,
        "with_core": raw.summary.found / raw.summary.draws,
        "rejected": dict(taken.summary.refusals),
        "molecules": taken.summary.found,
        "distinct": len({each.smiles for each in taken}),
        "written": len(topped_up),
        "written_with_core": float(np.mean(kept)) if kept else None,
        "molecules_a_second": len(topped_up) / seconds,
    }


def _decorated(
    sampler: PropertySampler,
    core: str,
    tests: ScaffoldTests,
    *,
    config: GenerateConfig,
    **more: Any,
) -> Generation[Generated]:
    return sampler.generator.decorate(
        core, tests.n, config=config, seed=tests.seed, executor=sampler.executor, **more
    )


def ways(config: GenerateConfig) -> dict[str, GenerateConfig]:
    """Return the settings that are compared: RDKit chooses in the last only."""
    return {
        "one string": replace(config, shortlist=1, best_of=1),
        "default": config,
        "best of 8": replace(config, best_of=8),
    }


def _control(sampler: PropertySampler, tests: ScaffoldTests) -> Iterator[dict[str, Any]]:
    """Yield the deviations from each target, with each core and way."""
    form = sampler.generator.standardization
    for core in CORES:
        own = measure(open_core(Core(core, form)).flat, tuple(TARGETS))
        done, total = 0, tests.n * sum(map(len, TARGETS.values()))
        for (name, values), least in zip(TARGETS.items(), own, strict=True):
            for value in values:
                point: dict[str, Any] = {"core": core, "asked": {name: value}}
                # New parts add polar surface: what the core has itself is a lower limit.
                point["reachable"] = name != "TPSA" or bool(least <= value)
                for way, config in ways(replace(sampler.config, unique=False)).items():
                    targets = {name: value}
                    found = _decorated(sampler, core, tests, config=config, targets=targets)
                    gaps = [abs(each.properties[name] - value) for each in found]
                    point[way] = {
                        "molecules": len(found),
                        "distinct": len({each.smiles for each in found}),
                        "mean_deviation": float(np.mean(gaps)) if gaps else None,
                        "acceptance": found.summary.to_dict()["acceptance"],
                        "measured_by_rdkit": found.summary.draws if way == "best of 8" else 0,
                    }
                yield point
                done += tests.n
                sampler.report(f"Targets of {core}", done, total)


def _means(control: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return mean deviations by way and property, over reachable targets and over all."""
    found: dict[str, Any] = {}
    for way in ways(GenerateConfig()) if control else ():
        for name in TARGETS:
            points = [point for point in control if name in point["asked"]]
            gaps = {True: list[float](), False: list[float]()}
            for point in points:
                if (gap := point[way]["mean_deviation"]) is not None:
                    gaps[bool(point["reachable"])].append(gap)
            every = gaps[True] + gaps[False]
            found.setdefault(way, {})[name] = {
                "reachable": float(np.mean(gaps[True])) if gaps[True] else None,
                "all": float(np.mean(every)) if every else None,
                "unreachable_targets": sum(not point["reachable"] for point in points),
            }
    return found


def _lines(found: Scaffold) -> Iterator[str]:
    if found.cores:
        yield f"{found.n} strings for each core: accepted, with core, distinct, molecules a second"
    for row in found.cores:
        yield (
            f"  {row['core']}: {row['accepted']:.3f}, {row['with_core']:.3f}, {row['distinct']},"
            f" {row['molecules_a_second']:.0f}"
        )
    for way, by_name in found.control_means.items():
        words = [
            f"{name} {means['reachable']:.3g}"
            + (
                f" ({means['all']:.3g} with targets out of reach)"
                * bool(means["unreachable_targets"])
            )
            for name, means in by_name.items()
        ]
        yield f"mean deviation, {way}: {', '.join(words)}"
    for name, figures in found.published["control"].items() if found.control_means else ():
        yield f"mean deviation, {name}: LogP {figures['LogP']}, TPSA {figures['TPSA']}"
    for tier, by_task in found.fragments.items():
        for task, row in by_task.items():
            yield (
                f"{task}, {tier}: valid {row['valid']:.1f}, unique {row['unique']:.1f}, quality"
                f" {row['quality']:.1f}"
                + (f"; refused: {', '.join(row['refused'])}" if row["refused"] else "")
            )
    for task, rows in found.published["fragments"].items() if found.fragments else ():
        for name, (valid, unique, quality) in rows.items():
            yield f"{task}, {name}: valid {valid}, unique {unique}, quality {quality}"
