from collections.abc import Iterator

import pytest
from rdkit import Chem

from molvae.chem.constraints import bonds_by_atom
from molvae.chem.fast.kekule import ORGANIC, KekuleGraph, read_smiles, write_smiles
from molvae.chem.fast.resonance import _invariant, is_resonance_form
from molvae.chem.smiles import canonicalize, standardize
from molvae.errors import Rejected
from tests.drugs import DRUGS

STANDARD = {name: standardize(smiles) for name, smiles in DRUGS}
OTHER_ATOMS = ("C", "N", "O", "S", "NH1", "N+1", "NH1+1", "O-1", "CH1-1", "F")


def read(smiles: str) -> KekuleGraph:
    graph = read_smiles(smiles)
    assert graph is not None
    return graph


@pytest.mark.parametrize("name", STANDARD)
def test_a_drug_is_a_resonance_form_of_itself(name: str) -> None:
    smiles, mol = STANDARD[name]
    assert is_resonance_form(read(smiles), mol)


@pytest.mark.parametrize(
    "smiles",
    [
        *("c1ccccc1", "c1ccc2ccccc2c1", "c1ccc2[nH]ccc2c1", "c1ccc2cccc-2cc1", "O=c1cc[nH]cc1"),
        *("c1cc[nH+]cc1", "C[n+]1ccccc1", "Cn1c(=O)c2c(ncn2C)n(C)c1=O", "c1ccsc1"),
        *("c1ccc(-c2ccccc2)cc1", "c1ccc2c(c1)c1ccccc1c1ccccc21"),
    ],
)
def test_every_way_to_place_the_double_bonds_is_a_form_that_rdkit_reads_alike(smiles: str) -> None:
    mol = Chem.MolFromSmiles(smiles)
    forms = list(Chem.ResonanceMolSupplier(mol, Chem.KEKULE_ALL))
    assert forms
    for form in forms:
        Chem.Kekulize(form, clearAromaticFlags=True)
        graph = read(smiles)
        for here in range(1, len(graph.atoms)):
            bond = form.GetBondBetweenAtoms(graph.parents[here], here)
            graph.orders[here] = int(bond.GetBondTypeAsDouble())
        for ends in graph.rings:
            graph.rings[ends] = int(form.GetBondBetweenAtoms(*ends).GetBondTypeAsDouble())
        assert is_resonance_form(graph, mol)
        assert canonicalize(write_smiles(graph)) == canonicalize(smiles)


@pytest.mark.parametrize(
    "pair",
    [
        *("CCO COC", "CCO CCN", "CC=O CCO", "CC#N CC=N", "C1CC1 CCC", "Oc1ccccn1 O=c1cccc[nH]1"),
        *("C[NH+](C)C CN(C)C", "CC(=O)O CC(=O)[O-]", "c1ccccc1 C1=CCCC=C1", "c1ccccc1 C1CCCCC1"),
        *("c1ccncc1 c1ccccc1", "Cc1ccccc1 CC1=CC=CC=C1N", "c1cc[nH]c1 c1ccoc1", "CC C", "C CC"),
        *("CS(C)=O CS(C)(=O)=O", "CSC C[SH](C)C", "CP(C)C CPC", "C1=CC=S=C1 c1ccsc1"),
        "CC=1C(C)=CC=1 CC1=C(C)C=C1",  # each atom has the same bonds, at other places
    ],
)
def test_another_molecule_is_none(pair: str) -> None:
    one, other = pair.split()
    assert not is_resonance_form(read(one), Chem.MolFromSmiles(other))
    assert not is_resonance_form(KekuleGraph([], [], [], {}), Chem.MolFromSmiles(other))


def test_atoms_that_are_left_with_an_electron_to_pair_prove_nothing() -> None:
    mol = Chem.MolFromSmiles("c1c[nH+]cc[nH+]1")
    paired = read("c1c[nH+]cc[nH+]1")
    assert is_resonance_form(paired, mol)
    alone = paired._replace(orders=[0, 2, 1, 1, 2, 1], rings={(0, 5): 1})
    assert not is_resonance_form(alone, mol)


@pytest.mark.parametrize("smiles", ["[CH2]C", "C[NH]", "c1cc[c]cc1"])
def test_a_radical_is_no_form_of_a_molecule_nor_the_other_way_round(smiles: str) -> None:
    radical = Chem.MolFromSmiles(smiles)
    whole = smiles.translate({ord("["): None, ord("]"): None, ord("H"): None, ord("2"): None})
    assert not is_resonance_form(read(whole), radical)


def corruptions(graph: KekuleGraph) -> Iterator[KekuleGraph]:
    """Every graph that one slip of a reader, a writer or a derivation could leave."""
    atoms, parents, orders, rings = graph
    size = len(atoms)
    for here in range(size):
        for name in OTHER_ATOMS:
            if name != atoms[here]:
                yield graph._replace(atoms=[*atoms[:here], name, *atoms[here + 1 :]])
    for here in range(1, size):
        for order in {1, 2, 3} - {orders[here]}:
            yield graph._replace(orders=[*orders[:here], order, *orders[here + 1 :]])
        for parent in {0, here // 2, here - 1} - {parents[here]}:
            yield graph._replace(parents=[*parents[:here], parent, *parents[here + 1 :]])
    for ends, order in rings.items():
        others = {pair: bond for pair, bond in rings.items() if pair != ends}
        yield graph._replace(rings=others)
        for other in {1, 2, 3} - {order}:
            yield graph._replace(rings={**others, ends: other})
        for one in {ends[0] - 1, ends[0] + 1} - {-1, ends[1]}:
            yield graph._replace(rings={**others, (one, ends[1]): order})
    yield KekuleGraph(atoms[:-1], parents[:-1], orders[:-1], rings)
    yield KekuleGraph([*atoms, "C"], [*parents, 0], [*orders, 1], rings)


def outcome(smiles: str) -> str:
    try:
        return canonicalize(smiles)
    except Rejected:
        return ""


@pytest.mark.parametrize("name", list(STANDARD)[:60:4])
def test_no_slip_whatever_passes_for_the_drug(name: str) -> None:
    smiles, mol = STANDARD[name]
    tried = 0
    for wrong in corruptions(read(smiles)):
        if outcome(write_smiles(wrong)) == smiles:  # [NH1] for N says the same
            continue
        tried += 1
        assert not is_resonance_form(wrong, mol), wrong
    assert tried > 100


def test_no_two_kinds_of_atoms_have_the_same_invariant() -> None:
    kinds = {}
    for key, bonds in bonds_by_atom().items():
        if key == "?":
            continue
        element, charge = key[: len(key.rstrip("+-1"))], key[len(key.rstrip("+-1")) :]
        for hydrogens in range(5):
            name = f"{element}{f'H{hydrogens}' if hydrogens else ''}{charge}"
            for neighbors in range(bonds + 1):
                for used in range(neighbors, bonds + 1):
                    found = _invariant(name, used, neighbors)
                    if found is None:
                        continue
                    left = [used - neighbors - 2 * n for n in range(neighbors)]
                    around = "".join(f"({'-=#'[max(0, min(2, more))]}*)" for more in left)
                    atom = name if name in ORGANIC else f"[{name}]"
                    mol = Chem.MolFromSmiles(f"{atom}{around}")
                    total = mol.GetAtomWithIdx(0).GetTotalNumHs()
                    kind = (element, charge, total, neighbors)
                    assert kinds.setdefault(found, kind) == kind
    assert len(kinds) > 60
