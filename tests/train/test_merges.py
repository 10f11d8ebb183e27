"""Frequent runs of symbols become tokens, and nothing else changes."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from molvae.checkpoint import FORMAT, KIND, Checkpoint
from molvae.chem.selfies import decode_canonical
from molvae.cli.initial import settings_of
from molvae.config import GenerateConfig
from molvae.dataset import MoleculeDataset
from molvae.errors import ArtifactError, MolvaeError
from molvae.files import store
from molvae.generation.decode import write
from molvae.generation.encode import predict, read
from molvae.generator import MoleculeGenerator
from molvae.train import merges
from molvae.train.initialization import begin_with
from molvae.train.merges import frequent_runs, with_merges
from molvae.vocabulary import MAX_RUN, SPECIAL
from tests.train.runs import TRAIN, assert_same, trainer

COUNT = 10
MERGING = replace(TRAIN, merges=COUNT)


@pytest.fixture(scope="module")
def merged(drug_dataset: MoleculeDataset) -> MoleculeDataset:
    return with_merges(drug_dataset, COUNT, seed=0)


@pytest.fixture(scope="module")
def model_file(drug_dataset: MoleculeDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("merging")
    assert trainer(drug_dataset, run, train=MERGING).fit()
    return run / "model.safetensors"


def symbols_of(dataset: MoleculeDataset) -> list[list[str]]:
    return [dataset.vocabulary.decode(dataset.molecule(i).tolist()) for i in range(dataset.size)]


def test_molecules_are_the_same_in_fewer_tokens(
    drug_dataset: MoleculeDataset, merged: MoleculeDataset
) -> None:
    assert len(merged.vocabulary) == len(drug_dataset.vocabulary) + COUNT
    assert symbols_of(merged) == symbols_of(drug_dataset)
    assert merged.lengths.mean() < 0.7 * drug_dataset.lengths.mean()
    assert merged.ids.dtype == np.uint16
    assert merged.fingerprint != drug_dataset.fingerprint
    assert merged.in_tokens_of(drug_dataset.vocabulary).fingerprint == drug_dataset.fingerprint


def test_runs_are_pairs_of_what_was_there_before_the_most_frequent_first(
    drug_dataset: MoleculeDataset, merged: MoleculeDataset
) -> None:
    tokens = {(symbol,) for symbol in drug_dataset.vocabulary.symbols}
    for run in merged.vocabulary.merges:
        assert any(run[:cut] in tokens and run[cut:] in tokens for cut in range(1, len(run)))
        tokens.add(run)
    text = [
        drug_dataset.vocabulary.decode(drug_dataset.molecule(index).tolist())
        for index in drug_dataset.members("train")
    ]
    first = merged.vocabulary.merges[0]
    pairs = [pair for symbols in text for pair in pairwise(symbols)]
    assert pairs.count(first) == max(map(pairs.count, set(pairs)))


def test_a_run_never_reaches_into_the_next_molecule_and_rare_ones_are_none() -> None:
    carbon, nitrogen, oxygen = len(SPECIAL), len(SPECIAL) + 1, len(SPECIAL) + 2
    molecules = [np.array([carbon, nitrogen])] * merges.LEAST
    assert frequent_runs(molecules, 5) == [(carbon, nitrogen)]
    assert frequent_runs(molecules[1:], 5) == []
    row = [np.array([oxygen] * 3)] * merges.LEAST
    assert frequent_runs(row, 5) == [(oxygen, oxygen), (oxygen, oxygen, oxygen)]
    chain = [np.array([carbon] * 4 * MAX_RUN)] * merges.LEAST
    assert max(map(len, frequent_runs(chain, 50))) == MAX_RUN


def test_without_merges_every_symbol_is_a_token(drug_dataset: MoleculeDataset) -> None:
    assert with_merges(drug_dataset, 0, seed=0) is drug_dataset


def test_a_model_of_tokens_writes_reads_and_scores_molecules(
    model_file: Path, drug_dataset: MoleculeDataset, merged: MoleculeDataset
) -> None:
    generator = MoleculeGenerator.load(model_file)
    assert generator.vocabulary == merged.vocabulary
    assert generator.max_tokens == merged.lengths[merged.members("train")].max()
    drawn = generator.draw(20, config=GenerateConfig(tier="raw", temperature=1.0), seed=1)
    assert len({molecule.smiles for molecule in drawn.molecules}) > 10
    smiles = [decode_canonical(symbols) for symbols in symbols_of(drug_dataset)[:5]]
    assert np.isfinite(generator.encode(smiles)).all()


def test_a_stopped_training_with_merges_ends_as_if_nothing_had_been(
    model_file: Path, drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    assert not trainer(drug_dataset, tmp_path, train=MERGING, stop_after=5).fit()
    assert trainer(drug_dataset, tmp_path, train=MERGING, resume=True).fit()
    assert_same(tmp_path, model_file.parent)


def test_a_model_older_than_merges_is_read_as_one_of_symbols(
    drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    assert trainer(drug_dataset, tmp_path, train=replace(MERGING, merges=0, epochs=1)).fit()
    path = tmp_path / "model.safetensors"
    arrays, header = store.read(path, kind=KIND, format=FORMAT)
    assert header.pop("merges") == []
    store.write(path, arrays, header, kind=KIND, format=FORMAT)
    assert Checkpoint.load(path).vocabulary == drug_dataset.vocabulary


@pytest.mark.parametrize("merges", [7, [["[C]"]], [["[C]", 7]], [[["[C]"], "[C]"]], {"a": 1}])
def test_merges_that_are_none_are_damage(model_file: Path, tmp_path: Path, merges: object) -> None:
    arrays, header = store.read(model_file, kind=KIND, format=FORMAT)
    path = tmp_path / "model.safetensors"
    store.write(path, arrays, {**header, "merges": merges}, kind=KIND, format=FORMAT)
    with pytest.raises(ArtifactError, match="damaged"):
        Checkpoint.load(path)


def test_further_training_keeps_the_tokens_of_the_model(
    model_file: Path, drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    checkpoint = Checkpoint.load(model_file)
    initial = begin_with(checkpoint, drug_dataset, name="merging")
    assert initial.checkpoint.vocabulary == checkpoint.vocabulary
    assert initial.dataset.vocabulary == checkpoint.vocabulary
    assert symbols_of(initial.dataset) == symbols_of(drug_dataset)
    weights = initial.checkpoint.model.state_dict()
    assert trainer(initial.dataset, tmp_path, train=MERGING, initial=weights).fit()
    assert Checkpoint.load(tmp_path / "model.safetensors").vocabulary == checkpoint.vocabulary


def test_a_model_of_symbols_is_trained_further_in_symbols(
    drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    plain = trainer(drug_dataset, tmp_path / "plain", train=replace(MERGING, merges=0, epochs=1))
    assert plain.fit()
    initial = begin_with(Checkpoint.load(plain.run / "model.safetensors"), drug_dataset, name="it")
    assert settings_of(initial, None).train.merges == 0
    weights = initial.checkpoint.model.state_dict()
    assert trainer(initial.dataset, tmp_path, train=MERGING, initial=weights).fit()
    assert Checkpoint.load(tmp_path / "model.safetensors").vocabulary.merges == ()


def test_a_training_goes_on_with_the_same_tokens_only(
    model_file: Path, drug_dataset: MoleculeDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merges, "LEAST", 150)  # as another version of molvae might choose
    assert len(with_merges(drug_dataset, 3, seed=0).vocabulary.merges) == 3
    with pytest.raises(MolvaeError, match="the dataset is another one"):
        trainer(drug_dataset, model_file.parent, train=MERGING, resume=True)


def test_a_generated_molecule_is_read_as_any_other(
    labelled_model_file: Path,
) -> None:
    checkpoint = Checkpoint.load(labelled_model_file)
    assert checkpoint.vocabulary.merges
    generator = MoleculeGenerator(checkpoint)
    config = GenerateConfig(tier="raw", temperature=1.5, noise=0.0, shortlist=1)
    free = np.full((200, len(generator.normalizer.names)), np.nan)
    draws = write(range(200), free, 0, checkpoint=checkpoint, config=config, seed=1)
    strings = [draw.symbols for draw in draws]
    expected = predict(checkpoint, read(checkpoint, strings).mean)
    given = [list(draw.predicted.values()) for draw in draws]
    np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-3)


def test_a_dataset_in_tokens_is_kept_in_symbols(
    merged: MoleculeDataset, drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    merged.save(tmp_path / "tokens.molvae")
    assert MoleculeDataset.load(tmp_path / "tokens.molvae").fingerprint == drug_dataset.fingerprint
