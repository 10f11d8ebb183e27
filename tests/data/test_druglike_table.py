"""What `druglike` is trained on holds no molecule of a set that it is measured on."""

import gzip
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from molvae.chem.smiles import standardize
from molvae.config import DataConfig
from molvae.data.prepare import prepare
from molvae.suites.oracles import TARGETS
from molvae.training_index import molecule_hash
from tests.drugs import DRUGS
from tests.scripts import load_script

ZINC = (  # SMILES, split
    ("Cc1nnc(NC(=O)NCc2ccc(F)cc2)s1", "train"),  # a scaffold that is held out
    ("COc1ccc(CNC(=O)C2CCCCC2)cc1", "train"),
    ("C[C@H]1CC[NH+](Cc2ccc(Cl)cc2)C1", "train"),
    ("C[C@@H]1CC[NH+](Cc2ccc(Cl)cc2)C1", "train"),  # the same without stereo
    ("CCOc1ccc(NC(=O)c2ccccc2F)cc1", "train"),
    ("CCN(CC)C(=O)c1ccc(O)cc1", "test"),
    ("CC(=O)Nc1ccc(Br)cc1", "valid"),
)
DRUGS_IN_DISGUISE = {
    "another enantiomer": "COc1ccc2cc([C@@H](C)C(=O)O)ccc2c1",  # of naproxen
    "a salt": "[Na+].CC(C)Cc1ccc(C(C)C(=O)[O-])cc1",  # ibuprofen
    "a charged form": "C[NH2+]C1(c2ccccc2Cl)CCCCC1=O",  # ketamine
    "a mixture": "CC(=O)Oc1ccccc1C(=O)O.NCCO",  # aspirin
    "another spelling": "C1=CC(NC(C)=O)=CC=C1O",  # paracetamol
    "an isotope": "[2H]C([2H])([2H])n1c(=O)c2c(ncn2C)n(C)c1=O",  # caffeine
}
NEAR_CELECOXIB = "NS(=O)(=O)c1ccc(-n2nc(C(F)(F)F)cc2-c2ccc(Cl)cc2)cc1"
OUTSIDE = {
    "C[Si](C)(C)c1ccccc1": "other elements",
    "CCCCCCCCCCCCCCCCCC(=O)OCC(CO)OC(=O)CCCCCCCCCCCCCCCCC": "too heavy",
    "c1ccccc": "not a molecule",
}
CHEMBL = (
    *DRUGS_IN_DISGUISE.values(),
    NEAR_CELECOXIB,
    *OUTSIDE,
    "CCN(CC)C(=O)c1ccc([O-])cc1.[Na+]",  # of ZINC's test split
    "COc1ccc(CNC(=O)C2CCCCC2)cc1",  # of its training split
    "CCOc1cccc2sc(N)nc12",  # a scaffold that is held out
    "O=C(Nc1cccnc1)c1cccs1",
    "CC(C)NCC(=O)N1CCOCC1",
)
LABELLED = {"bace": "CCCCc1ccc(N)nc1", "esol": "CCCCCCCCO ", "hiv": "Oc1ccc2ccccc2c1"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a few molecules in each table."""
    folder = tmp_path_factory.mktemp("data")
    pack(folder / "zinc" / "zinc250k.csv.gz", "smiles,split_jtnn", *map(",".join, ZINC))
    pack(folder / "chembl" / "chembl_union.csv.gz", "smiles", *CHEMBL)
    for name, smiles in LABELLED.items():
        pack(folder / "labelled" / f"{name}.csv.gz", "smiles,label", f"{smiles},1")
    (folder / "goals").mkdir()
    (folder / "goals" / "qed_leads.txt").write_text("CC(C)n1ccc2ccccc21\n")
    (folder / "goals" / "fragment_tasks.csv").write_text("name,smiles\nX,CCSc1ccccc1Br\n")
    return folder


def pack(path: Path, *lines: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress("\n".join([*lines, ""]).encode()))


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("druglike-table")


@pytest.fixture(scope="module")
def table(script: ModuleType, folder: Path) -> Any:
    return script.assemble(folder, folder / "blocks", None, jobs=0)


def flat(texts: list[str]) -> set[str]:
    return {standardize(text)[0] for text in texts}


@pytest.mark.parametrize("form", DRUGS_IN_DISGUISE)
def test_a_drug_reaches_no_training_row_as(form: str, table: Any) -> None:
    smiles = DRUGS_IN_DISGUISE[form]
    assert flat([smiles]) <= flat(table.held_out["drugs"])
    assert smiles not in [text for text, _ in table.training]


def test_no_training_molecule_is_one_of_a_held_out_set(table: Any) -> None:
    training = flat([text for text, _ in table.training])
    assert len(training) == len(table.training) == 5, "each molecule once"
    for name, texts in table.held_out.items():
        assert texts, f"{name} is empty"
        assert not training & flat(texts), name


def test_what_resembles_a_target_is_held_out(table: Any) -> None:
    assert table.held_out["near_targets"] == [NEAR_CELECOXIB]
    assert flat(table.held_out["targets"]) == flat(list(TARGETS.values()))


@pytest.mark.parametrize(
    ("smiles", "near"),
    [
        ("NS(=O)(=O)c1ccc(-n2cccn2)cc1", "celecoxib"),  # Tanimoto 0.327
        ("COc1ccccc1CN1CCN(C(=O)C(=O)Nc2ccc(C)cc2)CC1", "ranolazine"),  # 0.338
        ("Cc1ccc(-c2ccnn2C)cc1", ""),  # 0.280 to celecoxib
    ],
)
def test_a_molecule_is_near_a_target_as_in_guacamol(
    script: ModuleType, smiles: str, near: str
) -> None:
    assert script.judge(smiles).near == near


def test_a_target_resembles_itself_alone(script: ModuleType) -> None:
    """Similarity is that of flat forms, so that stereo marks hide nothing."""
    assert {script.judge(smiles).near for smiles in TARGETS.values()} == set(TARGETS)


def test_a_scaffold_that_is_held_out_is_never_trained_on(table: Any) -> None:
    assert table.held_out["chembl_scaffolds"] == ["CCOc1cccc2sc(N)nc12"]
    assert table.held_out["zinc_scaffolds"] == ["Cc1nnc(NC(=O)NCc2ccc(F)cc2)s1"]
    assert [split for _, _, split in table.scaffolds] == ["test", "test"]


def test_every_row_of_a_source_is_counted_once(table: Any) -> None:
    for name, counts in table.counts.items():
        assert sum(counts.values()) == 2 * counts["rows"], name
    assert table.counts["zinc"] == Counter(
        {"rows": 5, "to train on": 3, "equal to an earlier one": 1, "zinc_scaffolds": 1}
    )
    assert table.counts["chembl"] == Counter(
        {
            "rows": len(CHEMBL),
            "in drugs": len(DRUGS_IN_DISGUISE),
            "near_targets": 1,
            "in zinc_test": 1,
            "chembl_scaffolds": 1,
            "equal to an earlier one": 1,
            "to train on": 2,
            **dict.fromkeys(OUTSIDE.values(), 1),
        }
    )


def test_a_smaller_table_is_the_beginning_of_the_larger_one(
    script: ModuleType, folder: Path, table: Any
) -> None:
    few = script.assemble(folder, folder / "blocks", 4, jobs=0)
    assert few.training == table.training[:4]
    assert few.counts["chembl"]["rows"] < len(CHEMBL)


def test_an_interrupted_run_judges_no_row_twice(
    script: ModuleType, folder: Path, table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(script, "judge")
    assert script.assemble(folder, folder / "blocks", None, jobs=0) == table


def test_the_table_is_prepared_with_its_split(
    script: ModuleType, table: Any, tmp_path: Path
) -> None:
    script.write(table, tmp_path)
    config = DataConfig(properties=("MW",), split="split", min_count=1)
    dataset = prepare(tmp_path / "table.csv.gz", config, jobs=0).dataset
    counts = {split: len(dataset.members(split)) for split in ("train", "validation", "test")}
    assert counts == {"train": 5, "validation": 1, "test": 3}
    known = molecule_hash(standardize(smiles)[0] for _, smiles in DRUGS)
    assert not set(known.tolist()) & set(dataset.hashes.tolist())
