"""Which molecules a model applies to, by their similarity to its training set."""

from dataclasses import replace
from pathlib import Path

import pytest

from molvae.checkpoint import Checkpoint, bundled_models
from molvae.chem.similarity import tanimoto
from molvae.errors import ArtifactError
from molvae.generator import MoleculeGenerator
from tests.drugs import DRUGS

# A cage and a chain of alkynes: nothing like the common drugs of the training set.
STRANGE = ["C1CC2CCC1C1CCC2C1", "CC#CC#CC#CC"]


@pytest.fixture(scope="module")
def labelled(labelled_model_file: Path) -> MoleculeGenerator:
    return MoleculeGenerator.load(labelled_model_file)


def test_the_nearest_training_molecule_is_found(labelled: MoleculeGenerator) -> None:
    training = labelled.checkpoint.fingerprints
    assert training is not None
    drugs = labelled.standardize([smiles for _, smiles in DRUGS[:120]])
    found = dict(zip(drugs, labelled.predict(drugs), strict=True))
    known = [smiles for smiles in drugs if found[smiles].nearest == 1.0]
    assert len(known) == len(training)
    for smiles in found.keys() - set(known):
        likest = max(tanimoto(smiles, each) for each in known)
        assert found[smiles].nearest == pytest.approx(likest)


def test_what_is_farther_than_held_out_molecules_is_marked_by_predict_and_score(
    labelled: MoleculeGenerator,
) -> None:
    rule = labelled.model.applicability
    assert rule is not None
    for found in (labelled.predict(STRANGE), labelled.score(STRANGE)):
        for each in found:
            assert each.nearest is not None
            assert each.nearest < rule.limit
            assert f"the nearest training molecule has similarity {each.nearest:.2f}" in each.ood
    aspirin = "CC(=O)Oc1ccccc1C(=O)O"
    assert labelled.predict([aspirin])[0].ood == labelled.score([aspirin])[0].ood == ""


def test_without_fingerprints_the_percentile_decides(labelled: MoleculeGenerator) -> None:
    without = MoleculeGenerator(replace(labelled.checkpoint, fingerprints=None))
    smiles = [smiles for _, smiles in DRUGS[:20]]
    for one, other in zip(without.predict(smiles), without.score(smiles), strict=True):
        assert (one.nearest, one.percentile, one.ood) == (None, other.percentile, other.ood)


def test_fingerprints_survive_saving_and_need_their_rule(
    labelled: MoleculeGenerator, tmp_path: Path
) -> None:
    labelled.checkpoint.save(tmp_path / "again")
    again = MoleculeGenerator.load(tmp_path / "again")
    assert again.predict(STRANGE) == labelled.predict(STRANGE)
    provenance = {k: v for k, v in labelled.checkpoint.provenance.items() if k != "applicability"}
    with pytest.raises(ArtifactError, match="damaged: its applicability"):
        MoleculeGenerator(replace(labelled.checkpoint, provenance=provenance))


def test_bundled_models_hold_no_fingerprints() -> None:
    for path in bundled_models().values():
        assert Checkpoint.load(path).fingerprints is None
