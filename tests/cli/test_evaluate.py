import gzip
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import invoke
from tests.drugs import DRUGS

SMILES = [smiles for _, smiles in DRUGS]


@pytest.fixture
def table(tmp_path: Path):
    """Write a table: `table("SMILES", "CCO", "")`, one line each."""

    def write(*lines: str, name: str = "generated.csv") -> Path:
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return write


evaluate = partial(invoke, "evaluate", "-j", 1)


def report(*arguments: object) -> dict[str, Any]:
    """Run the command with `--json` and return what it printed, read."""
    found: dict[str, Any] = json.loads(evaluate(*arguments, "--json").stdout)
    return found


def test_rows_without_a_molecule_stay_in_the_denominator(table) -> None:
    path = table("SMILES,ID", "CCO,1", ",2", "C1CC,3", "OCC,4", '"",5')
    found = report(path)
    assert found["counts"]["generated"] == 5
    assert found["counts"]["invalid"] == {"empty": 2, "not a molecule": 1}
    assert found["values"]["validity"] == 2 / 5
    assert found["values"]["uniqueness"] == 1 / 2


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("g.csv", ("SMILES", "CCO", "", "", "CCN", "", "C")),
        ("g.smi", ("CCO", "", "", "CCN 7", "", "C")),
        ("g.smi", ("smiles\tid", "CCO\t1", "\t2", "", "CCN\t4", "", "C\t6")),
    ],
)
def test_a_blank_line_between_molecules_is_an_invalid_one(table, name, lines) -> None:
    found = report(table(*lines, name=name))
    assert (found["counts"]["generated"], found["counts"]["valid"]) == (6, 3)


def test_a_blank_line_in_a_table_of_several_columns_is_no_row(table) -> None:
    assert report(table("SMILES,ID", "CCO,1", "", "CCN,2"))["counts"]["generated"] == 2


def test_damaged_rows_count_as_invalid(table) -> None:
    path = table("SMILES,ID", "CCO,1", "CCN,2,3")
    done = evaluate(path, "--json")
    assert json.loads(done.stdout)["values"]["validity"] == 1 / 2
    assert "1 rows are damaged" in done.stderr


def test_damaged_rows_of_the_sets_to_compare_with_are_counted_each_time(table) -> None:
    sets = [
        table("SMILES,ID", "CCO,1", "CCN,2,3", "C1CC,4", name="training.csv"),
        table("SMILES,ID", "CC,1", 'CCC,"2', "CCCC,3", name="reference.csv"),
    ]
    for _ in range(2):  # the second time, the statistics come from the cache
        found = report(table("SMILES", "CCN"), "--training", sets[0], "--reference", sets[1])
        assert found["counts"]["training_invalid"] == 2
        assert found["counts"]["reference"] - found["counts"]["reference_valid"] == 1
        assert found["values"]["novelty"] == 1
        for words in ("2 rows of the training set", "1 rows of the reference set"):
            assert any(note.startswith(words) for note in found["notes"]), words


def test_target_columns_are_compared_with_what_the_molecules_are(table) -> None:
    path = table(
        "SMILES,HeavyAtoms,target_heavyatoms,target_QED",
        "CCO,99,3,0..1",
        "CCCC,99,..3,0.9..",
        "CC,99,,0..1",
        ",99,3,",
    )
    control = report(path)["values"]["control"]
    assert control["HeavyAtoms"]["asked"] == 3
    assert control["HeavyAtoms"]["mae"] == 0.5  # not the 99 that the file says
    assert control["HeavyAtoms"]["hit_rate"] == 1 / 3
    assert control["QED"]["hit_rate"] == 2 / 3
    assert control["joint"] == {"asked": 2, "hit_rate": 0.5}


def test_target_columns_keep_their_rows_beside_blank_lines(table) -> None:
    header = "smiles\ttarget_HeavyAtoms"
    path = table(header, "CC\t2", "", "CCC\t3", "", "", "CCCC\t4", name="g.smi")
    control = report(path)["values"]["control"]["HeavyAtoms"]
    assert (control["asked"], control["hit_rate"]) == (3, 1)
    assert control["slope"] == pytest.approx(1)


def test_a_target_that_is_no_property_may_hold_anything(table) -> None:
    found = report(table("SMILES,target_chembl_id,target_pIC50", "CCO,CHEMBL203,7"))
    assert found["counts"]["not_measurable"] == ["chembl_id", "pIC50"]
    assert "control" not in found["values"]


def test_the_class_of_a_label_cannot_be_measured_and_is_passed_over(table) -> None:
    found = report(table("SMILES,predicted_activity,target_activity", "CCO,CI,CI|CM", "CCN,CA,CA"))
    assert found["counts"]["not_measurable"] == ["activity"]
    assert "control" not in found["values"]


def test_a_target_that_cannot_be_read_is_named_with_its_row(table) -> None:
    done = evaluate(table("SMILES,target_LogP", "CCO,1", "CCN,high"), code=3)
    assert "generated.csv:3: column 'target_LogP'" in done.stderr
    assert "'high'" in done.stderr


def test_training_and_reference_tables_are_compared_with(table) -> None:
    path = table("SMILES", *SMILES[:20])
    training = table("C1=CC=CC=C1C", *SMILES[10:40], name="train.smi")
    found = report(path, "--training", training, "--reference", path)
    assert found["values"]["novelty"] == 0.5
    assert found["values"]["properties"]["LogP"]["wasserstein"] == 0
    assert found["counts"]["training"] == 31


def test_a_compressed_table_is_read(tmp_path) -> None:
    path = tmp_path / "g.smi.gz"
    path.write_bytes(gzip.compress(b"CCO\nCCN\n"))
    assert report(path)["counts"]["generated"] == 2


def test_the_seed_is_passed_on_and_kept_in_the_report(table) -> None:
    path = table("SMILES", "CCO", "CCN")
    assert report(path, "--seed", 7)["seed"] == 7
    assert report(path)["seed"] == 0


def test_a_table_with_columns_and_notes_is_printed(table) -> None:
    done = evaluate(table("SMILES", "CCO", "CCN"))
    assert done.stdout.startswith("2 molecules, 2 valid, 2 distinct")
    assert "validity" in done.stdout
    assert "SMILES in column 'SMILES'" in done.stderr
    assert "N = 2 is small" in done.stderr


def test_quiet_says_nothing_beside_the_result(table) -> None:
    assert evaluate(table("SMILES", "CCO", "CCN"), "-q").stderr == ""


def test_the_report_is_written_whole_and_not_over_another(table, tmp_path) -> None:
    path, out = table("SMILES", "CCO", "CCN"), tmp_path / "report.json"
    first = evaluate(path, "-o", out)
    assert first.stdout.startswith("2 molecules")
    written = json.loads(out.read_text())
    assert written["counts"]["generated"] == 2
    assert written["notes"]
    refused = evaluate(path, "-o", out, code=2)
    assert "--force" in refused.stderr
    evaluate(path, "-o", out, "--force")
    evaluate(path, "-o", path, "--force", code=2)
    assert path.read_text().startswith("SMILES")


def test_a_column_that_is_not_there_is_a_usage_error_that_lists_those_that_are(table) -> None:
    done = evaluate(table("SMILES,ID", "CCO,1"), "-s", "structure", code=2)
    assert "SMILES, ID" in done.stderr


def test_the_smiles_column_can_be_named(table) -> None:
    assert report(table("a,b", "CCO,CCN", "C,C1CC"), "-s", "B")["values"]["validity"] == 0.5


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("missing.csv",), 3, "missing.csv"),
        (("{}", "--training", "druglyke"), 3, "druglyke"),
        (("{}", "--suite", "everything"), 2, "basic"),
        (("{}", "-o", "/nowhere/report.json"), 2, "/nowhere"),
    ],
)
def test_what_cannot_be_done_ends_with_its_code(table, arguments, code, words) -> None:
    path = table("SMILES", "CCO", "CCN")
    done = evaluate(*(argument.format(path) for argument in arguments), code=code)
    assert words in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("Error")]) == 1


def test_a_table_without_rows_is_no_usable_input(table) -> None:
    evaluate(table("SMILES"), code=3)


def test_a_table_without_a_valid_molecule_is_a_finding(table) -> None:
    found = report(table("SMILES", "C1CC", "CC("))
    assert found["values"]["validity"] == 0
    assert found["values"]["IntDiv1"] is None


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """An untrained model that has seen the first 20 drugs."""
    torch = pytest.importorskip("torch")
    import numpy as np

    from molvae.checkpoint import Checkpoint
    from molvae.chem.smiles import standardize
    from molvae.config import DataConfig, ModelConfig, as_dict
    from molvae.model.cvae import ConditionalVAE
    from molvae.model.prior import JointGaussian
    from molvae.normalizer import PropertyNormalizer
    from molvae.training_index import BloomFilter, molecule_hash
    from molvae.vocabulary import Vocabulary

    config = ModelConfig(
        symbol_size=4, encoder_size=4, decoder_size=4, latent_size=2, condition_size=4
    )
    vocabulary = Vocabulary(["[C]", "[O]"])
    values = np.array([[0.0, 0.2], [2.0, 0.4]])  # LogP has a standard deviation of 1
    path = tmp_path / "tiny.molvae"  # its content, not its name, makes it a model
    Checkpoint(
        model=ConditionalVAE(config, len(vocabulary), 2),
        prior=JointGaussian.fit(torch.randn(9, 2), torch.ones(9, 2), torch.randn(9, 2)),
        vocabulary=vocabulary,
        normalizer=PropertyNormalizer.fit(("LogP", "QED"), values),
        index=BloomFilter.of(molecule_hash([standardize(smiles)[0] for smiles in SMILES[:20]])),
        provenance={"data": as_dict(DataConfig())},
    ).save(path)
    return path


def test_a_model_stands_for_its_training_set(table, checkpoint) -> None:
    path = table("SMILES,target_LogP", *(f"{smiles},2" for smiles in SMILES[10:30]))
    found = report(path, "--training", checkpoint)
    assert found["values"]["novelty"] == pytest.approx(0.5, abs=0.05)
    assert 0 < found["values"]["novelty_error_rate"] < 0.001
    assert any("form that the model was trained on" in note for note in found["notes"])
    scale = found["values"]["control"]["LogP"]
    assert scale["tolerance"] == pytest.approx(0.5, abs=0.01)


def test_the_column_of_molecules_of_each_table_is_named(table) -> None:
    made = table("class,std_smiles", "CI,CCOC", "CM,CCNC", name="made.csv")
    others = [
        table("batch,drug", "C,CCOC(C)C", "N,CCCCCC", name=f"{name}.csv") for name in ("t", "r")
    ]
    done = evaluate(made, "--training", others[0], "--reference", others[1], "-j", 1, "--json")
    assert "made.csv: 2 rows, SMILES in column 'std_smiles'." in done.stderr
    assert "t.csv: SMILES in column 'drug'." in done.stderr
    assert "r.csv: SMILES in column 'drug'." in done.stderr
