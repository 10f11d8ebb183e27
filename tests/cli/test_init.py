"""`--init MODEL`: a model is trained further on a small set with a label of one's own."""

import json
from pathlib import Path

import pytest
from click.testing import Result

from molvae.checkpoint import Checkpoint
from molvae.chem.properties import measure
from molvae.chem.smiles import standardize
from molvae.dataset import MoleculeDataset
from molvae.training_index import BloomFilter, molecule_hash
from tests.cli.running import invoke, rows_of, write_rows
from tests.drugs import DRUGS

BROMIDES = ("Brc1ccccc1", "Cc1ccc(Br)cc1", "OC(=O)c1ccc(Br)cc1", "CC(C)C(Br)C(=O)NC(N)=O")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared small set: 60 drugs and 4 bromides, with a potency that falls with LogP."""
    folder = tmp_path_factory.mktemp("small")
    rows = [("smiles", "potency")]
    for smiles in (*(smiles for _, smiles in DRUGS[:60]), *BROMIDES):
        (logp,) = measure(standardize(smiles)[1], ["LogP"])
        rows.append((smiles, f"{7 - logp:.2f}"))
    write_rows(folder / "small.csv", rows)
    invoke(
        *("prepare", folder / "small.csv", "-o", folder / "small.molvae", "--label", "potency"),
        *("--properties", "MW,LogP,TPSA,QED", "--min-count", 1, "--validation", 0.2, "-j", 1, "-q"),
    )
    return folder / "small.molvae"


def train(dataset: Path, run: Path, *words: object, code: int = 0) -> Result:
    return invoke("train", dataset, "-o", run, "--no-measure", *words, code=code)


@pytest.fixture(scope="module")
def trained(
    small: Path, tiny_model_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Result]:
    """A run folder, and what the command said."""
    run = tmp_path_factory.mktemp("fine") / "run"
    done = train(small, run, "--init", tiny_model_file, "--epochs", 2)
    return run, done


def test_all_that_joins_and_all_that_lacks_is_said(
    trained: tuple[Path, Result], tiny_model_file: Path
) -> None:
    said = trained[1].stderr
    assert f"Begins with {tiny_model_file.parent.name} " in said
    assert "new symbols, which begin as the mean of those that bond like them: [Br]\n" in said
    assert "new to the model: potency\n" in said
    assert "not in the dataset" not in said


def test_the_model_knows_its_label_and_where_it_came_from(trained: tuple[Path, Result]) -> None:
    run = trained[0]
    told = json.loads(invoke("info", run, "--json").stdout)
    assert told["normalizer"]["names"] == ["MW", "LogP", "TPSA", "QED", "potency"]
    assert "[Br]" in told["symbols"]
    origin = told["provenance"]["init"]
    assert (origin["columns"], origin["symbols"], origin["missing"]) == (["potency"], ["[Br]"], [])
    assert told["provenance"]["novel_against"].endswith("that of the model it began with")
    assert told["provenance"]["train"]["kl_warmup"] == 0
    assert told["provenance"]["head"]["errors"]["potency"]["molecules"] > 5
    drawn = invoke("generate", run, "-n", 3, "-t", "potency=5", "--tier", "raw", "--seed", 1)
    assert "predicted_potency" in drawn.stdout.splitlines()[0]


def test_the_end_tells_the_held_out_error_of_each_label(trained: tuple[Path, Result]) -> None:
    run, done = trained
    found = json.loads(invoke("info", run, "--json").stdout)["provenance"]["head"]["errors"]
    error = found["potency"]["mae"]
    assert f"\npotency: mean error {error:.3g}, R2 " in done.stderr
    assert "LogP: mean error" not in done.stderr
    assert "generate leaves out molecules of the training set; --no-novel keeps" in done.stderr


def test_a_small_set_ends_early_by_default(trained: tuple[Path, Result]) -> None:
    provenance = json.loads(invoke("info", trained[0], "--json").stdout)["provenance"]
    assert provenance["train"]["patience"] == 3


def test_molecules_of_the_training_set_are_left_out_by_default_and_that_is_told_first(
    trained: tuple[Path, Result], tmp_path: Path
) -> None:
    """The model's index is made to know 20 of the 30 molecules that it writes."""
    run = ("generate", trained[0], "-n", 30, "--tier", "raw", "--seed", 1)
    smiles = [row["SMILES"] for row in rows_of(invoke(*run).stdout)]
    checkpoint = Checkpoint.load(trained[0] / "model.safetensors")
    checkpoint.index = BloomFilter.of(molecule_hash(smiles[:20]))
    checkpoint.save(tmp_path / "model.safetensors")
    words = ("generate", tmp_path / "model.safetensors", *run[2:], "--json")
    done = invoke(*words)
    found = json.loads(done.stdout)
    assert all(row["novel"] for row in found["molecules"])
    share = found["refusals"]["in the training set"] / found["draws"]
    assert share > 0.2
    told = f"{share:.0%} of the draws are molecules of the training set: left out, the default"
    assert done.stderr.startswith(told)
    kept = invoke(*words, "--no-novel")
    assert kept.stderr.startswith("67% of the draws are molecules of the training set: --novel")
    assert [row["SMILES"] for row in json.loads(kept.stdout)["molecules"]] == smiles


def test_a_resume_needs_no_init_and_takes_no_other(
    trained: tuple[Path, Result],
    small: Path,
    tiny_model_file: Path,
    tmp_path: Path,
) -> None:
    run = tmp_path / "run"
    train(small, run, "--init", tiny_model_file, "--epochs", 1)
    other = train(small, run, "--resume", "--init", "druglike", "--epochs", 2, code=2)
    assert "this training began with" in other.stderr
    for words in ((), ("--init", tiny_model_file)):
        done = train(small, run, "--resume", "--epochs", 2 + len(words), *words)
        assert "Begins with" in done.stderr
        assert "differ" not in done.stderr


def test_starting_over_without_init_forgets_the_model(
    small: Path, tiny_model_file: Path, tmp_path: Path
) -> None:
    run, sizes = tmp_path / "run", ("--decoder-size", 16, "--encoder-size", 8, "--symbol-size", 8)
    train(small, run, "--init", tiny_model_file, "--epochs", 1)
    assert (run / "initial.safetensors").exists()
    train(small, run, "--force", "--epochs", 1, *sizes)
    assert not (run / "initial.safetensors").exists()
    train(small, run, "--resume", "--epochs", 2)
    again = train(small, run, "--resume", "--init", tiny_model_file, code=2)
    assert "began with random weights" in again.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--decoder-size", 64), "decoder_size = 64: "),
        (("--preset", "base"), "preset base, symbol_size = 128: "),
    ],
)
def test_other_sizes_than_the_models_are_refused(
    small: Path,
    tiny_model_file: Path,
    tmp_path: Path,
    words: tuple[object, ...],
    message: str,
) -> None:
    done = train(small, tmp_path / "run", "--init", tiny_model_file, *words, code=2)
    assert message in done.stderr
    assert "and a model keeps its " in done.stderr


def test_dropout_is_no_size(small: Path, tiny_model_file: Path, tmp_path: Path) -> None:
    words = ("--init", tiny_model_file, "--dropout", 0.1, "--epochs", 1)
    train(small, tmp_path / "run", *words)


def test_a_model_that_is_not_there_is_said_to_be_none(small: Path, tmp_path: Path) -> None:
    done = train(small, tmp_path / "run", "--init", "drug-like", code=3)
    assert "did you mean 'druglike'" in done.stderr
    assert not (tmp_path / "run").exists()


def prepare(small: Path, target: Path, *words: object, code: int = 0) -> Result:
    return invoke(
        *("prepare", small.parent / "small.csv", "-o", target, "--label", "potency"),
        *("--validation", 0.2, "-j", 1, *words),
        code=code,
    )


def test_a_set_is_prepared_in_the_form_of_the_model(
    small: Path, tiny_model_file: Path, tmp_path: Path
) -> None:
    prepare(small, tmp_path / "d.molvae", "--init", tiny_model_file)
    dataset = MoleculeDataset.load(tmp_path / "d.molvae")
    assert dataset.normalizer.names == ("MW", "LogP", "TPSA", "QED", "potency")
    train(tmp_path / "d.molvae", tmp_path / "run", "--init", tiny_model_file, "--epochs", 1)


def test_what_the_model_knows_is_never_rare(
    small: Path, tiny_model_file: Path, tmp_path: Path
) -> None:
    """A symbol then needs 128 molecules, twice as many as there are."""
    words = ("--init", tiny_model_file, "--min-count", 40_000)
    done = prepare(small, tmp_path / "d.molvae", *words)
    assert f"{len(BROMIDES)} rejected\n  rare symbol: {len(BROMIDES)}\n" in done.stderr
    alone = prepare(small, tmp_path / "e.molvae", *words[2:], code=3)
    assert "rare symbol 64" in alone.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--stereo",), "stereo = True: "),
        (("--no-uncharge",), "uncharge = False: "),
        (("--properties", "LogP,Fsp3"), " was trained with MW, TPSA, QED as well"),
        (("--properties", "none"), " was trained with MW, LogP, TPSA, QED as well"),
    ],
)
def test_a_form_that_contradicts_the_model_is_refused(
    small: Path,
    tiny_model_file: Path,
    tmp_path: Path,
    words: tuple[object, ...],
    message: str,
) -> None:
    done = prepare(small, tmp_path / "d.molvae", "--init", tiny_model_file, *words, code=2)
    assert message in done.stderr
    assert "Leave the option out, or prepare without --init" in done.stderr


def test_more_properties_than_the_models_are_welcome(
    small: Path, tiny_model_file: Path, tmp_path: Path
) -> None:
    words = ("--init", tiny_model_file, "--properties", "QED,Fsp3,TPSA,MolLogP,MW")
    prepare(small, tmp_path / "d.molvae", *words)
    names = MoleculeDataset.load(tmp_path / "d.molvae").normalizer.names
    assert names == ("QED", "Fsp3", "TPSA", "LogP", "MW", "potency")


def test_the_dataset_itself_is_not_changed(small: Path) -> None:
    names = MoleculeDataset.load(small).normalizer.names
    assert names == ("MW", "LogP", "TPSA", "QED", "potency")
