"""Optimization of any score: ask for molecules, have them scored, tell the scores, and again.

    run = optimize(MoleculeGenerator.load("druglike"), objective, budget=300, seed=1)
    print(run.molecules[0].smiles)

Bayesian optimization in latent space does no better than chance. Here the surrogate knows molecules
(`surrogate`), and the model proposes them (`proposals`), as in Moss 2025,
https://arxiv.org/abs/2507.03910. Random numbers follow from the seed and the number of the batch,
so that a run which was stopped goes on as if it had not been.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from molvae.arguments import MAX_MOLECULES, whole_number
from molvae.chem.cores import Core
from molvae.chem.similarity import tanimoto
from molvae.config import GenerateConfig, OptimizeConfig, as_dict, check
from molvae.data.molecules import PreparedMolecule, known_to, standardize_and_measure
from molvae.errors import Rejected, UsageError
from molvae.generation.openings import as_cores
from molvae.generator import MoleculeGenerator
from molvae.optimize.archive import Archive, Batch, Proposal, Scored, Told
from molvae.optimize.goals import Goals, as_goals, pareto_front
from molvae.optimize.objective import Objective
from molvae.optimize.proposals import ELITE, Scene, operator_shares, propose
from molvae.optimize.surrogate import choose, expect
from molvae.optimize.wishes import Wishes
from molvae.targets import Targets, format_range
from molvae.train.folder import lock_run

LEAST_BUDGET = 10  # calls; with fewer there is nothing to learn from
PROPOSALS = {"bayes": 10, "evolve": 2}  # method -> for each molecule that is scored
FIRST = 10  # molecules scored before a surrogate chooses
SPARE = 100  # proposals that are kept for the next batch
TRIES = 5  # rounds of proposals for a batch that the filters leave empty
LIKE_BITS = 2048  # of the fingerprints of `like`, as in the benchmark of Jin 2018


NO_WISHES, CONFIG = Wishes(), OptimizeConfig()


class Run:
    """An optimization under way: `ask` for molecules, `tell` their scores.

    Args:
        generator: the model.
        objective: the score, or several goals. In a laboratory's run it only names the goals.
        wishes: what is wanted besides.
        config: method, batch and similarity.
        seed: of all randomness; None takes that of the folder, or draws one.
        folder: keeps the state; None keeps it in memory. A run in a folder goes on.
        executor: does the chemistry of proposals, for example a `WorkerPool`.

    Raises:
        UsageError: for goals that cannot be, or a folder of other settings.
        Rejected: for a `like` that the model cannot write.
    """

    def __init__(
        self,
        generator: MoleculeGenerator,
        objective: Objective | Goals,
        *,
        wishes: Wishes = NO_WISHES,
        config: OptimizeConfig = CONFIG,
        seed: int | None = None,
        folder: Path | None = None,
        executor: Executor | None = None,
    ) -> None:
        self.generator, self.goals = generator, as_goals(objective)
        self.wishes, self.config, self.executor = wishes, check(config), executor
        self.request = generator.request(wishes.targets)
        self.cores = as_cores(generator.model, wishes.keep)
        self._prepared: dict[str, PreparedMolecule | Rejected] = {}
        self.like = self._known(wishes.like) if wishes.like else None
        settings = {
            "model": generator.name,
            "goals": self.goals.describe(),
            **as_dict(config),
            "like": self.like.smiles if self.like else "",
            "keep": [core.text for core in self.cores],
            "targets": {n: format_range(w) for n, w in self.request.ranges.items()},
            "drawing": as_dict(wishes.drawing),
        }
        self.archive = Archive(folder, settings, seed=seed)

    @property
    def scores(self) -> np.ndarray:
        """The score of each call, in order, NaN where there is none."""
        values = [call.values for call in self.archive.calls.values()]
        return self.goals.score(np.array(values, dtype=float).reshape(-1, len(self.goals.goals)))

    def best_scores(self, n: int) -> np.ndarray:
        """Return the `n` best scores, the best first, fewer where there are fewer."""
        scores = self.scores
        found: np.ndarray = np.sort(scores[np.isfinite(scores)])[::-1][:n]
        return found

    @property
    def molecules(self) -> list[Scored]:
        """All molecules that were scored, the best first, those without a score last."""
        calls, scores = list(self.archive.calls.values()), self.scores
        values = np.array([call.values for call in calls], dtype=float)
        front = pareto_front(self.goals.desirabilities(values)) if calls else np.empty(0, bool)
        found = [
            Scored(call, float(score), bool(on_front), self.similarity(call.proposal.smiles))
            for call, score, on_front in zip(calls, scores, front, strict=True)
        ]
        return [found[row] for row in np.argsort(-scores, kind="stable")]

    def ask(self, n: int) -> list[str]:
        """Return at most `n` molecules to be scored, none of which the run has met.

        Raises:
            UsageError: for less than one molecule.
        """
        whole_number("n", n, 1, MAX_MOLECULES)
        scores, asked = self.scores, len(self.archive.batches)
        random = np.random.default_rng([self.archive.seed, asked])
        shares = operator_shares(self.archive, scores)
        scene = self._scene(scores, random)
        spare = self.archive.batches[-1].spare if asked else ()
        allowed = {each.smiles: each for each in spare if self._allows(each.smiles)}
        new: list[Proposal] = []
        for _ in range(TRIES):
            new += propose(scene, n * PROPOSALS[self.config.method], shares)
            allowed |= {each.smiles: each for each in new if self._allows(each.smiles)}
            if len(allowed) >= n:
                break
        chosen = self._choose(list(allowed.values()), scores, n + SPARE, random)
        self.archive.ask(Batch.of(chosen[:n], new, spare=chosen[n:]))
        return [each.smiles for each in chosen[:n]]

    def tell(
        self, smiles: Sequence[str], values: Sequence[Any] | np.ndarray, *, operator: str = "told"
    ) -> Told:
        """Note the values of molecules, also of such that nobody asked for.

        A molecule that was told before has the later values.

        Args:
            smiles: N SMILES; they are read in the form that the model was trained on.
            values: of the goal, shape (N,), or of all goals, (N, G), NaN where there is none.
            operator: names where molecules come from that nobody asked for.

        Raises:
            UsageError: for values of another shape.
            Rejected: for a string that is no molecule.
        """
        table = np.asarray(values, dtype=float)
        table = table.reshape(-1, 1) if table.ndim == 1 else table
        if table.shape != (len(smiles), len(self.goals.goals)):
            raise UsageError(
                f"values of shape {table.shape} for {len(smiles)} molecules: one for each of"
                f" {', '.join(self.goals.names)}."
            )
        spelled = [self._spelled(each) for each in smiles]
        return self.archive.tell(spelled, table.tolist(), operator=operator)

    def spend(
        self,
        budget: int,
        *,
        report: Callable[["Run"], None] = lambda run: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Ask, score and tell until so many calls are spent, or the model has nothing new."""
        while (left := budget - self.archive.spent) > 0 and not should_stop():
            asked = self.archive.pending or self.ask(min(left, self.config.batch))
            if not asked:
                return
            self.tell(asked, self.goals.measure(asked))
            report(self)

    def _scene(self, scores: np.ndarray, random: np.random.Generator) -> Scene:
        """Return what is known: the elite of the molecules that the model can encode."""
        best = np.argsort(-scores, kind="stable")[: int(np.isfinite(scores).sum())]
        smiles = list(self.archive.calls)
        known = (self._prepare(smiles[row]) for row in best.tolist())
        elite = list(islice((each for each in known if not isinstance(each, Rejected)), ELITE))
        like = [self.like] if self.like else []
        elite += like
        near = (each.smiles for each in like)
        taken = self.wishes.excluded.union(self.archive.calls, self.archive.asked, near)
        return Scene(
            self.generator.model,
            elite,
            self.wishes.drawing,
            self.request,
            taken,
            self.cores,
            random,
            self.executor,
        )

    def _choose(
        self, proposals: Sequence[Proposal], scores: np.ndarray, n: int, random: np.random.Generator
    ) -> list[Proposal]:
        """Return `n` proposals, the most promising first: by the surrogate, or by chance."""
        if self.config.method != "bayes" or np.isfinite(scores).sum() < FIRST:
            return [proposals[place] for place in random.permutation(len(proposals))[:n]]
        known, unknown = list(self.archive.calls), [each.smiles for each in proposals]
        places = choose(*expect(known, scores, unknown), n, random)
        return [proposals[place] for place in places]

    def _allows(self, smiles: str) -> bool:
        """Return whether a molecule is new, and similar to the one that all must be similar to."""
        if smiles in self.archive.calls or smiles in self.archive.asked:  # with a core's stereo
            return False
        similarity = self.similarity(smiles)
        return similarity is None or similarity >= self.config.min_similarity

    def similarity(self, smiles: str) -> float | None:
        """Return the similarity of a molecule to the one of `Wishes.like`, None without one."""
        return self.like and tanimoto(smiles, self.like.smiles, bits=LIKE_BITS)

    def _prepare(self, smiles: str) -> PreparedMolecule | Rejected:
        """Return a molecule in the form of the training set, or why the model cannot use it."""
        if smiles not in self._prepared:
            model = self.generator.model
            (found,) = standardize_and_measure(model.standardization, model.measured, [smiles])
            self._prepared[smiles] = known_to(model.vocabulary, found)
        return self._prepared[smiles]

    def _known(self, smiles: str) -> PreparedMolecule:
        found = self._prepare(smiles)
        if isinstance(found, Rejected):
            raise found
        return found

    def _spelled(self, smiles: str) -> str:
        """Return a molecule as the run spells it."""
        if smiles in self.archive.calls or smiles in self.archive.asked:
            return smiles
        return self.generator.standardize([smiles])[0]


def optimize(
    generator: MoleculeGenerator,
    objective: Objective | Goals,
    *,
    budget: int,
    like: str = "",
    keep: str | Core | Sequence[str | Core] = (),
    targets: Targets | None = None,
    exclude: Iterable[str] = (),
    drawing: GenerateConfig | None = None,
    config: OptimizeConfig | None = None,
    seed: int | None = None,
    folder: Path | None = None,
    executor: Executor | None = None,
    report: Callable[[Run], None] = lambda run: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Run:
    """Score `budget` molecules, chosen to have ever better scores.

    On a CPU the same seed gives the same molecules.

    Args:
        generator: the model.
        objective: the score, higher is better, or several goals.
        budget: molecules to score in all, those of an earlier run in the folder included.
        like: SMILES of a molecule that all must be similar to.
        keep: a core that all must contain, as in `MoleculeGenerator.decorate`.
        targets: properties that the model is asked for in every proposal.
        exclude: SMILES of molecules that are not wanted, as `standardize` spells them.
        drawing: filters and patterns that every proposal must pass.
        config: method, batch, and the similarity to `like`.
        seed: of all randomness; None takes that of the folder, or draws one.
        folder: keeps the state, so that a run that was stopped goes on; None keeps none.
        executor: does the chemistry of proposals, for example a `molvae.parallel.pool.WorkerPool`.
        report: called after each batch.
        should_stop: asked before each batch; true returns what is found.

    Raises:
        UsageError: for a budget below ten, goals that cannot be, or a folder of other settings.
        Rejected: for a `like` that the model cannot write.
    """
    whole_number("budget", budget, LEAST_BUDGET, MAX_MOLECULES)
    wishes = Wishes(like, keep, targets, drawing or GenerateConfig(), frozenset(exclude))
    with nullcontext() if folder is None else lock_run(folder, doing="optimizing"):
        run = Run(
            generator,
            objective,
            wishes=wishes,
            config=config or OptimizeConfig(),
            seed=seed,
            folder=folder,
            executor=executor,
        )
        run.spend(budget, report=report, should_stop=should_stop)
    return run
