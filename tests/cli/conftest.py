from pathlib import Path

import pytest

from tests.drugs import DRUGS

ASPIRIN, BROMIDE = "CC(=O)Oc1ccccc1C(=O)O", "Brc1ccccc1"  # the tiny models have no bromine


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of two molecules, a bad row, and a molecule with an unknown symbol."""
    path = tmp_path / "in.csv"
    lines = ("Compound,potency,smiles", f"a,6.5,{ASPIRIN}", "b,,CCO", "c,,C1CC", f"d,,{BROMIDE}")
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Four tables of drugs, and a place of its own for the cache."""
    monkeypatch.setenv("MOLVAE_CACHE", str(tmp_path / "cache"))
    drugs = [smiles for _, smiles in DRUGS]
    paths = {}
    for name, smiles in (
        ("generated", [*drugs[:40], "", "C1CC"]),
        ("training", drugs[20:80]),
        ("test", drugs[30:70]),
        ("scaffolds", drugs[80:120]),
    ):
        paths[name] = tmp_path / f"{name}.csv"
        paths[name].write_text("\n".join(["SMILES", *smiles, ""]))
    return paths
