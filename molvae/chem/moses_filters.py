"""The filters of MOSES: medicinal chemistry alerts, PAINS, allowed elements, ring size.

Polykovskiy 2020, https://doi.org/10.3389/fphar.2020.565644. There the 502 patterns are matched on
the molecule with its hydrogens. Here the hydrogens of a pattern become conditions on the atoms that
carry them, so that the molecule needs none. The few patterns in which a hydrogen could match
another atom, and molecules with explicit hydrogens, are matched as in MOSES. `chem.fast.screens`
rules out all but two or three patterns. None of this changes a result.
"""

import csv
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from rdkit import Chem, RDConfig

from molvae.chem.speed import Screen, asked, kind_of, read_environments
from molvae.errors import UsageError

MCF_FILE = Path(__file__).with_name("mcf.csv")  # says where it is from, and its licence
PAINS_FILE = Path(RDConfig.RDDataDir) / "Pains" / "wehi_pains.csv"  # part of RDKit
ELEMENTS = frozenset({"C", "N", "S", "O", "F", "Cl", "Br", "H"})
LARGE_RING = 8  # atoms; MOSES excludes rings this large


class Patterns(NamedTuple):
    """Named SMARTS patterns."""

    names: tuple[str, ...]
    queries: tuple[Chem.Mol, ...]  # for molecules with hydrogens
    merged: tuple[Chem.Mol, ...]  # the part of each that can be matched without hydrogens
    exact: tuple[bool, ...]  # whether this part is the whole pattern
    screen: Screen  # which of them a molecule may contain


def moses_alert(mol: Chem.Mol) -> str | None:
    """Return the first reason why MOSES excludes a molecule, None where there is none.

    >>> moses_alert(Chem.MolFromSmiles("CC(=O)[O-]"))
    'charged'
    >>> moses_alert(Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O")) is None
    True
    """
    read = read_environments(mol)
    rings = mol.GetRingInfo().AtomRings() if read is None else read.rings
    if any(len(ring) >= LARGE_RING for ring in rings):
        return f"ring of {LARGE_RING} atoms or more"
    if read is None:
        odd = [_odd(atom.GetFormalCharge(), atom.GetAtomicNum()) for atom in mol.GetAtoms()]
    else:
        odd = [_odd_kind(kind) for kind in read.kinds]
    return next(chain(filter(None, odd), _found(moses_patterns(), mol)), None)


def mcf_alert(mol: Chem.Mol) -> str | None:
    """Return the name of the first medicinal chemistry filter of MOSES that a molecule fails.

    >>> mcf_alert(Chem.MolFromSmiles("C1CO1"))
    'MCF5'
    """
    return next(_found(mcf_patterns(), mol), None)


@cache
def mcf_patterns() -> Patterns:
    """Return the 22 medicinal chemistry filters of MOSES."""
    return _patterns(_mcf())


@cache
def moses_patterns() -> Patterns:
    """Return the medicinal chemistry filters and the 480 PAINS patterns (doi 10.1021/jm901137j)."""
    try:
        with PAINS_FILE.open(encoding="ascii", newline="") as file:
            # A name is written as <regId=anil_di_alk_F(14)>.
            pains = [(f"PAINS {name[7:-1]}", smarts) for smarts, name in csv.reader(file)]
    except OSError as error:
        raise UsageError(f"this RDKit lacks the PAINS patterns ({PAINS_FILE}).") from error
    return _patterns([*_mcf(), *pains])


def _mcf() -> list[tuple[str, str]]:
    with MCF_FILE.open(encoding="ascii", newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return [(row["names"], row["smarts"]) for row in rows]


def _odd(charge: int, element: int) -> str:
    """Return why MOSES excludes an atom by itself, "" where it does not."""
    if charge:
        return "charged"
    symbol = Chem.GetPeriodicTable().GetElementSymbol(element)
    return "" if symbol in ELEMENTS else f"holds {symbol}"


@cache
def _odd_kind(number: int) -> str:
    kind = kind_of(number)
    return _odd(kind.charge, kind.element)


def _patterns(rows: Iterable[tuple[str, str]]) -> Patterns:
    names, smarts = zip(*rows, strict=True)
    queries = tuple(map(Chem.MolFromSmarts, smarts))
    merged, exact = zip(*map(_merged, queries), strict=True)
    return Patterns(names, queries, merged, exact, Screen(merged))


def _merged(query: Chem.Mol) -> tuple[Chem.Mol, bool]:
    """Return the part of a pattern that needs no hydrogens, and whether it is the whole pattern.

    An atom of the pattern that could match a hydrogen, or that counts hydrogens among its bonds, is
    left out.
    """
    water = Chem.AddHs(Chem.MolFromSmiles("O"))
    merged = Chem.RWMol(Chem.MergeQueryHs(query))
    open_to_hydrogen = [
        atom.GetIdx()
        for atom in merged.GetAtoms()
        if asked(atom).may_be(water.GetAtomWithIdx(1)) or "ExplicitDegree" in atom.DescribeQuery()
    ]
    for index in reversed(open_to_hydrogen):
        merged.RemoveAtom(index)
    return merged.GetMol(), not open_to_hydrogen


def _found(patterns: Patterns, mol: Chem.Mol) -> Iterator[str]:
    """Yield the names of the patterns that a molecule contains."""
    read = read_environments(mol)
    whole = None
    for number in range(len(patterns.names)) if read is None else patterns.screen.possible(read):
        if read is not None and patterns.exact[number]:
            found = mol.HasSubstructMatch(patterns.merged[number])
        else:
            whole = whole or Chem.AddHs(mol)
            found = whole.HasSubstructMatch(patterns.queries[number])
        if found:
            yield patterns.names[number]
