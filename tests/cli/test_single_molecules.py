"""Commands on one or two molecules from the command line: interpolate, neighbors, sweep."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.running import invoke, rows_of
from tests.drugs import DRUGS

LIDOCAINE, NAPROXEN = (dict(DRUGS)[name] for name in ("lidocaine", "naproxen"))
ERYTHROMYCIN = (
    "CCC1C(C(C(C(=O)C(CC(C(C(C(C(C(=O)O1)C)OC2CC(C(C(O2)C)O)(C)OC)C)OC3C(C(CC(O3)C)N(C)C)O)(C)O)C)C)"
    "O)(C)O"
)
FEW = ("--tries", 16)
MEASURED = ["MW", "LogP", "TPSA", "QED", "SA", "HBD", "HBA", "RotB"]


def test_a_path_lists_its_steps_and_how_like_the_ends_they_are() -> None:
    done = invoke("interpolate", LIDOCAINE, NAPROXEN, "-n", 5, "-t", "logp=3", *FEW)
    rows = rows_of(done.stdout)
    assert list(rows[0]) == [
        *("ID", "SMILES", "step", "tanimoto_A", "tanimoto_B", *MEASURED),
        *("consistent", "nll", "noise", "target_LogP", "path", "model", "seed"),
    ]
    assert [row["step"] for row in rows] == ["0", "0.25", "0.5", "0.75", "1"]
    assert float(rows[0]["tanimoto_A"]) > float(rows[-1]["tanimoto_A"])
    assert float(rows[0]["tanimoto_B"]) < float(rows[-1]["tanimoto_B"])
    assert rows[0]["model"].startswith("druglike-")
    assert "5 steps, spherical, " in done.stderr


def test_repeated_molecules_stay_unless_distinct_ones_are_asked_for(tmp_path: Path) -> None:
    words = ("interpolate", LIDOCAINE, LIDOCAINE, "-n", 4, "--path", "linear", "--noise", 0)
    rows = rows_of(invoke(*words).stdout)
    assert len({row["SMILES"] for row in rows}) == 1
    assert [row["ID"] for row in rows] == ["1", "2", "3", "4"]
    told = json.loads(invoke(*words, "--distinct", "--json", "-q").stdout)
    assert [row["step"] for row in told["rows"]] == [0.0]
    assert (told["steps"], told["distinct"]) == (4, 1)
    path = tmp_path / "path.csv"
    invoke(*words, "--json", "-o", path)
    assert rows_of(path.read_text()) == rows


def test_a_sweep_lists_what_was_asked_beside_what_came() -> None:
    words = ("--property", "mollogp", "--from", 0, "--to", 5, "-n", 3, *FEW)
    done = invoke("sweep", LIDOCAINE, *words)
    rows = rows_of(done.stdout)
    others = [name for name in MEASURED if name != "LogP"]
    assert list(rows[0]) == [
        *("ID", "SMILES", "target_LogP", "LogP", "tanimoto", *others),
        *("consistent", "nll", "ood", "noise", "guidance", "model", "seed"),
    ]
    assert [row["target_LogP"] for row in rows] == ["0", "2.5", "5"]
    assert float(rows[-1]["LogP"]) > float(rows[0]["LogP"])
    assert re.search(
        r"LogP: mean error [\d.]+; similarity 0\.\d+ to [01]\.\d+, median", done.stderr
    )
    again = invoke("sweep", LIDOCAINE, *words)
    assert again.stdout == done.stdout
    other = invoke("sweep", LIDOCAINE, *words, "--seed", 1, "--noise", 0.5)
    assert {row["seed"] for row in rows_of(other.stdout)} == {"1"}
    assert max(float(row["noise"]) for row in rows_of(other.stdout)) <= 0.5


def test_a_molecule_unlike_the_training_set_is_warned_of() -> None:
    done = invoke("sweep", "CCO", "-p", "LogP", "-n", 2, "--tries", 1)
    assert (
        "Warning: CCO is unlike the model's training set (MW 46.1 is outside 155..498;"
        in done.stderr
    )
    assert "Warning" not in invoke("sweep", "CCO", "-p", "LogP", "-n", 2, "--tries", 1, "-q").stderr


def test_values_beyond_the_training_range_are_warned_of_and_impossible_ones_refused() -> None:
    done = invoke("sweep", LIDOCAINE, "-p", "LogP", "--from", 2.5, "--to", 25, "-n", 2, *FEW)
    assert "Warning: LogP=25 lies outside the model's training range" in done.stderr
    assert "Warning: LogP=2.5 " not in done.stderr
    assert [row["ood"] for row in rows_of(done.stdout)] == ["false", "true"]
    invoke("sweep", LIDOCAINE, "-p", "QED", "--from", 2, "--to", 3, code=2)
    invoke("sweep", LIDOCAINE, "-p", "QED", "--from", 1, "--to", 0, code=2)
    unknown = invoke("sweep", LIDOCAINE, "-p", "solubility", code=2)
    assert "unknown property 'solubility'" in unknown.stderr


def test_neighbors_come_with_similarity_and_distance() -> None:
    words = ("neighbors", LIDOCAINE, "-n", 4, "--seed", 1, "--tries", 64, "-t", "TPSA=30")
    done = invoke(*words)
    rows = rows_of(done.stdout)
    assert list(rows[0]) == [
        *("ID", "SMILES", "tanimoto", "distance", *MEASURED, "target_TPSA"),
        *("novel", "ood", "nll", "radius", "model", "seed"),
    ]
    assert len({row["SMILES"] for row in rows}) == 4
    assert {(row["radius"], row["seed"]) for row in rows} == {("0.7", "1")}
    assert "4 of 4 neighbors of CCN(CC)CC(=O)Nc1c(C)cccc1C" in done.stderr
    assert "TPSA: mean " in done.stderr
    assert "MW: mean " not in done.stderr, "nobody asked for it"
    told = json.loads(invoke(*words, "--json", "-q").stdout)
    assert [row["SMILES"] for row in told["rows"]] == [row["SMILES"] for row in rows]


def test_fewer_neighbors_than_asked_for_exit_4() -> None:
    still = ("--radius", 0, "--noise", 0, "--tries", 16)
    done = invoke("neighbors", LIDOCAINE, "-n", 4, *still, code=4)
    assert "of 4 neighbors were found; the other strings were left out (" in done.stderr
    assert "A larger --radius finds more." in done.stderr


def test_a_molecule_that_does_not_come_back_is_warned_of() -> None:
    words = ("sweep", ERYTHROMYCIN, "-p", "LogP", "-n", 1, "--tries", 1)
    told = invoke(*words).stderr
    assert told.count("Warning: ") == told.count("is not written back from its latent code") == 1
    assert told.count("is unlike the model's training set (ring system ") == 1
    assert "To keep its core: molvae decorate CORE druglike. " in told
    assert "molvae train series.molvae --init druglike -o series" in told
    assert "MW=" not in told, "one sentence, not one for each property"
    known = invoke("sweep", LIDOCAINE, "-p", "LogP", "-n", 1, "--tries", 1)
    assert "Warning" not in known.stderr


def test_what_the_model_leaves_out_of_a_molecule_is_told() -> None:
    salt = "C[C@H](N)Cc1ccccc1.Cl"
    done = invoke("sweep", salt, "-p", "LogP", "-n", 1, "--tries", 1)
    left_out = "read without stereo marks and smaller fragments, as the training set was."
    assert f"CC(N)Cc1ccccc1: {left_out}" in done.stderr
    assert (
        "read without"
        not in invoke("sweep", salt, "-p", "LogP", "-n", 1, "--tries", 1, "-q").stderr
    )


@pytest.mark.parametrize(
    "words",
    [
        ("interpolate", LIDOCAINE, "C1CC"),
        ("sweep", "C1CC", "-p", "LogP"),
        ("neighbors", "C1CC"),
    ],
)
def test_what_is_no_molecule_is_named(words: tuple[str, ...]) -> None:
    done = invoke(*words, code=3)
    assert "Error: 'C1CC': not a molecule: ring 1 is opened" in done.stderr


def test_a_symbol_that_the_model_does_not_know_is_named() -> None:
    done = invoke("interpolate", LIDOCAINE, "OB(O)c1ccccc1", code=3)
    assert "'OB(O)c1ccccc1': symbol unknown to the model: [B]" in done.stderr
