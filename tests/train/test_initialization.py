"""A trained model gets new symbols and labels, and keeps what it has learned."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from molvae.checkpoint import Checkpoint, find_model
from molvae.config import DataConfig, GenerateConfig
from molvae.data.prepare import prepare
from molvae.dataset import MoleculeDataset
from molvae.errors import ArtifactError, MolvaeError, UsageError
from molvae.generator import MoleculeGenerator
from molvae.train.extension import PER_SYMBOL
from molvae.train.initialization import Initial, begin_again, begin_with
from molvae.vocabulary import SPECIAL
from tests.drugs import DRUGS

RAW = GenerateConfig(tier="raw")  # the tiny model is a poor chemist: few draws need no repair
PROPERTIES = ("MW", "LogP", "TPSA", "QED")
BROMIDES = ("Brc1ccccc1", "Cc1ccc(Br)cc1", "OC(=O)c1ccc(Br)cc1", "CC(C)C(Br)C(=O)NC(N)=O")
Rows = Sequence[Mapping[str, object]]
Prepare = Callable[..., MoleculeDataset]


@pytest.fixture(scope="module")
def checkpoint(tiny_model_file: Path) -> Checkpoint:
    return Checkpoint.load(tiny_model_file)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Prepare:
    """Prepare a small set: 60 drugs and 4 bromides, with labels of one's own."""
    table = tmp_path_factory.mktemp("small") / "small.csv"

    def make(label: Callable[[int], object] = float, **settings: object) -> MoleculeDataset:
        molecules = [*(smiles for _, smiles in DRUGS[:60]), *BROMIDES]
        with table.open("w", newline="", encoding="utf-8") as file:
            rows = [(smiles, label(row)) for row, smiles in enumerate(molecules)]
            csv.writer(file).writerows([("smiles", "potency"), *rows])
        given = {"properties": PROPERTIES, "labels": ("potency",), "min_count": 1, **settings}
        return prepare([table], DataConfig(**given), jobs=0).dataset  # type: ignore[arg-type]

    return make


def logp_of(dataset: MoleculeDataset) -> MoleculeDataset:
    """Return the dataset with -2 LogP + 7 as its label, which LogP determines."""
    values = dataset.properties.copy()
    values[:, -1] = 7 - 2 * values[:, 1]
    normalizer = dataset.normalizer.fit(dataset.normalizer.names, values[dataset.split == 0])
    return dataset._replace(properties=values, normalizer=normalizer)


def test_a_model_extended_by_nothing_is_the_same_bit_for_bit(
    checkpoint: Checkpoint, drug_dataset: MoleculeDataset
) -> None:
    initial = begin_with(checkpoint, drug_dataset, name="tiny")
    before, after = checkpoint.model.state_dict(), initial.checkpoint.model.state_dict()
    assert {name for name in before if not torch.equal(before[name], after[name])} == set()
    assert initial.checkpoint.vocabulary == checkpoint.vocabulary
    assert initial.checkpoint.normalizer.to_dict() == checkpoint.normalizer.to_dict()
    assert initial.dataset.fingerprint == drug_dataset.fingerprint
    old, new = (
        MoleculeGenerator(c).generate(12, {"LogP": 2.0}, config=RAW, seed=1).molecules
        for c in (checkpoint, initial.checkpoint)
    )
    assert old == new


def test_known_symbols_keep_their_weights_and_new_ones_begin_like_similar_ones(
    checkpoint: Checkpoint, small: Prepare
) -> None:
    initial = begin_with(checkpoint, small(), name="tiny")
    known, vocabulary = checkpoint.vocabulary, initial.checkpoint.vocabulary
    assert initial.checkpoint.provenance["init"]["symbols"] == ["[Br]"]
    assert list(vocabulary.symbols) == sorted([*known.symbols, "[Br]"])
    before, after = checkpoint.model.state_dict(), initial.checkpoint.model.state_dict()
    places = [*range(len(SPECIAL)), *vocabulary.encode(known.symbols).tolist()]
    atoms = [int(known.encode([f"[{name}]"])[0]) for name in "C N O S F Cl P".split()]
    for name in PER_SYMBOL:
        assert torch.equal(after[name][places], before[name])
        bromine, kin = after[name][int(vocabulary.encode(["[Br]"])[0])], before[name][atoms]
        assert (bromine >= kin.amin(dim=0) - kin.std()).all()
        assert (bromine <= kin.amax(dim=0) + kin.std()).all()
        assert not torch.equal(bromine, kin.mean(dim=0))


def test_boronic_acids_and_silanes_extend_the_bundled_model(tmp_path: Path) -> None:
    """It was trained on neither, under constraints that knew no silicon."""
    boron = [f"OB(O)c1ccc({group})cc1" for group in ("F", "C", "OC", "C#N", "CN", "C(C)=O")]
    silicon = [f"C[Si](C)(C)c1ccc({group})cc1" for group in ("F", "C", "OC", "C#N", "CN")]
    silicon += ["C[SiH2]c1ccccc1", "C[Si](C)(C)C#CC=O"]
    table = tmp_path / "odd.csv"
    table.write_text("\n".join(["smiles,yield", *(f"{s},{len(s)}" for s in boron + silicon)]))
    config = DataConfig(labels=("yield",), min_count=1, validation=0.2)
    dataset = prepare([table], config, jobs=0).dataset
    assert dataset.size == 13
    initial = begin_with(Checkpoint.load(find_model("druglike")), dataset, name="druglike")
    assert initial.checkpoint.provenance["init"]["symbols"] == ["[B]", "[SiH2]", "[Si]"]
    assert initial.checkpoint.provenance["constraints"]["Si"] == 4
    generator = MoleculeGenerator(initial.checkpoint)
    found = generator.predict([boron[0], silicon[0]])
    assert all("yield" in prediction.values for prediction in found)
    assert len(generator.generate(4, {"yield": 20.0}, config=RAW, seed=1)) == 4


def test_molecules_and_values_do_not_change(checkpoint: Checkpoint, small: Prepare) -> None:
    dataset = small()
    found = begin_with(checkpoint, dataset, name="tiny").dataset
    for row in range(dataset.size):
        assert found.vocabulary.decode(found.molecule(row)) == dataset.vocabulary.decode(
            dataset.molecule(row)
        )
    assert found.normalizer.names == (*PROPERTIES, "potency")
    np.testing.assert_array_equal(found.properties, dataset.properties)


def test_known_properties_keep_their_scale_and_the_range_is_that_of_both(
    checkpoint: Checkpoint, small: Prepare
) -> None:
    dataset = small()
    known, other = checkpoint.normalizer, dataset.normalizer
    merged = begin_with(checkpoint, dataset, name="tiny").checkpoint.normalizer
    np.testing.assert_array_equal(merged.mean[:4], known.mean)
    np.testing.assert_array_equal(merged.scale[:4], known.scale)
    np.testing.assert_array_equal(merged.low[:4], np.minimum(known.low, other.low[:4]))
    np.testing.assert_array_equal(merged.high[:4], np.maximum(known.high, other.high[:4]))
    np.testing.assert_array_equal(merged.quantiles[:4, 1:-1], other.quantiles[:4, 1:-1])
    assert (merged.mean[4], merged.scale[4]) == (other.mean[4], other.scale[4])


def reading(initial: Initial) -> tuple[np.ndarray, np.ndarray]:
    """Return the head's predictions of the label and of LogP, standardized."""
    smiles = [smiles for _, smiles in DRUGS[:60]]
    codes = MoleculeGenerator(initial.checkpoint).encode(smiles)
    read = initial.checkpoint.model.predict_properties(torch.from_numpy(codes)).detach().numpy()
    return read[:, 4], read[:, 1]


def test_a_label_begins_as_a_regression_on_the_known_properties(
    checkpoint: Checkpoint, small: Prepare
) -> None:
    initial = begin_with(checkpoint, logp_of(small()), name="tiny")
    label, logp = reading(initial)
    assert np.corrcoef(label, logp)[0, 1] < -0.95
    columns = initial.checkpoint.model.state_dict()["conditions.layers.0.weight"].view(-1, 2, 5)
    own, of_logp = columns[:, 0, 4], columns[:, 0, 1]
    assert float(torch.corrcoef(torch.stack([own, of_logp]))[0, 1]) < -0.5
    assert not columns[:, 1, 4].any(), "a molecule without the label is what it was"


def test_a_label_of_noise_begins_with_weights_near_zero(
    checkpoint: Checkpoint, small: Prepare
) -> None:
    noise = np.random.default_rng(0).normal(size=100)
    related, unrelated = (
        begin_with(checkpoint, dataset, name="tiny").checkpoint.model.state_dict()
        for dataset in (logp_of(small()), small(lambda row: noise[row]))
    )
    for name, label in (("conditions.layers.0.weight", 4), ("property_head.2.weight", 4)):
        strong, weak = (
            w[name].view(-1, 2, 5)[:, 0, label] if name.startswith("cond") else w[name][label]
            for w in (related, unrelated)
        )
        assert weak.norm() < 0.5 * strong.norm()


def test_without_its_label_a_molecule_is_embedded_as_before(
    checkpoint: Checkpoint, small: Prepare
) -> None:
    extended = begin_with(checkpoint, small(labels=()), name="tiny").checkpoint.model
    labelled = begin_with(checkpoint, small(), name="tiny").checkpoint.model
    conditions = torch.tensor([[0.5, -0.2, float("nan"), 1.0]])
    with torch.inference_mode():
        old = checkpoint.model.conditions(conditions)
        new = labelled.conditions(torch.cat([conditions, torch.full((1, 1), float("nan"))], 1))
    torch.testing.assert_close(old, new)
    assert extended.state_dict()["conditions.layers.0.weight"].shape[1] == 8


def test_properties_that_the_dataset_lacks_stay_and_are_unspecified(
    checkpoint: Checkpoint, small: Prepare
) -> None:
    initial = begin_with(checkpoint, small(properties=("LogP", "Fsp3")), name="tiny")
    assert initial.dataset.normalizer.names == (*PROPERTIES, "Fsp3", "potency")
    assert np.isnan(initial.dataset.properties[:, [0, 2, 3]]).all()
    lines = "\n".join(initial.lines())
    assert "new to the model: Fsp3, potency" in lines
    assert "left unspecified: MW, TPSA, QED" in lines
    assert "new symbols, which begin as the mean of those that bond like them: [Br]" in lines


def test_classes_are_known_in_any_spelling_and_new_ones_join(
    checkpoint: Checkpoint, small: Prepare
) -> None:
    first = begin_with(checkpoint, small(lambda row: "Active" if row % 3 else "no"), name="a")
    assert first.dataset.normalizer.classes == {"potency": ("Active", "no")}
    words = ("active", "unclear", "")
    other = small(lambda row: words[row % 3])
    second = begin_with(first.checkpoint, other, name="b").dataset
    assert second.normalizer.classes == {"potency": ("Active", "no", "unclear")}
    columns = second.normalizer.columns("potency")
    assert second.provenance["init"]["columns"] == ["potency=unclear"]
    assert second.provenance["init"]["init"]["name"] == "a"
    rows = second.properties[:, columns]
    known = np.isfinite(rows).all(axis=1)
    assert known.sum() == np.isfinite(other.properties[:, -1]).sum() < second.size
    assert np.isnan(rows[~known]).all()
    np.testing.assert_array_equal(rows[known].sum(axis=1), 1.0)
    assert not rows[known, 1].any(), "none of the new set is a 'no'"


def test_a_number_cannot_become_a_class(checkpoint: Checkpoint, small: Prepare) -> None:
    first = begin_with(checkpoint, small(), name="a").checkpoint
    with pytest.raises(UsageError, match=r"'potency' is a class in the dataset and a number in"):
        begin_with(first, small(lambda row: "high" if row % 2 else "low"), name="b")


def test_another_standardization_is_refused_by_name(checkpoint: Checkpoint, small: Prepare) -> None:
    with pytest.raises(UsageError, match=r"with stereo = True, tiny was .* False.* --init tiny"):
        begin_with(checkpoint, small(stereo=True), name="tiny")


def test_a_model_without_its_training_settings_is_refused(
    tiny_model_file: Path, drug_dataset: MoleculeDataset
) -> None:
    for key in ("data", "constraints", "train", "longest"):
        checkpoint = Checkpoint.load(tiny_model_file)
        del checkpoint.provenance[key]
        with pytest.raises(ArtifactError, match="tiny: damaged: it does not say how"):
            begin_with(checkpoint, drug_dataset, name="tiny")
    with pytest.raises(ArtifactError, match="no model that a training began with"):
        begin_again(Checkpoint.load(tiny_model_file), drug_dataset)


def test_other_constraints_are_refused(checkpoint: Checkpoint, small: Prepare) -> None:
    dataset = small()
    fewer = {k: v for k, v in dataset.provenance["constraints"].items() if k != "S"}
    more = {**dataset.provenance["constraints"], "Xx": 4}
    wider, narrower = (
        dataset._replace(provenance={**dataset.provenance, "constraints": constraints})
        for constraints in (more, fewer)
    )
    begin_with(checkpoint, wider, name="tiny")
    with pytest.raises(UsageError, match="other SELFIES constraints"):
        begin_with(checkpoint, narrower, name="tiny")


def test_a_training_resumes_from_its_initial_model(
    checkpoint: Checkpoint, small: Prepare, tmp_path: Path
) -> None:
    dataset = small()
    first = begin_with(checkpoint, dataset, name="tiny")
    first.checkpoint.save(tmp_path / "initial.safetensors")
    again = begin_again(Checkpoint.load(tmp_path / "initial.safetensors"), dataset)
    assert again.dataset.fingerprint == first.dataset.fingerprint
    assert again.dataset.provenance == first.dataset.provenance
    assert again.lines() == first.lines()
    before, after = first.checkpoint.model.state_dict(), again.checkpoint.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    with pytest.raises(MolvaeError, match=r"another one than this training began with: Fsp3"):
        begin_again(first.checkpoint, small(properties=("LogP", "Fsp3")))


def test_the_extended_model_generates_and_encodes_before_its_first_step(
    checkpoint: Checkpoint, small: Prepare
) -> None:
    generator = MoleculeGenerator(begin_with(checkpoint, small(), name="tiny").checkpoint)
    assert generator.labels == ("potency",)
    assert len(generator.generate(4, {"potency": 30.0}, config=RAW, seed=1)) == 4
    assert generator.encode(["Brc1ccccc1"]).shape == (1, 8)
