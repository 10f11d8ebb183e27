"""A core in a molecule: found there, told from its new parts, and put back as it was given."""

from collections.abc import Mapping
from typing import NamedTuple

from rdkit import Chem

from molvae.chem.cores import Core, OpenCore, open_core
from molvae.chem.smiles import canonical_molecule
from molvae.errors import Rejected

WITHOUT, BARE, ELSEWHERE = "without the core", "nothing but the core", "core grown elsewhere"
UNGROWN = "an open atom without a new part"
MATCHES = 1000  # ways to lay a core onto a molecule; a highly symmetric one has some hundreds


class Placement(NamedTuple):
    """A molecule taken apart into a core and new parts.

    Attributes:
        smiles: the molecule, put together from the core as it was given; canonical.
        mol: the same, parsed.
        decoration: SMILES of the new parts; where each was bonded to the core stands `[*:N]`, with
            the number of the mark, or of the core's atom where the core has no marks.
        parts: the new part at each mark, by its number; empty without marks, and where a new part
            joins two fragments.
    """

    smiles: str
    mol: Chem.Mol
    decoration: str
    parts: dict[int, str]


class _Joint(NamedTuple):
    """A bond between the core and a new part."""

    atom: int  # of the core
    shown: int  # the number that stands there
    order: Chem.BondType


def place(core: Core, smiles: str, mol: Chem.Mol) -> Placement:
    """Find a core in a molecule that a model wrote, and put the core as it was given in its place.

    Args:
        core: the core.
        smiles: the molecule, canonical.
        mol: the same, parsed.

    Raises:
        Rejected: "without the core", "nothing but the core", "core grown elsewhere" or "core cannot
            be put back".

    >>> from molvae.chem.smiles import Standardization
    >>> core = Core("[*:1]c1ccc(Cl)nc1", Standardization())
    >>> place(core, "CCOc1ccc(Cl)nc1", Chem.MolFromSmiles("CCOc1ccc(Cl)nc1")).decoration
    '[*:1]OCC'
    """
    opened = open_core(core)
    match = lay(core, mol, {atom: len(numbers) for atom, numbers in opened.marks.items()})
    if len(match) == mol.GetNumAtoms():
        raise Rejected(BARE)
    parts, joints = _cut(opened, mol, match)
    if opened.marks and not core.anywhere:
        _check_parts(opened, parts, joints)
    if opened.changed:
        smiles, mol = canonical_molecule(Chem.MolToSmiles(_put_back(opened, parts, joints)))
    texts: list[str] = []
    by_mark: dict[int, str] = {}
    for part in Chem.GetMolFrags(parts, asMols=True):
        text, numbers = _spell(part, joints)
        texts.append(text)
        if opened.marks and opened.fragments == 1:
            by_mark |= dict.fromkeys(numbers, text)
    return Placement(smiles, mol, ".".join(sorted(texts)), dict(sorted(by_mark.items())))


def _check_parts(opened: OpenCore, parts: Chem.Mol, joints: list[_Joint]) -> None:
    """Refuse new parts that a mark does not stand for: each is bonded by one single bond.

    Only a part that joins the fragments of a core has more bonds.
    """
    single = all(joint.order == Chem.BondType.SINGLE for joint in joints)
    apart = opened.fragments > 1 or len(Chem.GetMolFrags(parts)) == len(joints)
    if not (single and apart):
        raise Rejected(ELSEWHERE)


def marked_as_in(core: Core, smiles: str, mol: Chem.Mol) -> Core:
    """Return a core without marks with marks where a molecule has other parts on it.

    A core with marks stays as it is, and so does one that the molecule does not contain, or whose
    other parts are bonded by more than one single bond.

    >>> from molvae.chem.smiles import Standardization
    >>> toluene = "Cc1ccccc1", Chem.MolFromSmiles("Cc1ccccc1")
    >>> marked_as_in(Core("c1ccccc1", Standardization()), *toluene).text
    'c1ccc([*:1])cc1'
    """
    opened = open_core(core)
    try:
        match = lay(core, mol, {})
    except Rejected:
        return core
    parts, joints = _cut(opened, mol, match)
    single = all(joint.order == Chem.BondType.SINGLE for joint in joints)
    if opened.marks or not joints or not single or len(Chem.GetMolFrags(parts)) < len(joints):
        return core
    marked = Chem.RWMol(Chem.AddHs(opened.own, onlyOnAtoms=sorted({j.atom for j in joints})))
    for number, joint in enumerate(joints, 1):
        neighbors = marked.GetAtomWithIdx(joint.atom).GetNeighbors()
        free = [atom for atom in neighbors if atom.GetAtomicNum() == 1]
        if not free:
            return core
        free[0].SetAtomicNum(0)
        free[0].SetAtomMapNum(number)
    return core._replace(text=Chem.MolToSmiles(Chem.RemoveHs(marked)))


def lay(core: Core, mol: Chem.Mol, grown: Mapping[int, int]) -> tuple[int, ...]:
    """Return the atoms of a molecule that are a core's, in the order of the core.

    Args:
        core: the core.
        mol: the molecule.
        grown: new parts that atoms of the core must have; the others must have none, unless the
            core may grow anywhere.

    Raises:
        Rejected: "without the core", "core grown elsewhere" or "an open atom without a new part".
    """
    opened = open_core(core)
    matches = mol.GetSubstructMatches(opened.flat, uniquify=False, maxMatches=MATCHES)
    if not matches:
        raise Rejected(WITHOUT)
    free = core.anywhere or not opened.marks
    wanted = [grown.get(atom, 0) for atom in range(opened.flat.GetNumAtoms())]
    found = ELSEWHERE
    for match in matches:
        gaps = [
            mol.GetAtomWithIdx(atom).GetDegree() - own.GetDegree()
            for atom, own in zip(match, opened.flat.GetAtoms(), strict=True)
        ]
        pairs = list(zip(gaps, wanted, strict=True))
        if all(gap >= least if free else gap == least for gap, least in pairs):
            return tuple(match)
        if all(gap <= least for gap, least in pairs):
            found = UNGROWN
    raise Rejected(found)


def _cut(opened: OpenCore, mol: Chem.Mol, match: tuple[int, ...]) -> tuple[Chem.Mol, list[_Joint]]:
    """Return the new parts of a molecule, and where they were bonded to the core.

    The place holder of each joint has the joint's place in the list, from 1, as its number.
    """
    cut = Chem.RWMol(mol)
    Chem.Kekulize(cut, clearAromaticFlags=True)  # a ring that is cut open is not aromatic
    numbers = {atom: list(each) for atom, each in opened.marks.items()}
    joints = []
    for number, atom in enumerate(match):
        for neighbor in mol.GetAtomWithIdx(atom).GetNeighbors():
            if (other := neighbor.GetIdx()) in match:
                continue
            left = numbers.get(number, [])
            shown = left.pop(0) if left else (0 if opened.marks else number + 1)
            order = cut.GetBondBetweenAtoms(atom, other).GetBondType()
            joints.append(_Joint(number, shown, order))
            holder = cut.AddAtom(Chem.Atom(0))
            cut.GetAtomWithIdx(holder).SetAtomMapNum(len(joints))
            cut.AddBond(other, holder, order)
    cut.BeginBatchEdit()
    for atom in match:
        cut.RemoveAtom(atom)
    cut.CommitBatchEdit()
    Chem.SanitizeMol(cut)
    return cut, joints


def _spell(part: Chem.Mol, joints: list[_Joint]) -> tuple[str, list[int]]:
    """Return SMILES of a new part from its first joint on, and the numbers at its joints."""
    holders = [atom for atom in part.GetAtoms() if atom.GetAtomicNum() == 0]
    for atom in holders:
        atom.SetAtomMapNum(joints[atom.GetAtomMapNum() - 1].shown)
    numbers = {atom.GetIdx(): atom.GetAtomMapNum() for atom in holders}
    first = min(numbers, key=lambda atom: (numbers[atom], atom))
    return Chem.MolToSmiles(part, rootedAtAtom=first), list(numbers.values())


def _put_back(opened: OpenCore, parts: Chem.Mol, joints: list[_Joint]) -> Chem.Mol:
    """Return new parts joined to the core as it was given.

    Raises:
        Rejected: "core cannot be put back", where its charges leave no room for a part.
    """
    bare = {joint.atom for joint in joints} - opened.marks.keys()
    own = Chem.RWMol(Chem.AddHs(opened.own, onlyOnAtoms=sorted(bare)) if bare else opened.own)
    for atom in own.GetAtoms():
        atom.SetAtomMapNum(0)
    spare: list[int] = []
    for number, joint in enumerate(joints, 1):
        ends = [
            atom
            for atom in own.GetAtomWithIdx(joint.atom).GetNeighbors()
            if atom.GetIdx() not in spare and atom.GetAtomicNum() <= 1 and not atom.GetAtomMapNum()
        ]
        ends.sort(key=lambda atom: atom.GetAtomicNum())  # marks first
        order = int(joint.order)
        if len(ends) < order:
            raise Rejected("core cannot be put back", "its charges leave no room for the new part")
        ends[0].SetAtomicNum(0)
        ends[0].SetAtomMapNum(number)
        own.GetBondBetweenAtoms(joint.atom, ends[0].GetIdx()).SetBondType(joint.order)
        spare += [atom.GetIdx() for atom in ends[1:order]]
    own.BeginBatchEdit()
    for hydrogen in spare:
        own.RemoveAtom(hydrogen)
    own.CommitBatchEdit()
    try:
        joined = Chem.molzip(own, parts)
        Chem.SanitizeMol(joined)
        return Chem.RemoveHs(joined)
    except (Chem.MolSanitizeException, RuntimeError, ValueError) as failure:
        raise Rejected("core cannot be put back", " ".join(str(failure).split())) from failure
