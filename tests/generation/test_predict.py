"""The property head's word on molecules from anywhere."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rdkit import Chem

from molvae.checkpoint import Checkpoint
from molvae.chem.properties import measure
from molvae.chem.smiles import canonicalize
from molvae.errors import ArtifactError, Rejected, UsageError
from molvae.generation.model import LoadedModel
from molvae.generation.predict import stated_errors
from molvae.generator import MoleculeGenerator
from tests.drugs import DRUGS

ASPIRIN, CAFFEINE = "CC(=O)Oc1ccccc1C(=O)O", "Cn1c(=O)c2c(ncn2C)n(C)c1=O"


@pytest.fixture(scope="module")
def tiny(tiny_model_file: Path) -> MoleculeGenerator:
    return MoleculeGenerator.load(tiny_model_file)


@pytest.fixture(scope="module")
def druglike() -> MoleculeGenerator:
    return MoleculeGenerator.load("druglike")


def test_readings_are_those_of_the_head_in_the_units_of_the_properties(
    tiny: MoleculeGenerator,
) -> None:
    codes = torch.from_numpy(tiny.encode([ASPIRIN, CAFFEINE]))
    with torch.inference_mode():
        standardized = tiny.checkpoint.model.predict_properties(codes).numpy()
    expected = tiny.normalizer.restore(standardized)
    for row, prediction in zip(expected, tiny.predict([ASPIRIN, CAFFEINE]), strict=True):
        assert list(prediction.values) == ["MW", "LogP", "TPSA", "QED"]
        assert list(prediction.values.values()) == pytest.approx(list(row), rel=1e-5)


def test_a_prediction_depends_on_neither_spelling_nor_company(tiny: MoleculeGenerator) -> None:
    alone = tiny.predict([ASPIRIN])[0].values
    many = [smiles for _, smiles in DRUGS[:100]]
    among = tiny.predict([*many, "OC(=O)c1ccccc1OC(C)=O", *many])[100].values
    assert list(among.values()) == pytest.approx(list(alone.values()), rel=1e-4)


def test_known_drugs_are_read_within_the_stated_error(druglike: MoleculeGenerator) -> None:
    """Within 2.5 times, since approved drugs are not ZINC's; the mean would be 5 times off."""
    drugs = [canonicalize(smiles, stereo=False) for _, smiles in DRUGS]
    drugs = [smiles for smiles in drugs if "." not in smiles]
    found = druglike.predict(drugs)
    stated = dict(
        zip(
            druglike.normalizer.names,
            druglike.checkpoint.provenance["health"]["property_mae"],
            strict=True,
        )
    )
    home = [row for row, prediction in enumerate(found) if not prediction.ood]
    assert len(home) > 150
    known = np.array([measure(Chem.MolFromSmiles(drugs[row]), druglike.measured) for row in home])
    for column, name in enumerate(druglike.measured):
        read = np.array([found[row].values[name] for row in home])
        mae = np.abs(read - known[:, column]).mean() / druglike.normalizer.scale[column]
        assert mae < 2.5 * stated[name], name


def test_molecules_unlike_the_training_set_are_marked_and_their_readings_are_worse(
    druglike: MoleculeGenerator,
) -> None:
    drugs = [canonicalize(smiles, stereo=False) for _, smiles in DRUGS]
    drugs = [smiles for smiles in drugs if "." not in smiles]
    errors: dict[bool, list[float]] = {True: [], False: []}
    for smiles, prediction in zip(drugs, druglike.predict(drugs), strict=True):
        if prediction.values:
            (mw,) = measure(Chem.MolFromSmiles(smiles), ["MW"])
            errors[bool(prediction.ood)].append(abs(float(prediction.values["MW"]) - mw))  # type: ignore[arg-type]
    assert np.mean(errors[True]) > 2 * np.mean(errors[False])


def test_it_is_said_how_a_molecule_differs(druglike: MoleculeGenerator) -> None:
    ordinary, ethanol, chain, borole = druglike.predict(
        ["CC(=O)Nc1ccc(OCC(=O)N2CCCC2)cc1", "CCO", "C" * 120, "OB(O)c1ccc(CC2CCNCC2)cc1"]
    )
    assert ordinary.ood == ""
    assert ethanol.ood.startswith("MW 46.1 is outside 155..498")
    assert "120 symbols, the model knows up to" in chain.ood
    assert chain.values
    assert borole.ood.startswith("symbol unknown to the model: [B]")
    assert borole.values == {}


def test_errors_are_those_of_the_head_or_of_the_health_card(
    tiny: MoleculeGenerator, druglike: MoleculeGenerator
) -> None:
    head = tiny.checkpoint.provenance["head"]["errors"]
    assert stated_errors(tiny.model) == head
    provenance = druglike.checkpoint.provenance
    card = provenance["health"]
    without = {key: value for key, value in provenance.items() if key != "head"}
    old = stated_errors(LoadedModel(replace(druglike.checkpoint, provenance=without)))["MW"]
    assert old == {
        "molecules": card["molecules"],
        "mae": pytest.approx(card["property_mae"][0] * druglike.normalizer.scale[0]),
    }


@pytest.mark.parametrize("errors", [5, {"LogP": 3}, {"LogP": {"mae": "small"}}, None])
def test_errors_that_are_none_are_refused(tiny_model_file: Path, errors: object) -> None:
    checkpoint = Checkpoint.load(tiny_model_file)
    checkpoint.provenance["head"] = {"errors": errors}
    with pytest.raises(ArtifactError, match="damaged: its stated errors"):
        stated_errors(LoadedModel(checkpoint))


def test_what_is_no_molecule_is_refused(tiny: MoleculeGenerator) -> None:
    with pytest.raises(Rejected, match="not a molecule"):
        tiny.predict([ASPIRIN, "C1CC"])
    with pytest.raises(UsageError, match=r"give a list of SMILES"):
        tiny.predict(ASPIRIN)
    with pytest.raises(UsageError, match=r"give a list of SMILES"):
        tiny.predict([])
