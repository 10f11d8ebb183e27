"""Real molecules that a model is examined on, whatever file they are in."""

from pathlib import Path

import numpy as np
import pytest

from molvae.chem.selfies import decode_canonical
from molvae.config import DataConfig
from molvae.data.prepare import prepare
from molvae.dataset import MoleculeDataset
from molvae.errors import InputError, UsageError
from molvae.evaluate.work import Work
from molvae.generator import MoleculeGenerator
from molvae.suites.tokenized import load_tokenized, load_training_properties
from tests.drugs import DRUGS

SMILES = [smiles for _, smiles in DRUGS]


@pytest.fixture(scope="module")
def generator(tiny_model_file: Path) -> MoleculeGenerator:
    return MoleculeGenerator.load(tiny_model_file)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "drugs.csv"
    path.write_text("\n".join(["SMILES", *SMILES, "C1CC", "[Fe]CC", ""]))
    return path


def test_a_table_and_the_dataset_made_of_it_give_the_same_molecules(
    generator: MoleculeGenerator, table: Path, drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    path = tmp_path / "mine.molvae"
    drug_dataset._replace(split=np.full_like(drug_dataset.split, 2)).save(path)
    of_table, of_dataset = (
        load_tokenized(p, generator, split="test", limit=1000, seed=1, work=Work())
        for p in (table, path)
    )

    def molecules(known):
        dataset = known.dataset
        return {
            decode_canonical(dataset.vocabulary.decode(dataset.molecule(row).tolist())): tuple(
                dataset.properties[row].tolist()
            )
            for row in range(dataset.size)
        }

    assert molecules(of_table) == molecules(of_dataset)
    assert len(molecules(of_table)) > 250
    assert sum(of_table.left_out.values()) == len(SMILES) + 2 - of_table.dataset.size
    assert of_table.left_out["not a molecule"] == 1


def test_of_many_a_part_is_drawn_with_the_seed(generator: MoleculeGenerator, table: Path) -> None:
    first, again, other = (
        load_tokenized(table, generator, split="test", limit=40, seed=seed, work=Work())
        for seed in (1, 1, 2)
    )
    assert first.source == len(SMILES) + 2
    assert first.dataset.size <= 40
    assert np.array_equal(first.dataset.ids, again.dataset.ids)
    assert not np.array_equal(first.dataset.ids, other.dataset.ids)


def test_molecules_in_other_symbols_are_left_out_and_counted(
    generator: MoleculeGenerator, tmp_path: Path
) -> None:
    path = tmp_path / "a.smi"
    path.write_text("CCO\nC[Si](C)(C)C\n" + "C" * 400 + "\n")
    known = load_tokenized(path, generator, split="test", limit=9, seed=0, work=Work())
    assert known.dataset.size == 1
    assert sum(known.left_out.values()) == 2
    path.write_text("C[Si](C)(C)C\n")
    with pytest.raises(InputError, match=r"symbol unknown to the model \(1\)"):
        load_tokenized(path, generator, split="test", limit=9, seed=0, work=Work())


def test_a_dataset_prepared_in_another_form_is_refused(
    generator: MoleculeGenerator, table: Path, tmp_path: Path
) -> None:
    path = tmp_path / "flat.safetensors"
    config = DataConfig(stereo=not generator.standardization.stereo, min_count=1)
    prepare([table], config, jobs=0).dataset.save(path)
    with pytest.raises(UsageError, match="prepared with stereo"):
        load_tokenized(path, generator, split="train", limit=9, seed=0, work=Work())


def test_a_split_without_molecules_is_named(
    generator: MoleculeGenerator, drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    path = tmp_path / "all.safetensors"
    drug_dataset._replace(split=np.zeros_like(drug_dataset.split)).save(path)
    with pytest.raises(UsageError, match="no molecule is in its test split"):
        load_tokenized(path, generator, split="test", limit=9, seed=0, work=Work())


def test_a_training_set_is_measured_in_part_and_counted_whole(
    table: Path, drug_dataset_file: Path, drug_dataset: MoleculeDataset
) -> None:
    names = ("LogP", "TPSA")
    values, count = load_training_properties(table, names, limit=50, seed=0, work=Work())
    assert values.shape[1] == 2
    assert 45 <= len(values) <= 50
    assert count == len(SMILES) + 2
    values, count = load_training_properties(
        drug_dataset_file, names, limit=50, seed=0, work=Work()
    )
    assert count == len(values) == len(drug_dataset.members("train"))
