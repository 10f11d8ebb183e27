"""The lead benchmark: a better QED near a molecule (Jin 2018, https://arxiv.org/abs/1812.01070).

A lead is improved when a molecule with a QED of at least 0.9 has a Tanimoto similarity of at least
0.4 to it (Morgan fingerprints of radius 2, 2,048 bits), measured to the lead as it was given.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

import numpy as np

from molvae.chem.properties import measure
from molvae.chem.similarity import tanimoto
from molvae.chem.smiles import as_smiles, parse
from molvae.config import OptimizeConfig
from molvae.errors import Rejected
from molvae.evaluate.text import aligned
from molvae.generator import MoleculeGenerator
from molvae.optimize.loop import LIKE_BITS, Run, optimize
from molvae.training_index import molecule_hash

QED, SIMILARITY = 0.9, 0.4
STEPS = (20, 50, 500)  # calls at which the share is reported
# Share of the 800 leads, and calls for each, as their authors report them.
PUBLISHED = {
    "VJTNN": (0.605, 20),
    "RetMol": (0.96, 50_000),
    "Chemlactica": (0.99, 10_000),
}


class Lead(NamedTuple):
    """One lead."""

    smiles: str
    calls: int  # until it was improved, or all; 0 where the model cannot use it
    improved: str  # the molecule; "" for none
    known: bool  # the lead is in the model's training set
    why_not: str  # the model cannot use it
    seconds: float


class Leads(NamedTuple):
    """All leads."""

    model: str
    calls: int  # allowed for each
    seed: int  # of each run
    leads: tuple[Lead, ...]
    versions: Mapping[str, str]

    def share(self, calls: int) -> float:
        """Return the share of leads that were improved within so many calls."""
        return float(np.mean([bool(lead.improved) and lead.calls <= calls for lead in self.leads]))

    def to_json(self) -> str:
        """Return everything as JSON text."""
        leads = [lead._asdict() for lead in self.leads]
        plain: dict[str, Any] = {**self._asdict(), "leads": leads, "share": self.share(self.calls)}
        return json.dumps(plain, indent=2)

    def table(self) -> list[str]:
        """Return the shares as lines of text."""
        steps = [step for step in STEPS if step < self.calls] + [self.calls]
        rows = [["improved", "calls for each"]]
        rows += [[f"{self.share(step):.1%}", f"{step:,}"] for step in steps]
        rows += [
            [f"{share:.1%} ({name})", f"{calls:,}"] for name, (share, calls) in PUBLISHED.items()
        ]
        seconds = float(np.mean([lead.seconds for lead in self.leads]))
        unusable = sum(bool(lead.why_not) for lead in self.leads)
        return [
            f"lead, {len(self.leads)} leads, model {self.model}, {seconds:.1f} s a lead;"
            f" {sum(lead.known for lead in self.leads)} were in its training set,"
            f" {unusable} cannot be used by it",
            "",
            *aligned(rows),
        ]


def improve_leads(
    generator: MoleculeGenerator,
    leads: Sequence[str],
    *,
    calls: int,
    seed: int,
    name: str,
    versions: Mapping[str, str],
    executor: Executor | None = None,
    report: Callable[[str, int, int], object] = lambda stage, done, total: None,
) -> Leads:
    """Optimize QED near each lead, until it is improved or the calls are spent."""
    found = []
    for place, lead in enumerate(leads):
        report("Improving leads", place, len(leads))
        found.append(_improve(generator, lead, calls, seed, executor))
    report("Improving leads", len(leads), len(leads))
    return Leads(name, calls, seed, tuple(found), versions)


def _improve(
    generator: MoleculeGenerator, lead: str, calls: int, seed: int, executor: Executor | None
) -> Lead:
    begun = time.monotonic()
    known = generator.checkpoint.index.contains(molecule_hash(generator.standardize([lead])))
    improved: dict[int, str] = {}  # call -> molecule

    def note(run: Run) -> None:
        for call in run.archive.calls.values():
            smiles = call.proposal.smiles
            if call.values[0] >= QED and tanimoto(smiles, lead, bits=LIKE_BITS) >= SIMILARITY:
                improved.setdefault(call.number, smiles)

    try:
        run = optimize(
            generator,
            quality,
            budget=calls,
            like=lead,
            config=OptimizeConfig(min_similarity=SIMILARITY),
            seed=seed,
            executor=executor,
            report=note,
            should_stop=lambda: bool(improved),
        )
    except Rejected as rejected:
        return Lead(lead, 0, "", bool(known[0]), str(rejected), time.monotonic() - begun)
    first = min(improved, default=run.archive.spent)
    seconds = time.monotonic() - begun
    return Lead(lead, first, improved.get(first, ""), bool(known[0]), "", seconds)


def quality(smiles: Sequence[str]) -> np.ndarray:
    """Return the QED of molecules."""
    return np.array([measure(parse(as_smiles(each)), ["QED"])[0] for each in smiles])
