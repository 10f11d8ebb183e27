from pathlib import Path

import pytest

ASPIRIN, BROMIDE = "CC(=O)Oc1ccccc1C(=O)O", "Brc1ccccc1"  # the tiny models have no bromine


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of two molecules, a bad row, and a molecule with an unknown symbol."""
    path = tmp_path / "in.csv"
    lines = ("Compound,potency,smiles", f"a,6.5,{ASPIRIN}", "b,,CCO", "c,,C1CC", f"d,,{BROMIDE}")
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path
