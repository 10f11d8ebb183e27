"""Molecules through a model and back."""

from pathlib import Path

import numpy as np
import pytest
import torch

from molvae.chem.selfies import decode_canonical
from molvae.data.molecules import PreparedMolecule, standardize_and_measure
from molvae.generation.decoded import own_points, tanimoto
from molvae.generation.encode import TILE, read, write_codes
from molvae.generation.reconstructions import reconstruct_all
from molvae.generator import MoleculeGenerator
from molvae.train.package import package
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
        package(memorized.model, memorized.dataset, train=tiny.TRAIN, trained={})
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
    back = reconstruct_all(scholar.checkpoint, known)
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
    for each in reconstruct_all(scholar.checkpoint, strangers):
        assert each.tanimoto == tanimoto(each.smiles, each.written)
        assert each.exact <= (each.tanimoto == 1.0)
    assert reconstruct_all(scholar.checkpoint, []) == []


def test_withheld_properties_are_not_told_to_the_decoder(
    scholar: MoleculeGenerator, known: list[PreparedMolecule], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[np.ndarray] = []
    import molvae.generation.decoded

    def remember(checkpoint: object, codes: object, points: np.ndarray, **more: object) -> object:
        told.append(points)
        return write_codes(scholar.checkpoint, codes, points)  # type: ignore[arg-type]

    monkeypatch.setattr(molvae.generation.decoded, "write_codes", remember)
    reconstruct_all(scholar.checkpoint, known[:2])
    reconstruct_all(scholar.checkpoint, known[:2], alone=True)
    assert told[0].tolist() == [list(each.values) for each in known[:2]]
    assert np.isnan(told[1]).all()


def test_company_changes_no_molecule(tiny_model_file: Path) -> None:
    generator = MoleculeGenerator.load(tiny_model_file)
    checkpoint = generator.checkpoint
    molecules = seen_by(generator, [smiles for _, smiles in DRUGS[: TILE + 6]])
    means = read(checkpoint, [each.symbols for each in molecules]).mean
    points = own_points(checkpoint, molecules)
    together = write_codes(checkpoint, means, points)
    assert len(together) == len(molecules) > TILE
    rows = torch.tensor([TILE + 2, 3])
    assert write_codes(checkpoint, means[rows], points[rows]) == [together[row] for row in rows]
    for each in together:
        assert each.nll > 0
        assert isinstance(each.ended, bool)
