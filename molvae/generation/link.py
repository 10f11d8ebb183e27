"""Two fragments joined by linkers that a model writes.

Letters: J strings, Z latent dimensions, P properties.
"""

import math
from collections.abc import Sequence
from itertools import chain

import numpy as np
from rdkit import Chem
from torch import Tensor

from molvae.chem.cores import Core, open_core
from molvae.chem.prefixes import rooted
from molvae.chem.selfies import is_consistent
from molvae.data.molecules import known_to, standardize_and_measure
from molvae.errors import Rejected, UsageError
from molvae.generation.model import DecodedString, LoadedModel
from molvae.generation.openings import not_single, spell_open
from molvae.generation.results import Generated, Generation
from molvae.presets import DrawSettings
from molvae.targets import Request

LINKER = 20  # symbols of the longest
# Nats over which the choice among places of the second fragment is spread: at 1 they are as
# frequent as the model writes them, and nearly all linkers are of one or two atoms.
JOINT = 32.0


class LinkWriter:
    """Writes strings that join two fragments: `proposals.Writer`.

    The decoder goes on behind one fragment. Wherever the other one can be bonded, the likelihood of
    its symbols and of the end decides where it is: the linkers are those that the model would write
    between both.

    Args:
        model: the model.
        core: two fragments with a mark each.
        settings: how strings are decoded.

    Attributes:
        numbers: uniform numbers that a string takes.

    Raises:
        UsageError: for a fragment that the model cannot write.
    """

    def __init__(self, model: LoadedModel, core: Core, settings: DrawSettings) -> None:
        self.model, self.settings = model, settings
        self.numbers = model.longest + 3
        flat, marks = open_core(core).flat, open_core(core).marks
        places = Chem.GetMolFrags(flat)
        mols = Chem.GetMolFrags(flat, asMols=True)
        ends = [
            (mol, atoms.index(mark), number)
            for number, (mol, atoms) in enumerate(zip(mols, places, strict=True))
            for mark in marks
            if mark in atoms
        ]
        self.begins = spell_open(model, ends)
        self.suffixes = [rooted(mol, atom) for mol, atom, _ in reversed(ends)]
        self.barred = not_single(model.vocabulary.symbols)
        if unknown := model.vocabulary.unknown(chain.from_iterable(self.suffixes)):
            raise UsageError(f"core '{core.text}': the model has never seen {', '.join(unknown)}.")

    def __call__(
        self, slots: Sequence[int], codes: Tensor, points: np.ndarray, uniforms: np.ndarray
    ) -> list[DecodedString]:
        """Write a string for each slot."""
        places = [self.begins.choose(pick) for pick in uniforms[:, -1]]
        prefixes = [self.begins.prefixes[place] for place in places]
        written = self.model.decode(
            codes,
            points,
            self.settings,
            uniforms=uniforms[:, :-2],
            prefixes=prefixes,
            barred=self.barred,
        )
        suffixes = [self.suffixes[self.begins.atoms[place]] for place in places]
        joined = [
            (row, size, [*string.symbols[:size], *suffix])
            for row, (string, prefix, suffix) in enumerate(
                zip(written, prefixes, suffixes, strict=True)
            )
            for size in range(len(prefix) + 1, min(len(string.symbols), len(prefix) + LINKER) + 1)
            if size + len(suffix) <= self.model.longest
        ]
        joined = [each for each in joined if is_consistent(each[2])]
        if not joined:
            return written
        rows = [row for row, _, _ in joined]
        costs = self.model.symbol_costs(
            [symbols for _, _, symbols in joined],
            codes=codes[rows],
            points=points[rows],
            noise=self.settings.noise,
            ended=True,
        )
        rivals: dict[int, list[tuple[float, DecodedString]]] = {}
        for (row, size, symbols), each in zip(joined, costs.astype(float), strict=True):
            linker, whole = each[len(prefixes[row]) : size].sum(), each.sum()
            string = DecodedString(symbols, True, float(linker), float(whole - linker))
            rivals.setdefault(row, []).append((float(each[size:].sum()), string))
        for row, found in rivals.items():
            written[row] = _chosen(found, uniforms[row, -2])
        return written


def _chosen(found: Sequence[tuple[float, DecodedString]], number: float) -> DecodedString:
    """Choose one of some strings by a number in [0, 1), those of low costs more often."""
    costs = np.array([cost for cost, _ in found])
    shares = np.exp((costs.min() - costs) / JOINT).cumsum()
    return found[int(np.searchsorted(shares, number * shares[-1], side="right"))][1]


def ranked(
    model: LoadedModel, found: Generation[Generated], request: Request
) -> Generation[Generated]:
    """Return molecules by their distance from the targets, then by their likelihood."""
    costs = likelihoods(model, [molecule.smiles for molecule in found])
    order = sorted(
        range(len(found)),
        key=lambda place: (request.distance(found[place].properties), costs[place]),
    )
    return Generation([found[place] for place in order], found.summary)


def likelihoods(model: LoadedModel, molecules: Sequence[str]) -> list[float]:
    """Return -log p of molecules as the training set spells them, with nothing asked for, nats.

    Exact for a noise-conditional model. Infinite for one with a symbol that the model lacks.
    """
    seen = standardize_and_measure(model.standardization, (), molecules)
    known = {
        place: each.symbols
        for place, one in enumerate(seen)
        if not isinstance(each := known_to(model.vocabulary, one), Rejected)
    }
    costs = [math.inf] * len(molecules)
    if known:
        found = model.symbol_costs(list(known.values()), ended=True).sum(axis=1)
        for place, cost in zip(known, found.tolist(), strict=True):
            costs[place] = cost
    return costs
