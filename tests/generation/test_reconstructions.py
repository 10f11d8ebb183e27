"""Molecules through a model and back."""

from pathlib import Path

import numpy as np
import pytest
import torch

from molvae.chem.selfies import decode_canonical
from molvae.chem.similarity import tanimoto
from molvae.data.molecules import PreparedMolecule, standardize_and_measure
from molvae.generation.decode import GREEDY, reconstruct
from molvae.generation.model import LoadedModel
from molvae.generation.tiles import TILE
from molvae.generator import MoleculeGenerator
from molvae.train.package import build_checkpoint
from tests import tiny
from tests.conftest import Memorized
from tests.drugs import DRUGS


def seen_by(generator: MoleculeGenerator, smiles: list[str]) -> list[PreparedMolecule]:
    found = standardize_and_measure(generator.standardization, generator.measured, smiles)
    return [each for each in found if isinstance(each, PreparedMolecule)]


@pytest.fixture(scope="module")
def scholar(memorized: Memorized) -> MoleculeGenerator:
    """A model that knows 32 drugs by heart."""
    return MoleculeGenerator(
        build_checkpoint(memorized.model, memorized.dataset, train=tiny.TRAIN, trained={})
    )


@pytest.fixture(scope="module")
def known(memorized: Memorized, scholar: MoleculeGenerator) -> list[PreparedMolecule]:
    dataset = memorized.dataset
    rows = dataset.members("validation")
    return seen_by(
        scholar,
        [
            decode_canonical(dataset.vocabulary.decode(dataset.molecule(row).tolist()))
            for row in rows
        ],
    )


def test_what_a_model_knows_by_heart_comes_back(
    scholar: MoleculeGenerator, known: list[PreparedMolecule]
) -> None:
    back = reconstruct(scholar.model, known)
    assert [each.smiles for each in back] == [each.smiles for each in known]
    exact = [each for each in back if each.exact]
    assert len(exact) >= 24
    for each in exact:
        assert (each.written, each.tanimoto, each.consistent) == (each.smiles, 1.0, True)
    for each in back:
        assert each.exact == (each.written == each.smiles)


def test_what_comes_back_is_compared_with_its_own_molecule(
    scholar: MoleculeGenerator, known: list[PreparedMolecule]
) -> None:
    strangers = seen_by(scholar, [smiles for _, smiles in DRUGS[:40]])
    for each in reconstruct(scholar.model, strangers):
        assert each.tanimoto == tanimoto(each.smiles, each.written)
        assert each.exact <= (each.tanimoto == 1.0)
    assert reconstruct(scholar.model, []) == []


def test_withheld_properties_are_not_told_to_the_decoder(
    scholar: MoleculeGenerator, known: list[PreparedMolecule], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[np.ndarray] = []
    decode = LoadedModel.decode

    def remember(model: LoadedModel, codes: object, points: np.ndarray, *more: object) -> object:
        told.append(points)
        return decode(model, codes, points, GREEDY)  # type: ignore[arg-type]

    monkeypatch.setattr(LoadedModel, "decode", lambda *words, uniforms: remember(*words))
    reconstruct(scholar.model, known[:2])
    reconstruct(scholar.model, known[:2], alone=True)
    assert told[0].tolist() == [list(each.values) for each in known[:2]]
    assert np.isnan(told[1]).all()


def test_company_changes_no_molecule(tiny_model_file: Path) -> None:
    generator = MoleculeGenerator.load(tiny_model_file)
    model = generator.model
    molecules = seen_by(generator, [smiles for _, smiles in DRUGS[: TILE + 6]])
    means = model.encode([each.symbols for each in molecules]).mean
    points = model.own_points(molecules)
    together = model.decode(means, points, GREEDY)
    assert len(together) == len(molecules) > TILE
    rows = torch.tensor([TILE + 2, 3])
    assert model.decode(means[rows], points[rows], GREEDY) == [together[row] for row in rows]
    for each in together:
        assert each.nll > 0
        assert isinstance(each.ended, bool)
