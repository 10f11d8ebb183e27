import csv
import gzip
import random
from itertools import islice
from pathlib import Path

import pytest
import selfies

from molvae.chem.fast.kekule import KekuleGraph, read_smiles, write_smiles
from molvae.chem.fast.symbols import write_symbols
from molvae.chem.smiles import standardize
from molvae.errors import Rejected
from tests.drugs import DRUGS

SHARED = Path(__file__).parents[3] / "../shared/data"
STANDARD = {name: standardize(smiles)[0] for name, smiles in DRUGS}


@pytest.mark.parametrize(
    ("smiles", "graph"),
    [
        ("C", KekuleGraph(["C"], [-1], [0], {})),
        ("C#N", KekuleGraph(["C", "N"], [-1, 0], [0, 3], {})),
        ("CC(=O)O", KekuleGraph(["C", "C", "O", "O"], [-1, 0, 1, 1], [0, 1, 2, 1], {})),
        ("CC(C)(C)O", KekuleGraph(["C", "C", "C", "C", "O"], [-1, 0, 1, 1, 1], [0, *[1] * 4], {})),
        ("C1CC1", KekuleGraph(["C", "C", "C"], [-1, 0, 1], [0, 1, 1], {(0, 2): 1})),
        ("C[N+](=O)[O-]", KekuleGraph(["C", "N+1", "O", "O-1"], [-1, 0, 1, 1], [0, 1, 2, 1], {})),
        ("C=1CC=1", KekuleGraph(["C", "C", "C"], [-1, 0, 1], [0, 1, 1], {(0, 2): 2})),
        ("C1CC=1", KekuleGraph(["C", "C", "C"], [-1, 0, 1], [0, 1, 1], {(0, 2): 2})),
        ("C=1CC1", KekuleGraph(["C", "C", "C"], [-1, 0, 1], [0, 1, 1], {(0, 2): 2})),
    ],
)
def test_a_string_is_read_atom_by_atom_and_bond_by_bond(smiles: str, graph: KekuleGraph) -> None:
    assert read_smiles(smiles) == graph


@pytest.mark.parametrize("smiles", STANDARD.values(), ids=STANDARD)
def test_a_drug_gets_the_double_bonds_that_selfies_gives_it(smiles: str) -> None:
    graph = read_smiles(smiles)
    assert graph is not None
    assert "".join(write_symbols(graph)) == selfies.encoder(smiles)
    assert write_smiles(graph) == selfies.decoder(selfies.encoder(smiles))
    assert read_smiles(write_smiles(graph)) == graph


@pytest.mark.parametrize(
    "smiles",
    [
        *("", "x", "C(", "C)", "()", "C()C", "(C)C", "C((C))C", "C(C))C", "=C", "1CC1", "C.", ".C"),
        *("C1CC", "C11", "C12CC12", "C=1CC#1", "C1C1", "C%1CC%1", "C%01CC%01", "C0CC0"),
        *("CC(C)(C)", "C(CC)", "CC(C)1CC1", "C=", "C(=)C"),  # selfies reads some; not RDKit's way
        *("C.C", "C[C@H](F)O", "F/C=C/F", "[13CH4]", "[CH3:1]C", "*C", "C~C", "C$C", "C:C", "O:C"),
        *("[C]", "[Ge]", "[Fe+2]", "[NH2-2]", "[Br-]", "[CH5]", "[nH2]1cccc1", "[xx]"),
        *"CC(C)(C)(C)C CN(C)(C)C CCl(C)C O=O=O c1cccc1 cc n1cccc1 c1ccccc1=C".split(),
        *("O=p1ccccc1", "C[s+]1cccc1", "c", "\n", "C\n", "C C", "\u0421"),
    ],
)
def test_what_is_odd_is_not_read(smiles: str) -> None:
    assert read_smiles(smiles) is None


def test_a_molecule_with_a_hundred_rings_is_left_to_the_package() -> None:
    assert read_smiles("C1CC1" * 99) is not None
    assert read_smiles("C1CC1" * 100) is None


@pytest.mark.parametrize("name", ["zinc/zinc250k.csv", "chembl/chembl_union.csv", "moses/test.csv"])
def test_symbols_of_real_molecules_are_those_of_the_package(name: str) -> None:
    path = SHARED / f"{name}.gz"
    if not path.is_file():
        pytest.skip(f"{name} is not on this machine")
    with gzip.open(path, "rt", newline="") as lines:
        rows = [row[0] for row in islice(csv.reader(lines), 1, 5000)]
    read = 0
    for row in random.Random(11).sample(rows, 300):
        try:
            smiles = standardize(row)[0]
            expected = selfies.encoder(smiles)
        except (Rejected, selfies.EncoderError):
            continue
        if graph := read_smiles(smiles):
            read += 1
            assert "".join(write_symbols(graph)) == expected
            assert write_smiles(graph) == selfies.decoder(expected)
    assert read > 290  # or the gate is slow
