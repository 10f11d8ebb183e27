"""Proposals are new molecules, made from those scored best."""

import numpy as np
import pytest
from rdkit import Chem

from molvae.config import GenerateConfig
from molvae.data.molecules import PreparedMolecule, standardize_and_measure
from molvae.errors import Rejected
from molvae.generation.openings import as_cores
from molvae.generator import MoleculeGenerator
from molvae.optimize.proposals import Scene, edits

BENZOYL = "O=C([*:1])c1ccccc1"
LEADS = [
    "O=C(Nc1ccccn1)c1ccccc1",
    "O=C(NCCN1CCOCC1)c1ccccc1",
    "CCOC(=O)c1ccccc1",
    "O=C(N1CCC(O)CC1)c1ccccc1",
]


@pytest.fixture(scope="module")
def generator() -> MoleculeGenerator:
    return MoleculeGenerator.load("druglike")


@pytest.mark.parametrize("core", ["", BENZOYL])
def test_edits_are_new_molecules_of_two_parents_and_keep_the_core(
    generator: MoleculeGenerator, core: str
) -> None:
    model = generator.model
    elite: list[PreparedMolecule] = []
    for each in standardize_and_measure(model.standardization, model.measured, LEADS):
        assert not isinstance(each, Rejected)
        elite.append(each)
    known = frozenset(each.smiles for each in elite)
    cores = as_cores(model, core or ())
    random, request = np.random.default_rng(1), generator.request(None)
    scene = Scene(model, elite, GenerateConfig(rings="any"), request, known, cores, random)
    found = edits(scene, 128)
    assert len(found) > (10 if core else 50)
    query = Chem.MolFromSmarts("O=C(*)c1[cH][cH][cH][cH][cH]1" if core else "*")
    for each in found:
        assert each.smiles not in known
        assert set(each.parents) <= known
        assert Chem.MolFromSmiles(each.smiles).HasSubstructMatch(query)
        (again,) = standardize_and_measure(model.standardization, model.measured, [each.smiles])
        assert not isinstance(again, Rejected)
        assert not model.vocabulary.unknown(again.symbols)
