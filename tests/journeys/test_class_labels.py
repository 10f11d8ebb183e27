"""A class label, from the words in a table to molecules that are of the class."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from rdkit import Chem

from molvae.config import DataConfig, GenerateConfig
from molvae.data.prepare import prepare
from molvae.dataset import MoleculeDataset
from molvae.errors import UsageError
from molvae.generation.results import to_frame
from molvae.generator import MoleculeGenerator
from molvae.presets import Preset
from molvae.train import batches
from molvae.train.trainer import Trainer
from tests import tiny
from tests.cli.running import invoke, rows_of, write_rows
from tests.drugs import DRUGS

HALOGEN = Chem.MolFromSmarts("[F,Cl,Br,I]")
ACID = Chem.MolFromSmarts("[CX3](=O)[OX2H]")
AMINE = Chem.MolFromSmarts("[NX3;!$(N-*=[!#6]);!$(N-c);!$(N-S)]")
NO_FILTER = GenerateConfig(tier="raw")


def has_halogen(smiles: str) -> bool:
    return bool(Chem.MolFromSmiles(smiles).HasSubstructMatch(HALOGEN))


def charge_at_ph_7(smiles: str) -> str:
    """Roughly: what a chemist writes beside a structure."""
    mol = Chem.MolFromSmiles(smiles)
    acid, base = mol.HasSubstructMatch(ACID), mol.HasSubstructMatch(AMINE)
    return {(1, 0): "acid", (0, 1): "base", (0, 0): "neutral"}.get((acid, base), "")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> MoleculeDataset:
    """Drugs with two class labels; zwitterions have no kind."""
    path = tmp_path_factory.mktemp("classes") / "drugs.csv"
    rows = [(s, "yes" if has_halogen(s) else "no", charge_at_ph_7(s)) for _, s in DRUGS]
    write_rows(path, [("smiles", "halogen", "kind"), *rows])
    config = DataConfig(
        properties=("MW",), labels=("halogen", "kind"), min_count=1, validation=0.1, test=0.0
    )
    return prepare([path], config, jobs=0).dataset


@pytest.fixture(scope="module")
def run(dataset: MoleculeDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    assert Trainer(dataset, folder, Preset(tiny.MODEL, replace(tiny.TRAIN, epochs=12))).fit()
    return folder


@pytest.fixture(scope="module")
def generator(run: Path) -> MoleculeGenerator:
    return MoleculeGenerator.load(run)


generate = partial(invoke, "generate", "--tier", "raw", "--seed", 1)


def test_labels_by_structure_make_the_classes_they_should(dataset: MoleculeDataset) -> None:
    counts = dataset.provenance["tally"]["labels"]
    assert set(counts["kind"]["classes"]) == {"acid", "base", "neutral"}
    assert counts["kind"]["missing"] > 0
    hot = dataset.properties[:, dataset.normalizer.columns("kind")]
    unknown = np.isnan(hot).all(axis=1)
    assert int(unknown.sum()) == counts["kind"]["missing"]
    assert (hot[~unknown].sum(axis=1) == 1.0).all()


def test_training_hides_and_shows_the_columns_of_a_label_together(
    dataset: MoleculeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []

    def drop(
        conditions: torch.Tensor, generator: torch.Generator, *, groups: Sequence[int] | None
    ) -> torch.Tensor:
        seen.append(kept(conditions, generator, groups=groups))
        return seen[-1]

    kept = batches.drop_conditions
    monkeypatch.setattr(batches, "drop_conditions", drop)
    Trainer(dataset, tmp_path, Preset(tiny.MODEL, replace(tiny.TRAIN, epochs=1))).fit()
    shown = ~torch.isnan(torch.cat(seen))
    assert 0 < shown[:, 1].sum() < len(shown)
    for label in ("halogen", "kind"):
        columns = shown[:, dataset.normalizer.columns(label)]
        assert (columns.all(dim=1) == columns.any(dim=1)).all()


def test_a_class_that_is_asked_for_comes_more_often(generator: MoleculeGenerator) -> None:
    shares = {}
    for wanted in ("", "yes", "no"):
        asked: dict[str, str] = {"halogen": wanted} if wanted else {}
        found = generator.generate(100, asked, config=NO_FILTER, seed=0)
        shares[wanted] = np.mean([has_halogen(molecule.smiles) for molecule in found])
    assert shares["yes"] > shares[""] + 0.2
    assert shares["yes"] > shares["no"] + 0.5


def test_of_several_classes_the_training_set_says_how_many_of_each(
    generator: MoleculeGenerator,
) -> None:
    found = generator.generate(100, {"kind": "ACID|neutral"}, config=NO_FILTER, seed=0)
    assert {molecule.targets["kind"] for molecule in found} == {"acid|neutral"}
    assert [molecule.ood for molecule in found] == [False] * 100
    frame = to_frame(found)
    assert set(frame["predicted_kind"]) <= {"acid", "base", "neutral"}
    assert set(frame["target_kind"]) == {"acid|neutral"}


def test_tables_say_the_class_in_a_word_and_are_read_again(run: Path, tmp_path: Path) -> None:
    table = tmp_path / "new.csv"
    done = generate(run, "-n", 9, "-t", "Halogen=YES", "-t", "MW=300", "-o", table)
    rows = rows_of(table.read_text(encoding="utf-8"))
    kinds = [f"P(kind={word})" for word in ("acid", "base", "neutral")]
    assert list(rows[0])[2:12] == [
        *("MW", "predicted_halogen", "P(halogen=no)", "P(halogen=yes)"),
        *("predicted_kind", *kinds, "target_MW", "target_halogen"),
    ]
    for row in rows:
        assert sum(float(row[column]) for column in kinds) == pytest.approx(1.0, abs=1e-4)
    assert {row["target_halogen"] for row in rows} == {"yes"}
    assert {row["predicted_halogen"] for row in rows} <= {"yes", "no"}
    said = r"halogen: mean probability of the class 0\.\d+, [\d.]+ times its 0\.\d+ in the training"
    assert re.search(rf"{said} set, predicted by the model itself \(ROC AUC ", done.stderr)
    again = generate(run, "--targets", table, "--json")
    told = json.loads(again.stdout)
    assert {row["target_halogen"] for row in told["molecules"]} == {"yes"}
    control: Mapping[str, float] = told["control"]["halogen"]
    chances = [row["P(halogen=yes)"] for row in told["molecules"]]
    assert control["mean"] == pytest.approx(np.mean(chances), abs=1e-5)
    assert control["hit_rate"] == np.mean([p > control["base_rate"] for p in chances])
    checked = invoke("evaluate", str(table), "--json", "-j", "1")
    assert json.loads(checked.stdout)["counts"]["not_measurable"] == ["halogen"]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("halogen=maybe", "halogen = maybe: no such class. Its classes are no, yes."),
        ("kind=acids", "no such class; did you mean 'acid'? Its classes are acid, base, neutral."),
        ("kind=acid|bas", "kind = bas: no such class; did you mean 'base'?"),
        ("kind=1..2", "a range; kind has the classes acid, base, neutral"),
        ("MW=heavy", "'heavy' is not a finite number"),
        ("kinds=acid", "did you mean 'kind'? This model knows MW (Da), halogen (no, yes), kind ("),
    ],
)
def test_a_class_that_cannot_be_meant_exits_2_with_the_known_ones(
    run: Path, target: str, words: str
) -> None:
    done = generate(run, "-n", 1, "-t", target, code=2)
    assert done.stdout == ""
    assert words in " ".join(done.stderr.split())


def test_codes_are_decoded_for_a_class(generator: MoleculeGenerator) -> None:
    codes = generator.encode([smiles for _, smiles in DRUGS[:40]])
    written = {wanted: generator.decode(codes, {"halogen": wanted}) for wanted in ("yes", "no")}
    shares = {wanted: np.mean(list(map(has_halogen, made))) for wanted, made in written.items()}
    assert shares["yes"] > shares["no"]
    with pytest.raises(UsageError, match="no such class"):
        generator.decode(codes, {"halogen": "none"})
