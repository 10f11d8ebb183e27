"""Molecules that keep a core: strings that begin with it and go on at its open atoms.

A core is spelled so that an open atom comes last, and the decoder writes on behind these symbols.
With several open atoms, the molecule is spelled again with the next one last, and so on.

Letters: J strings, Z latent dimensions, P properties, T symbols.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from molvae.chem.cores import Core, lay, open_core
from molvae.chem.prefixes import open_prefixes
from molvae.chem.selfies import decode_molecule, is_consistent
from molvae.errors import Rejected, UsageError
from molvae.generation.model import DecodedString, LoadedModel
from molvae.presets import DrawSettings

# Nats over which the choice among spellings is spread: at 1 they are as frequent as the model
# writes them, and nearly all molecules grow at one or two atoms.
SPREAD = 8.0
TRIED = 2  # spellings of a molecule with one new part, of which the model chooses one
LONGEST_LINKER = 16  # symbols


class Spellings(NamedTuple):
    """Spellings of a core with an open atom last.

    Attributes:
        prefixes: the symbols of each.
        atoms: the open atom of each.
        edges: the upper end of each one's share of [0, 1): likelier ones have larger shares.
    """

    prefixes: list[list[str]]
    atoms: list[int]
    edges: np.ndarray

    def choose(self, number: float) -> int:
        """Return the place of the spelling whose share holds a number in [0, 1)."""
        return min(int(np.searchsorted(self.edges, number, side="right")), len(self.atoms) - 1)


def read_core(model: LoadedModel, text: str, *, anywhere: bool = False, fragments: int = 1) -> Core:
    """Return a core that a model can keep.

    Args:
        model: the model.
        text: SMILES with marks such as `[*:1]` at open atoms; without any, all atoms with a free
            hydrogen are open.
        anywhere: let atoms without a mark grow as well.
        fragments: that the core is made of.

    Raises:
        UsageError: for no core, or one that the model cannot write, with what would work.
    """
    core = Core(text, model.standardization, anywhere)
    try:
        opened = open_core(core)
    except Rejected as rejected:
        raise UsageError(f"core '{text}': {rejected}.") from rejected
    if opened.fragments != fragments:
        raise UsageError(
            f"core '{text}': {opened.fragments} fragments, where one is meant. Leave counter-ions"
            " out; to join two fragments: molvae link '[*:1]c1ccccc1' '[*:1]C1CCNCC1'."
        )
    return core


def left_out(core: Core) -> str:
    """Return what the model does not see of a core, in words; "" for nothing."""
    return " and ".join(open_core(core).changed)


def spell_core(model: LoadedModel, core: Core, atoms: Sequence[int]) -> Spellings:
    """Return spellings of a core that the model can write, with one of some atoms last.

    Raises:
        UsageError: for symbols that the model does not know, or more than it has room for.
    """
    flat = open_core(core).flat
    found = {tuple(each): atom for atom in atoms for each in open_prefixes(flat, atom)}
    known = [each for each in found if not model.vocabulary.unknown(each)]
    if not known:
        unknown = min((model.vocabulary.unknown(each) for each in found), key=len)
        raise UsageError(
            f"core '{core.text}': the model has never seen {', '.join(unknown)}. It knows the"
            f" elements {', '.join(model.vocabulary.elements)}; choose another model (molvae"
            " models), or train one further on molecules with this core (molvae train --init)."
        )
    short = [each for each in known if len(each) < model.longest - 1]
    if not short:
        raise UsageError(
            f"core '{core.text}': too large: it takes {min(map(len, known))} symbols, and the"
            f" largest training molecule has {model.longest}. Cut off a part that may vary, or"
            " train a model on larger molecules."
        )
    costs = model.symbol_costs(short).sum(axis=1, dtype=float)
    shares = np.exp((costs.min() - costs) / SPREAD)
    edges = np.cumsum(shares / shares.sum())
    return Spellings([list(each) for each in short], [found[each] for each in short], edges)


def not_single(symbols: Sequence[str]) -> list[str]:
    """Return the symbols that do not begin one new part with a single bond.

    >>> not_single(["[C]", "[=O]", "[Branch1]", "[#Branch2]", "[Ring1]", "[NH1]"])
    ['[=O]', '[Branch1]', '[#Branch2]', '[Ring1]']
    """
    return [each for each in symbols if each[1] in "=#" or "Branch" in each or "Ring" in each]


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
        self.openings = [_openings(model, core) for core in cores]
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


def _openings(model: LoadedModel, core: Core) -> list[Spellings]:
    """Return the spellings for each new part that a core gets: one at each mark, or one in all."""
    opened = open_core(core)
    if not opened.marks:
        return [spell_core(model, core, opened.open)]
    each = {atom: spell_core(model, core, [atom]) for atom in opened.marks}
    return [each[atom] for atom, numbers in opened.marks.items() for _ in numbers]


def _joined(before: DecodedString, after: DecodedString) -> DecodedString:
    """Return a string whose likelihood counts the new parts of two rounds as chosen."""
    nll = before.nll + after.nll
    return after._replace(nll=nll, prefix_nll=after.prefix_nll + after.nll - nll)
