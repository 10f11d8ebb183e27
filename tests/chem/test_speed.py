import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from rdkit import Chem

import molvae
from molvae.chem import speed
from molvae.chem.candidates import Checks, decode_and_check
from molvae.chem.filters import FILTERS
from molvae.chem.gate import validate
from molvae.chem.properties import PROPERTIES, measure
from tests.drugs import DRUGS

SMILES = [smiles for _, smiles in DRUGS[:60]]


@pytest.fixture(autouse=True)
def tested_anew() -> Iterator[None]:
    speed.is_fast.cache_clear()
    yield
    speed.is_fast.cache_clear()


def everything() -> list[object]:
    checks = Checks(("QED", "LogP"), filters=("PAINS", "BRENK"), not_smarts=("[U]",))
    found: list[object] = []
    for smiles in SMILES:
        passed = validate(smiles)
        found += [passed.smiles, passed.symbols, decode_and_check(passed.symbols, checks)]
        found += [alert(passed.mol) for alert in FILTERS.values()]
        found += measure(passed.mol, list(PROPERTIES)).tolist()
    return found


def test_fast_chemistry_agrees_with_the_installed_rdkit() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert speed.is_fast()


def test_everything_is_the_same_with_fast_chemistry_switched_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fast = everything()
    monkeypatch.setattr(speed, "is_fast", lambda: False)
    assert everything() == fast


@pytest.mark.parametrize(
    ("function", "wrong", "name"),
    [
        ("lipophilicity.log_p", lambda mol: 0.5, "LogP"),
        ("druglikeness.qed", lambda mol, *parts: 0.5, "QED"),
        ("rotatable.rotatable_bonds", lambda mol: 99, "RotB"),
        ("write_symbols", lambda graph: ["[C]"], "SELFIES"),
        ("write_smiles", lambda graph: "C", "SMILES"),
        ("is_resonance_form", lambda graph, mol: True, "resonance"),
        ("lipophilicity.log_p", lambda mol: mol.NoSuchMethod(), "AttributeError"),
    ],
)
def test_a_wrong_fast_function_warns_once_and_values_are_those_of_rdkit(
    monkeypatch: pytest.MonkeyPatch, function: str, wrong: object, name: str
) -> None:
    mol = Chem.MolFromSmiles(SMILES[0])
    right = measure(mol, ["LogP", "QED", "RotB"]).tolist()
    speed.is_fast.cache_clear()
    monkeypatch.setattr(f"molvae.chem.speed.{function}", wrong)
    with pytest.warns(RuntimeWarning, match=f"switched off: .*{name}.*") as warned:
        found = [measure(Chem.Mol(mol), ["LogP", "QED", "RotB"]).tolist() for _ in range(2)]
    assert found == [right, right]
    assert len(warned) == 1


def test_a_worker_process_does_not_warn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("molvae.chem.speed.rotatable.rotatable_bonds", lambda mol: 99)
    monkeypatch.setattr(speed, "parent_process", object)
    assert not speed.is_fast()


def test_the_switch_is_the_only_door_to_fast_chemistry() -> None:
    package = Path(molvae.__file__).parent
    files = {path.relative_to(package).as_posix() for path in package.rglob("*.py")}
    doors = {name for name in files if "molvae.chem.fast" in (package / name).read_text("utf-8")}
    assert {name for name in doors if not name.startswith("chem/fast/")} == {"chem/speed.py"}
