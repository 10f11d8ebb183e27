from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from molvae import dataset
from molvae.dataset import FORMAT, RINGS, SPLIT_NAMES, MoleculeDataset
from molvae.errors import ArtifactError, UsageError
from molvae.files import store

Change = Callable[[dict[str, np.ndarray], dict[str, Any]], object]


def rewritten(path: Path, out: Path, change: Change) -> Path:
    """Alter arrays and header and give them a digest that fits."""
    arrays, header = store.read(path, kind="dataset", format=FORMAT)
    change(arrays, header)
    store.write(out, arrays, header, kind="dataset", format=FORMAT)
    return out


def test_saved_dataset_comes_back_equal(drug_dataset: MoleculeDataset, tmp_path: Path) -> None:
    drug_dataset.save(tmp_path / "again")
    again = MoleculeDataset.load(tmp_path / "again")
    for name in ("ids", "offsets", "properties", "split", "hashes"):
        np.testing.assert_array_equal(getattr(again, name), getattr(drug_dataset, name))
        assert getattr(again, name).dtype == getattr(drug_dataset, name).dtype
    assert again.vocabulary == drug_dataset.vocabulary
    assert again.normalizer.to_dict() == drug_dataset.normalizer.to_dict()
    assert again.provenance == drug_dataset.provenance
    assert again.fingerprint == drug_dataset.fingerprint


def test_every_molecule_is_in_one_split(drug_dataset: MoleculeDataset) -> None:
    members = np.concatenate([drug_dataset.members(name) for name in SPLIT_NAMES])
    assert sorted(members) == list(range(drug_dataset.size))
    with pytest.raises(UsageError, match="unknown split 'valid': one of train, validation, test"):
        drug_dataset.members("valid")


def test_molecules_are_stored_end_to_end(drug_dataset: MoleculeDataset) -> None:
    molecules = [drug_dataset.molecule(index) for index in range(drug_dataset.size)]
    np.testing.assert_array_equal(np.concatenate(molecules), drug_dataset.ids)
    np.testing.assert_array_equal([len(ids) for ids in molecules], drug_dataset.lengths)


@pytest.mark.parametrize("name", ["ids", "properties", "split", "hashes"])
def test_fingerprint_is_of_all_that_is_trained_on(drug_dataset: MoleculeDataset, name: str) -> None:
    array = getattr(drug_dataset, name).copy()
    array.flat[-1] += 1
    changed = drug_dataset._replace(**{name: array})
    assert changed.fingerprint != drug_dataset.fingerprint
    assert drug_dataset._replace(provenance={}).fingerprint == drug_dataset.fingerprint


def test_flipped_bytes_are_refused(drug_dataset_file: Path, tmp_path: Path) -> None:
    content = drug_dataset_file.read_bytes()
    path = tmp_path / "damaged"
    for position in np.random.default_rng(0).choice(len(content), 60, replace=False):
        damaged = bytearray(content)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        with pytest.raises(ArtifactError) as caught:
            MoleculeDataset.load(path)
        assert str(path) in str(caught.value)


DAMAGES: dict[str, Change] = {
    "no ids": lambda a, h: a.pop("ids"),
    "no symbols": lambda a, h: h.pop("symbols"),
    "symbols that are none": lambda a, h: h.update(symbols=["C", "N"]),
    "symbols that are not even text": lambda a, h: h.update(symbols=[1, None]),
    "fewer symbols than ids": lambda a, h: h.update(symbols=h["symbols"][:-1]),
    "no normalizer": lambda a, h: h.update(normalizer=None),
    "no provenance": lambda a, h: h.update(provenance=3),
    "special ids": lambda a, h: a["ids"].__setitem__(0, 2),
    "missing molecule": lambda a, h: a.update(split=a["split"][:-1]),
    "missing property": lambda a, h: a.update(properties=a["properties"][:, :-1]),
    "missing hash": lambda a, h: a.update(hashes=a["hashes"][1:]),
    "molecule without symbols": lambda a, h: a["offsets"].__setitem__(1, 0),
    "offsets that go back": lambda a, h: a["offsets"].__setitem__(1, 10**9),
    "offsets that end early": lambda a, h: a["offsets"].__setitem__(-1, a["offsets"][-1] - 1),
    "no offsets": lambda a, h: a.update(offsets=a["offsets"][:0]),
    "no molecules": lambda a, h: a.update(
        offsets=a["offsets"][:1],
        ids=a["ids"][:0],
        split=a["split"][:0],
        hashes=a["hashes"][:0],
        properties=a["properties"][:0],
    ),
    "offsets in rows": lambda a, h: a.update(offsets=a["offsets"][:, None]),
    "ids in rows": lambda a, h: a.update(ids=a["ids"][None]),
    "ids of another type": lambda a, h: a.update(ids=a["ids"].astype(np.float32)),
    "offsets of another type": lambda a, h: a.update(offsets=a["offsets"].astype(np.float64)),
    "fingerprints of another width": lambda a, h: a.update(
        {dataset.FINGERPRINTS: a[dataset.FINGERPRINTS][:, :-1]}
    ),
    "fingerprints of another type": lambda a, h: a.update(
        {dataset.FINGERPRINTS: a[dataset.FINGERPRINTS].astype(np.float32)}
    ),
    "rings without a header": lambda a, h: h.pop("rings"),
    "rings that are another number": lambda a, h: h["rings"].update(systems=3),
    "rings in no order": lambda a, h: a.update({RINGS: a[RINGS][::-1].copy()}),
    "rings that are no text": lambda a, h: a.update({RINGS: a[RINGS] | 128}),
    "rings of another type": lambda a, h: a.update({RINGS: a[RINGS].astype(np.int32)}),
    "hashes of another type": lambda a, h: a.update(hashes=a["hashes"].astype(np.int64)),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_parts_that_do_not_fit_together_are_refused(
    name: str, drug_dataset_file: Path, tmp_path: Path
) -> None:
    path = rewritten(drug_dataset_file, tmp_path / "damaged", DAMAGES[name])
    with pytest.raises(ArtifactError, match="damaged: ") as caught:
        MoleculeDataset.load(path)
    assert str(path) in str(caught.value)


def test_a_dataset_of_the_first_format_loads_without_fingerprints_and_ring_systems(
    drug_dataset_file: Path, tmp_path: Path
) -> None:
    arrays, header = store.read(drug_dataset_file, kind="dataset", format=FORMAT)
    del arrays[RINGS], header["rings"], arrays[dataset.FINGERPRINTS]
    store.write(tmp_path / "old", arrays, header, kind="dataset", format=1)
    old, new = (MoleculeDataset.load(path) for path in (tmp_path / "old", drug_dataset_file))
    assert (old.rings, old.training_fingerprints) == (None, None)
    assert new.rings is not None
    assert "c1ccccc1" in new.rings.systems
    assert old.fingerprint == new.fingerprint


def test_checkpoint_is_no_dataset(tiny_model_file: Path) -> None:
    with pytest.raises(ArtifactError, match="a molvae checkpoint, where a dataset is expected"):
        MoleculeDataset.load(tiny_model_file)
