"""Goal-directed benchmarks: how good the molecules are that an optimizer finds with few calls.

Every distinct canonical molecule is one call. The figures of PMO are those of mol_opt: the area
under the mean of the ten best, by trapezoids every 100 calls, divided by the calls (Gao 2022,
https://arxiv.org/abs/2206.12411). Those of GuacaMol are means of the best k (Brown 2019,
https://doi.org/10.1021/acs.jcim.8b00839).
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from molvae.config import GenerateConfig, OptimizeConfig
from molvae.evaluate.text import aligned, cell
from molvae.generator import MoleculeGenerator
from molvae.optimize.loop import optimize
from molvae.suites.distribution_learning import published
from molvae.suites.oracles import COMPARABLE, VERSION, oracle

FORMAT = 1  # of the JSON
EVERY = 100  # calls between two points of the curve
PUBLISHED_CALLS = 10_000
# Molecules whose mean counts in GuacaMol: of most goals, and of those with other numbers.
BEST, OTHER_BEST = (1, 10, 100), {"isomers_c11h24": (159,), "isomers_c9h10n2o2pf2cl": (250,)}
# Sums over GuacaMol's 20 goals, with any number of calls (Brown 2019).
GUACAMOL_SUMS = {
    "best of the data set": 12.14,
    "SMILES GA": 14.40,
    "SMILES LSTM": 17.34,
    "Graph GA": 17.98,
}
Progress = Callable[[str, int, int], object]  # called with the stage, what is done, and the total
METHODS = ("bayes", "evolve", "random")


class TaskRun(NamedTuple):
    """One optimization of one goal."""

    task: str
    seed: int
    calls: int  # spent
    score: float  # AUC of the ten best, or GuacaMol's mean of the best
    best: float
    mean_of_ten: float  # the best ones
    seconds: float


class GoalDirected(NamedTuple):
    """The results of a suite."""

    suite: str
    model: str
    method: str
    calls: int  # allowed for each run
    oracles: str  # version
    runs: tuple[TaskRun, ...]
    published: Mapping[str, Mapping[str, float | None]]  # 10,000 calls
    versions: Mapping[str, str]

    def to_json(self) -> str:
        """Return everything as JSON text."""
        plain = self._asdict() | {"runs": [run._asdict() for run in self.runs]}
        return json.dumps({"format": FORMAT, **plain, "sums": self.sums()}, indent=2)

    def means(self) -> dict[str, float]:
        """Return the mean score of each goal over the seeds."""
        tasks = dict.fromkeys(run.task for run in self.runs)
        return {
            task: float(np.mean([run.score for run in self.runs if run.task == task]))
            for task in tasks
        }

    def sums(self) -> dict[str, float]:
        """Return the sum over all goals, and over those that compare with published figures."""
        means = self.means()
        found = {f"sum of {len(means)}": sum(means.values())}
        if self.suite == "pmo" and set(COMPARABLE) <= means.keys():
            found["sum of 16 comparable"] = sum(means[task] for task in COMPARABLE)
        return found

    def table(self) -> list[str]:
        """Return the scores and the published ones as columns of text, a goal a line."""
        others = list(self.published)
        lines = [["", self.method, "best", *others]]
        for task, score in self.means().items():
            best = float(np.mean([run.best for run in self.runs if run.task == task]))
            theirs = [self.published[name].get(task) for name in others]
            shown = ["" if value is None else cell(value) for value in theirs]
            lines.append([task, cell(score), cell(best), *shown])
        for name, total in self.sums().items():
            same = name.endswith("comparable")
            theirs = [sum(v or 0.0 for v in self.published[o].values()) for o in others]
            lines.append([name, cell(total), "", *(cell(v) if same else "" for v in theirs)])
        seeds = sorted({run.seed for run in self.runs})
        seconds = sum(run.seconds for run in self.runs)
        head = (
            f"{self.suite}, {self.method}, {self.calls:,} calls, seeds {seeds}, model {self.model},"
            f" {seconds:,.0f} s; oracles as {self.oracles}"
        )
        mine = f"Published: {PUBLISHED_CALLS:,} calls, divided by as many."
        note = [mine] if others and self.calls != PUBLISHED_CALLS else []
        if self.suite == "guacamol":
            sums = ", ".join(f"{name} {total:.2f}" for name, total in GUACAMOL_SUMS.items())
            note = [f"Published sums of all 20, any number of calls: {sums}."]
        return [head, *note, "", *aligned(lines)]


class Protocol(NamedTuple):
    """How each goal is run."""

    method: str = "bayes"  # one of METHODS
    calls: int = 1000
    folder: Path | None = None  # keeps the state of each run, so that the suite can go on
    executor: Executor | None = None  # for the chemistry
    stop: int | None = None  # calls after which a run ends; PMO counts its last mean on


def run_goals(
    generator: MoleculeGenerator,
    suite: str,
    tasks: Sequence[str],
    seeds: Sequence[int],
    protocol: Protocol,
    *,
    name: str,
    versions: Mapping[str, str],
    report: Progress = lambda stage, done, total: None,
) -> GoalDirected:
    """Run the goals of "pmo" or "guacamol" with each seed.

    Args:
        generator: the model.
        suite: which figure is computed.
        tasks: names of goals.
        seeds: of the runs.
        protocol: method, calls and state.
        name: of the model.
        versions: of the packages.
        report: called with the run, its calls, and how many there will be.
    """
    runs = []
    for task in tasks:
        for seed in seeds:
            begun = time.monotonic()
            scores = _scores(generator, task, seed, protocol, report)
            runs.append(_measured(suite, task, seed, scores, protocol.calls, begun))
    return GoalDirected(
        suite,
        name,
        protocol.method,
        protocol.calls,
        VERSION,
        tuple(runs),
        published(suite),
        versions,
    )


def _scores(
    generator: MoleculeGenerator,
    task: str,
    seed: int,
    protocol: Protocol,
    report: Progress,
) -> np.ndarray:
    """Return the scores of a run in the order of its calls."""
    objective = oracle(task)

    def tell(done: int) -> None:
        report(f"{task}, seed {seed}", done, protocol.calls)

    if protocol.method == "random":
        config = replace(generator.defaults, unique=True, rings="any")
        found = generator.generate(
            protocol.calls,
            config=config,
            seed=seed,
            executor=protocol.executor,
            report=tell,
        )
        return objective([molecule.smiles for molecule in found])
    state = None if protocol.folder is None else protocol.folder / f"{task}-{seed}"
    run = optimize(
        generator,
        objective,
        budget=protocol.stop or protocol.calls,
        drawing=GenerateConfig(rings="any"),
        config=OptimizeConfig(method=protocol.method),
        seed=seed,
        folder=state,
        executor=protocol.executor,
        report=lambda run: tell(run.archive.spent),
    )
    return run.scores


def _measured(
    suite: str, task: str, seed: int, scores: np.ndarray, calls: int, begun: float
) -> TaskRun:
    best = np.sort(scores)[::-1]
    score = area_under_top(scores, calls) if suite == "pmo" else mean_of_best(task, best)
    top, ten = float(best[0]), float(best[:10].mean())
    return TaskRun(task, seed, len(scores), score, top, ten, time.monotonic() - begun)


def mean_of_best(task: str, best: np.ndarray) -> float:
    """Return GuacaMol's figure: the mean over k of the mean of the k best; missing ones are 0."""
    sizes = OTHER_BEST.get(task, BEST)
    return float(np.mean([best[:size].sum() / size for size in sizes]))


def area_under_top(scores: np.ndarray, calls: int, *, top: int = 10) -> float:
    """Return PMO's area under the mean of the best `top`, of scores in the order of the calls.

    >>> area_under_top(np.ones(200), 200)
    0.75
    """
    ends = [*range(EVERY, len(scores), EVERY), len(scores)]
    means = [float(np.sort(scores[:end])[-top:].mean()) for end in ends]
    widths = np.diff([0, *ends])
    area = float(widths @ (np.array([0.0, *means[:-1]]) + means) / 2)
    return (area + (calls - len(scores)) * means[-1]) / calls
