"""Match many SMARTS patterns: all but a few are ruled out before RDKit tries them.

A pattern matches a molecule only where each of its atoms, with its bonds and neighbors in the
pattern, can match an atom of the molecule. The atoms of all patterns that an environment (see
`environments`) can match are found once, by RDKit's own `Atom.Match` and `Bond.Match`, and
remembered as the bits of a number. A molecule has the bits of its atoms; a pattern with a missing
bit cannot match. A few of 480 PAINS patterns are left for RDKit, which takes microseconds for each.
No match is missed, so no result changes:

- conditions that an atom's kind cannot decide (recursive SMARTS) count as met;
- an atom or bond in a ring of the pattern needs one in a ring of the molecule, and in a ring of
  three or four one of that size, since a smallest set of smallest rings has it;
- equal neighbors are counted, up to four.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from rdkit import Chem

from molvae.chem.fast.environments import Environments, environment_of, kind_of, known

Test = Callable[[Chem.Atom], bool]


class Asked(NamedTuple):
    """A test of whether an atom may match an atom of a pattern."""

    may_be: Test  # atom of a molecule -> result, the same for all atoms of its kind
    sure: bool  # whether an atom that may match does match


_REMEMBERED = 50_000  # environments, a few hundred bytes each
_COUNTED = 4  # equal neighbors
# Words of RDKit's descriptions of queries that an atom's kind decides.
_ATOM_WORDS = frozenset(
    "AtomAnd AtomOr AtomNull AtomAtomicNum AtomType AtomIsAromatic AtomIsAliphatic "
    "AtomFormalCharge AtomHCount AtomExplicitDegree AtomTotalDegree AtomTotalValence AtomIsotope "
    "AtomInNRings AtomInRing AtomMinRingSize".split()
)
_BOND_WORDS = frozenset(
    "BondAnd BondOr BondNull BondOrder BondInRing SingleOrAromaticBond "
    "DoubleOrAromaticBond SingleOrDoubleBond SingleOrDoubleOrAromaticBond".split()
)
_ANY_RING = 10**6  # atoms: no ring is larger
_RECURSION = "RecursiveStructure"


class QueryAtom(NamedTuple):
    """An atom of a pattern by itself."""

    smarts: str
    description: str  # the query as RDKit keeps it: two may differ that have the same SMARTS
    ring: int  # at most how many atoms its smallest ring has, 0 where it need not be in one


class QueryBond(NamedTuple):
    """A bond of a pattern by itself: RDKit's description of it, and whether it is in a ring."""

    description: str
    cyclic: bool


class Star(NamedTuple):
    """An atom of a pattern and what is bonded to it: numbers of spokes, each with its count."""

    center: QueryAtom
    spokes: tuple[tuple[int, int], ...]


class Screen:
    """The environments that a molecule needs to contain each pattern.

    Args:
        queries: K patterns, matched on molecules without hydrogens as atoms.
    """

    def __init__(self, queries: Sequence[Chem.Mol]) -> None:
        self._atoms: dict[QueryAtom, Test] = {}
        self._bonds: dict[QueryBond, Chem.Bond] = {}
        self._spokes: dict[tuple[QueryBond, QueryAtom], int] = {}
        stars: dict[Star, int] = {}
        needs = [
            {stars.setdefault(star, len(stars)) for star in self._stars(query)} for query in queries
        ]
        self._centers = [
            (star.center, 1 << number, self._needed(star.spokes)) for star, number in stars.items()
        ]
        self._bytes = 8 * (len(stars) // 64 + 1)
        packed = b"".join(_bits(need).to_bytes(self._bytes, "little") for need in needs)
        self._patterns = np.frombuffer(packed, np.uint64).reshape(len(needs), -1)
        self._of_environment = lru_cache(_REMEMBERED)(self._could_be)
        self._of_kind = lru_cache(_REMEMBERED)(self._kind_could_be)
        self._of_bond = lru_cache(_REMEMBERED)(self._bond_could_be)

    def possible(self, mol: Environments) -> list[int]:
        """Return which patterns a molecule may contain, in order."""
        present = 0
        for number in set(mol.found):
            present |= self._of_environment(number)
        row = np.frombuffer(present.to_bytes(self._bytes, "little"), np.uint64)
        missing = (self._patterns & ~row).any(axis=1)
        found: list[int] = np.flatnonzero(~missing).tolist()
        return found

    def _stars(self, query: Chem.Mol) -> Iterator[Star]:
        """Yield each atom of a pattern with its neighbors, and note them."""
        rings = _smallest_rings(query)
        atoms = []
        for atom in query.GetAtoms():
            key = QueryAtom(atom.GetSmarts(), atom.DescribeQuery(), rings.get(atom.GetIdx(), 0))
            if key not in self._atoms:
                self._atoms[key] = asked(atom).may_be
            atoms.append(key)
        around: list[Counter[int]] = [Counter() for _ in atoms]
        cyclic = {number for ring in query.GetRingInfo().BondRings() for number in ring}
        for bond in query.GetBonds():
            kind = QueryBond(bond.DescribeQuery(), bond.GetIdx() in cyclic)
            self._bonds.setdefault(kind, bond)
            begin, end = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
            for here, there in ((begin, end), (end, begin)):
                spoke = (kind, atoms[there])
                around[here][self._spokes.setdefault(spoke, len(self._spokes))] += 1
        for center, spokes in zip(atoms, around, strict=True):
            yield Star(center, tuple(sorted(spokes.items())))

    def _needed(self, spokes: tuple[tuple[int, int], ...]) -> int:
        """Return spokes as bits: number n of S is bit n, and bit S + n if needed twice, ..."""
        return _bits(
            len(self._spokes) * (min(count, _COUNTED) - 1) + number for number, count in spokes
        )

    def _could_be(self, environment: int) -> int:
        """Return the stars that an atom in an environment could be, as bits."""
        kind, neighbors = environment_of(environment)
        times = [0] * _COUNTED  # the spokes that were found at least once, twice, ...
        for bond, other in neighbors:
            found = self._of_bond(bond) & self._of_kind(other)[0]
            for level in reversed(range(1, _COUNTED)):
                times[level] |= times[level - 1] & found
            times[0] |= found
        missing = ~sum(spokes << len(self._spokes) * level for level, spokes in enumerate(times))
        return sum(bit for bit, needed in self._of_kind(kind)[1] if not needed & missing)

    def _kind_could_be(self, kind: int) -> tuple[int, list[tuple[int, int]]]:
        """Return the spokes at whose end an atom could be, and the stars of which the center."""
        atom, smallest = known().atoms[kind], kind_of(kind).smallest_ring
        possible = {
            key
            for key, may_be in self._atoms.items()
            if (not key.ring or 0 < smallest <= key.ring) and may_be(atom)
        }
        ends = _bits(number for (_, end), number in self._spokes.items() if end in possible)
        return ends, [(bit, needed) for center, bit, needed in self._centers if center in possible]

    def _bond_could_be(self, kind: int) -> int:
        """Return the spokes that a bond could be."""
        bond = known().bonds[kind]
        possible = {
            key
            for key, query in self._bonds.items()
            if (not key.cyclic or bond.IsInRing())
            and (not _words(key.description) <= _BOND_WORDS or query.Match(bond))
        }
        return _bits(number for (bond, _), number in self._spokes.items() if bond in possible)


def asked(query: Chem.Atom) -> Asked:
    """Return a test of whether an atom may match an atom of a pattern.

    It checks the first atom of a recursive SMARTS, and nothing of a negated one.
    """
    words = _words(query.DescribeQuery())
    if words <= _ATOM_WORDS:
        return Asked(query.Match, sure=True)
    text = query.GetSmarts()
    if not words <= _ATOM_WORDS | {_RECURSION} or not text.startswith("["):
        return Asked(_anything, sure=False)
    parts = [
        [[_asked_term(term) for term in _split(choice, "&")] for choice in _split(part, ",")]
        for part in _split(text[1:-1], ";")
    ]

    def may_be(atom: Chem.Atom) -> bool:
        return all(any(all(term(atom) for term in choice) for choice in part) for part in parts)

    return Asked(may_be, sure=False)


@lru_cache(_REMEMBERED)
def _asked_term(term: str) -> Test:
    """Return the test of one term of the SMARTS of an atom, `D3` or `$(C=O)`."""
    if term.startswith("!$"):
        return _anything
    query = Chem.MolFromSmarts(term[2:-1] if term.startswith("$(") else f"[{term}]")
    return _anything if query is None else asked(query.GetAtomWithIdx(0)).may_be


def _anything(_: Chem.Atom) -> bool:
    return True


def _split(text: str, separator: str) -> Iterator[str]:
    """Yield the parts of the SMARTS of an atom that a separator outside parentheses parts."""
    depth = start = 0
    for index, letter in enumerate(text):
        depth += (letter in "([") - (letter in ")]")
        if letter == separator and depth == 0:
            yield text[start:index]
            start = index + 1
    yield text[start:]


def _smallest_rings(query: Chem.Mol) -> dict[int, int]:
    """Return at most how many atoms the smallest ring of each cyclic atom of a pattern has."""
    smallest: dict[int, int] = {}
    for ring in Chem.GetSymmSSSR(query):
        size = len(ring) if len(ring) <= 4 else _ANY_RING
        for index in ring:
            smallest[index] = min(size, smallest.get(index, size))
    return smallest


def _words(description: str) -> frozenset[str]:
    """Return the first word of each line of RDKit's description of a query."""
    return frozenset(line.split()[0] for line in description.splitlines() if line.strip())


def _bits(numbers: Iterable[int]) -> int:
    total = 0
    for number in numbers:
        total |= 1 << number
    return total
