"""Two fragments joined by linkers that a model writes.

Letters: J strings, Z latent dimensions, P properties.
"""

import math
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from rdkit import Chem
from torch import Tensor

from molvae.chem.cores import Core, open_core
from molvae.chem.joints import Joint, ends, joined, joints
from molvae.chem.prefixes import rooted
from molvae.chem.selfies import is_consistent
from molvae.data.molecules import known_to, standardize_and_measure
from molvae.errors import Rejected, UsageError
from molvae.generation.model import DecodedString, LoadedModel
from molvae.generation.openings import not_single, spell_open
from molvae.generation.results import Generated, Generation
from molvae.presets import DrawSettings
from molvae.targets import Request

LINKER = 20  # symbols of the longest, beyond which no other ring or atom begins
# Nats over which the choice among places of the second fragment is spread: at 1 they are as
# frequent as the model writes them, and nearly all benzene rings are joined in one way.
JOINT = 8.0


class _Linked(NamedTuple):
    """A string with both fragments."""

    row: int  # of the string that the decoder wrote
    begin: int  # the symbols of the first fragment end here
    joint: Joint  # where the last fragment is
    symbols: list[str]

    def with_costs(self, costs: np.ndarray) -> tuple[float, DecodedString]:
        """Return the cost of the last fragment and all behind it, and the string with its costs.

        Args:
            costs: of each symbol and the end, 0 for padding, nats.
        """
        place, behind = self.joint.place, self.joint.end - self.joint.place
        end = len(self.symbols)
        linker = costs[self.begin : place].sum() + costs[end - behind : end].sum()
        string = DecodedString(self.symbols, True, float(linker), float(costs.sum() - linker))
        return float(costs[place:].sum()), string


class LinkWriter:
    """Writes strings that join two fragments: `proposals.Writer`.

    The decoder goes on behind one fragment. How much of that stays is drawn, with whole rings. The
    likelihood of the other fragment's symbols and of those behind decides which atom it is bonded
    to.

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
        self.numbers = model.longest + 4
        flat, marks = open_core(core).flat, open_core(core).marks
        places = Chem.GetMolFrags(flat)
        mols = Chem.GetMolFrags(flat, asMols=True)
        opened = [
            (mol, atoms.index(mark), number)
            for number, (mol, atoms) in enumerate(zip(mols, places, strict=True))
            for mark in marks
            if mark in atoms
        ]
        self.begins = spell_open(model, opened)
        self.suffixes = [rooted(mol, atom) for mol, atom, _ in reversed(opened)]
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
            uniforms=uniforms[:, :-3],
            prefixes=prefixes,
            barred=self.barred,
        )
        suffixes = [self.suffixes[self.begins.atoms[place]] for place in places]
        tried = [
            _Linked(row, len(prefix), *each)
            for row, (string, prefix, suffix) in enumerate(
                zip(written, prefixes, suffixes, strict=True)
            )
            for each in self._joined(string.symbols, len(prefix), suffix, uniforms[row, -3])
        ]
        if not tried:
            return written
        rows = [each.row for each in tried]
        costs = self.model.symbol_costs(
            [each.symbols for each in tried],
            codes=codes[rows],
            points=points[rows],
            noise=self.settings.noise,
            ended=True,
        )
        rivals: dict[int, list[tuple[float, DecodedString]]] = {}
        for each, cost in zip(tried, costs.astype(float), strict=True):
            rivals.setdefault(each.row, []).append(each.with_costs(cost))
        for row, found in rivals.items():
            written[row] = _chosen(found, uniforms[row, -2])
        return written

    def _joined(
        self, symbols: list[str], begin: int, suffix: list[str], number: float
    ) -> list[tuple[Joint, list[str]]]:
        """Return a string with the last fragment at each atom behind the first one.

        A number in [0, 1) chooses how much of the string stays.
        """
        wanted = begin + 1 + int(number * min(LINKER, len(symbols) - begin))
        possible = ends(symbols, begin)
        first = sum(end < wanted for end in possible)  # a ring that is begun is finished
        for end in possible[first:] + possible[:first][::-1]:
            found = [
                (joint, joined(symbols, joint, suffix)) for joint in joints(symbols, begin, end)
            ]
            fitting = [each for each in found if self._fits(each[1])]
            if fitting:
                return fitting
        return []

    def _fits(self, symbols: Sequence[str]) -> bool:
        """Return whether a string is a molecule as it stands, and not too long."""
        return len(symbols) <= self.model.longest and is_consistent(symbols)


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
