"""Spellings of a core that a model can go on behind, and what is wrong with a core.

Each ends at an open atom, so that the symbols behind it are a new part there.
"""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from rdkit import Chem, rdBase

from molvae.arguments import as_molecules
from molvae.chem.cores import Core, open_core
from molvae.chem.prefixes import open_prefixes
from molvae.chem.properties import measure
from molvae.chem.smiles import check_text, parse
from molvae.chem.syntax import located
from molvae.errors import Rejected, UsageError
from molvae.generation.model import LoadedModel

# Nats over which the choice among the spellings of an open atom is spread: at 1 they are as common
# as the model writes them, and nearly all new parts follow on a few.
SPREAD = 8.0
LARGE = 0.8  # of the weight of the largest training molecules: a core leaves little room


class Spellings(NamedTuple):
    """Spellings of a core with an open atom last.

    Attributes:
        prefixes: the symbols of each.
        atoms: the open atom of each.
        edges: the upper end of each one's share of [0, 1).
    """

    prefixes: list[list[str]]
    atoms: list[int]
    edges: np.ndarray

    def choose(self, number: float) -> int:
        """Return the place of the spelling whose share holds a number in [0, 1)."""
        return min(int(np.searchsorted(self.edges, number, side="right")), len(self.atoms) - 1)


def read_core(model: LoadedModel, text: str, *, anywhere: bool = False) -> Core:
    """Return a core for a model's molecules to contain; the arguments are as of `check_core`.

    Raises:
        UsageError: for no core, or one that the model cannot write, with what would work.
    """
    try:
        return check_core(model, text, anywhere=anywhere)
    except Rejected as rejected:
        first, *more = located(text, rejected)
        raise UsageError(f"core {first}", *more) from rejected


def check_core(model: LoadedModel, text: str, *, anywhere: bool = False) -> Core:
    """Return a core that a model can write.

    Args:
        model: the model.
        text: SMILES with marks such as `[*:1]` at open atoms; without any, all atoms with a free
            hydrogen are open.
        anywhere: let atoms without a mark grow as well.

    Raises:
        Rejected: for no core, or one that the model cannot write.
    """
    core = Core(text, model.standardization, anywhere)
    opened = open_core(core)
    if opened.fragments > 1:
        raise Rejected(
            "several fragments",
            f"{opened.fragments}, where one is meant. Leave counter-ions out; to join two"
            " fragments: molvae link '[*:1]c1ccccc1' '[*:1]C1CCNCC1'",
        )
    if (size := opened.flat.GetNumAtoms()) >= model.longest - 1:
        raise _too_large(model, size)  # sooner than all its spellings are tried
    openings(model, core)
    return core


def read_link(model: LoadedModel, first: str, last: str) -> Core:
    """Return two fragments, each with one mark, as a core that one new part joins.

    Raises:
        UsageError: for a fragment that is none, or has not one mark.
    """
    for text in (first, last):
        marks = sum(map(len, open_core(read_core(model, text)).marks.values()))
        if marks != 1:
            raise UsageError(
                f"fragment '{text}': {marks} marks, where one is meant: [*:1] at the atom that the"
                " linker is bonded to, such as [*:1]c1ccncc1."
            )
    return Core(f"{first}.{last}", model.standardization)


def core_or_pattern(model: LoadedModel, text: str) -> Core | str:
    """Return a core, or a SMARTS pattern as it is where the text is no SMILES.

    Raises:
        UsageError: for neither of both.
    """
    with rdBase.BlockLogs():
        pattern = Chem.MolFromSmarts(text)
    return text if pattern is not None and not _is_smiles(text) else read_core(model, text)


def _is_smiles(text: str) -> bool:
    """Return whether a text is meant as SMILES: it has marks, or is a molecule."""
    try:
        return "*" in check_text(text) or bool(parse(text))
    except Rejected:
        return False


def unusual_size(model: LoadedModel, core: Core) -> str:
    """Return how a core's weight compares with the training set, "" where it is smaller."""
    if "MW" not in model.measured:
        return ""
    most = float(model.normalizer.high[model.normalizer.names.index("MW")])
    (weight,) = measure(open_core(core).flat, ["MW"])
    if weight < LARGE * most:
        return ""
    return (
        f"its molecular weight is {weight:.0f}, and nearly all training molecules have at most"
        f" {most:.0f}, so that few new parts fit"
    )


def as_cores(
    model: LoadedModel, given: str | Core | Sequence[str | Core] | None, *, anywhere: bool = False
) -> list[Core]:
    """Return one core or several, each read or as it is; of None, no core.

    Raises:
        UsageError: for what is no core.
    """
    each = [given] if isinstance(given, str | Core) else () if given is None else given
    cores = as_molecules("core", each, also=(Core,))
    return [c if isinstance(c, Core) else read_core(model, c, anywhere=anywhere) for c in cores]


def as_core(model: LoadedModel, given: str | Core | None) -> Core | None:
    """Return a core, read or as it is; None stays."""
    return None if given is None else as_cores(model, [given])[0]


def left_out(core: Core) -> str:
    """Return what the model does not see of a core, in words; "" for nothing."""
    return " and ".join(open_core(core).changed)


@lru_cache(maxsize=1024)
def openings(model: LoadedModel, core: Core) -> list[Spellings]:
    """Return the spellings for each new part that a core gets: one at each mark, or one in all.

    Raises:
        Rejected: as `spell_open`.
    """
    opened = open_core(core)
    if not opened.marks:
        return [spell_open(model, [(opened.flat, atom, atom) for atom in opened.open])]
    each = {atom: spell_open(model, [(opened.flat, atom, atom)]) for atom in opened.marks}
    return [each[atom] for atom, numbers in opened.marks.items() for _ in numbers]


def spell_open(model: LoadedModel, ends: Sequence[tuple[Chem.Mol, int, int]]) -> Spellings:
    """Return spellings that the model can write, with one of some open atoms last.

    Each open atom gets the same share, since the likelihood of a prefix says how usual it is to
    write this atom last, and not how usual a new part is there. An atom's spellings share it by
    their likelihood.

    Args:
        model: the model.
        ends: molecule, open atom, and the number that stands for both.

    Raises:
        Rejected: for symbols that the model does not know, or more than it has room for.
    """
    found: dict[tuple[str, ...], int] = {}
    alike: Counter[int] = Counter()  # open atoms that have the same spellings
    for mol, atom, number in ends:
        spelled = [tuple(each) for each in open_prefixes(mol, atom)]
        alike[found.get(spelled[0], number)] += 1
        found = dict.fromkeys(spelled, number) | found
    known = [each for each in found if not model.vocabulary.unknown(each)]
    if not known:
        unknown = min((model.vocabulary.unknown(each) for each in found), key=len)
        raise Rejected(
            "symbol unknown to the model",
            f"{', '.join(unknown)}. It knows the elements {', '.join(model.vocabulary.elements)}:"
            " choose another model (molvae models), or train one further on molecules with this"
            " core (molvae train --init)",
        )
    short = [each for each in known if len(each) < model.longest - 1]
    if not short:
        raise _too_large(model, min(map(len, known)))
    costs = model.symbol_costs(short).sum(axis=1, dtype=float)
    numbers = np.array([found[each] for each in short])
    shares = np.exp((costs.min() - costs) / SPREAD)
    for number in set(numbers):
        own = numbers == number
        shares[own] *= alike[number] / shares[own].sum()
    return Spellings([list(each) for each in short], numbers.tolist(), _edges(shares))


def _edges(shares: np.ndarray) -> np.ndarray:
    return np.cumsum(shares / shares.sum())


def _too_large(model: LoadedModel, symbols: int) -> Rejected:
    return Rejected(
        "too large for the model",
        f"the core takes {symbols} symbols, and the largest training molecule has {model.longest}:"
        " cut off a part that may vary, or train a model on larger molecules",
    )


def not_single(symbols: Sequence[str]) -> list[str]:
    """Return the symbols that do not begin one new part with a single bond.

    >>> not_single(["[C]", "[=O]", "[Branch1]", "[#Branch2]", "[Ring1]", "[NH1]"])
    ['[=O]', '[Branch1]', '[#Branch2]', '[Ring1]']
    """
    return [each for each in symbols if each[1] in "=#" or "Branch" in each or "Ring" in each]
