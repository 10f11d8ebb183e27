"""Molecules that keep a core: strings that begin with it and go on at its open atoms.

A core is spelled so that an open atom comes last, and the decoder writes on behind these symbols.
With several open atoms, the molecule is spelled again with the next one last, and so on.

Letters: J strings, Z latent dimensions, P properties.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from rdkit import Chem
from torch import Tensor

from molvae.chem.cores import Core, open_core
from molvae.chem.placements import lay, marked_as_in
from molvae.chem.prefixes import open_prefixes
from molvae.chem.rings import ring_systems
from molvae.chem.selfies import decode_molecule, is_consistent
from molvae.errors import Rejected
from molvae.generation.link import LinkWriter
from molvae.generation.model import DecodedString, LoadedModel
from molvae.generation.openings import not_single, openings
from molvae.generation.rejection import Kept
from molvae.presets import DrawSettings

TRIED = 2  # spellings of a molecule with one new part, of which the model chooses one


class CoreWriter:
    """Writes strings with a core: `proposals.Writer`.

    Args:
        model: the model.
        cores: which the slots share out.
        settings: how strings are decoded.
        n: slots.

    Attributes:
        numbers: uniform numbers that a string takes.

    Raises:
        UsageError: for a core that the model cannot write.
    """

    def __init__(
        self, model: LoadedModel, cores: Sequence[Core], settings: DrawSettings, *, n: int
    ) -> None:
        self.model, self.cores, self.settings, self.n = model, cores, settings, n
        self.openings = [openings(model, core) for core in cores]
        self.rounds = max(map(len, self.openings))
        self.steps = model.longest + 1
        strict = all(open_core(core).marks and not core.anywhere for core in cores)
        self.barred = not_single(model.vocabulary.symbols) if strict else []
        self.numbers = self.rounds * (self.steps + 2)

    def __call__(
        self, slots: Sequence[int], codes: Tensor, points: np.ndarray, uniforms: np.ndarray
    ) -> list[DecodedString]:
        """Write a string for each slot, one new part after the other."""
        picks = uniforms[:, self.rounds * self.steps :]
        chosen = [slot * len(self.cores) // self.n for slot in slots]
        orders = [
            np.argsort(picks[row, : len(self.openings[core])]) for row, core in enumerate(chosen)
        ]
        strings: list[DecodedString] = []
        begun: list[list[str]] = []
        atoms: list[list[int]] = []
        for row, core in enumerate(chosen):
            spellings = self.openings[core][orders[row][0]]
            place = spellings.choose(picks[row, -1])
            begun.append(spellings.prefixes[place])
            atoms.append([spellings.atoms[place]])
        strings = self._decode(codes, points, uniforms[:, : self.steps], begun)
        for turn in range(1, self.rounds):
            grown = {
                row: self._next(strings[row], core, atoms[row], orders[row][turn])
                for row, core in enumerate(chosen)
                if turn < len(self.openings[core])
            }
            going = {row: spelled for row, spelled in grown.items() if spelled}
            if not going:
                break
            rows, numbers = list(going), uniforms[:, turn * self.steps :][:, : self.steps]
            prefixes = self._likeliest(list(going.values()))
            more = self._decode(codes[rows], points[rows], numbers[rows], prefixes)
            for row, string in zip(rows, more, strict=True):
                strings[row] = _joined(strings[row], string)
        return strings

    def _decode(
        self, codes: Tensor, points: np.ndarray, uniforms: np.ndarray, prefixes: list[list[str]]
    ) -> list[DecodedString]:
        """Return strings that go on behind prefixes."""
        return self.model.decode(
            codes, points, self.settings, uniforms=uniforms, prefixes=prefixes, barred=self.barred
        )

    def _next(
        self, string: DecodedString, core: int, grown: list[int], opening: int
    ) -> list[list[str]]:
        """Return spellings of a molecule with its next open atom last, none where it has none.

        Args:
            string: the molecule so far.
            core: its number.
            grown: the atoms that have a new part; the next one is added.
            opening: number of the opening that comes next.
        """
        repaired = not (string.ended and is_consistent(string.symbols))
        if repaired and self.settings.tier == "consistent":
            return []  # it is refused for this
        atom = self.openings[core][opening].atoms[0]
        try:
            found = decode_molecule(string.symbols)
            if found is None:
                return []
            match = lay(self.cores[core], found[1], Counter(grown))
            spelled = open_prefixes(found[1], match[atom], most=TRIED)
        except Rejected:
            return []
        grown.append(atom)
        return [
            each
            for each in spelled
            if len(each) < self.model.longest and not self.model.vocabulary.unknown(each)
        ]

    def _likeliest(self, spelled: Sequence[Sequence[list[str]]]) -> list[list[str]]:
        """Return the spelling of each molecule that the model is most likely to write."""
        flat = [each for group in spelled for each in group]
        costs = iter(self.model.symbol_costs(flat).sum(axis=1).tolist())
        return [min(group, key=lambda each: next(costs)) for group in spelled]


def _joined(before: DecodedString, after: DecodedString) -> DecodedString:
    """Return a string whose likelihood counts the new parts of two rounds as chosen."""
    nll = before.nll + after.nll
    return after._replace(nll=nll, prefix_nll=after.prefix_nll + after.nll - nll)


def keep_cores(
    model: LoadedModel, cores: Sequence[Core], settings: DrawSettings, *, n: int
) -> Kept | None:
    """Return what a sampler needs to keep cores that `n` slots share out; None without any.

    Raises:
        UsageError: for a core that the model cannot write.
    """
    if not cores:
        return None
    if open_core(cores[0]).fragments > 1:
        return Kept(cores, LinkWriter(model, cores[0], settings))
    return Kept(cores, CoreWriter(model, cores, settings, n=n))


def marked_in(core: Core, smiles: str) -> Core:
    """Return a core with marks where a molecule has other parts on it; see `marked_as_in`."""
    return marked_as_in(core, smiles, Chem.MolFromSmiles(smiles))


def rings_of_cores(cores: Sequence[Core]) -> set[str]:
    """Return the ring systems of cores, which their molecules may have however rare they are."""
    mols = [mol for core in cores for mol in (open_core(core).flat, open_core(core).own)]
    return {system for mol in mols for system in ring_systems(mol)}
