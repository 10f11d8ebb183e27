import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from molvae.generator import MoleculeGenerator
from tests.cli.running import invoke, rows_of
from tests.drugs import DRUGS

Draw = Callable[..., Result]
pytest.importorskip("matplotlib")


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """Run the command on 30 drugs and a row that is no molecule, within this process."""
    table = tmp_path / "in.csv"
    rows = [("name", "smiles"), *DRUGS[:30], ("odd", "C1CC")]
    table.write_text("".join(f"{name},{smiles}\n" for name, smiles in rows), encoding="utf-8")

    def run(*arguments: object, file: Path = table, code: int = 0) -> Result:
        return invoke("map", file, "-j", 1, *arguments, code=code)

    return run


def test_a_map_is_drawn_with_its_property_and_unit(draw: Draw, tmp_path: Path) -> None:
    picture = tmp_path / "map.svg"
    done = draw("-o", picture, "--color", "tpsa", "--json")
    text = picture.read_text(encoding="utf-8")
    assert "TPSA (A^2)" in text
    assert "30 molecules of in.csv, druglike-" in text
    told = json.loads(done.stdout)
    first, second = told["variance"]
    assert f"principal component 1 ({first:.1%} of variance)" in text
    assert 1 > first > second > 0
    assert (told["molecules"], told["color"]) == (30, "TPSA")
    assert told["rejected"] == {"not a molecule": 1}
    assert "in.csv:32: not a molecule" in done.stderr


def test_the_table_holds_the_coordinates_of_the_codes(draw: Draw, tmp_path: Path) -> None:
    draw("-o", tmp_path / "map.png", "--table", tmp_path / "map.csv")
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    rows = rows_of((tmp_path / "map.csv").read_text(encoding="utf-8"))
    assert list(rows[0]) == ["ID", "SMILES", "PC1", "PC2", "model"]
    assert [row["ID"] for row in rows] == [name for name, _ in DRUGS[:30]]
    codes = MoleculeGenerator.load("druglike").encode([row["SMILES"] for row in rows])
    places = np.array([[float(row["PC1"]), float(row["PC2"])] for row in rows])
    variances = np.linalg.eigvalsh(np.cov(codes, rowvar=False, bias=True))[::-1]
    assert places.var(axis=0) == pytest.approx(variances[:2], rel=1e-3)


def test_what_cannot_be_drawn_is_refused_before_the_work(draw: Draw, tmp_path: Path) -> None:
    gif = draw("-o", tmp_path / "map.gif", code=2)
    assert "a picture ends in .png or .svg" in gif.stderr
    draw("-o", tmp_path / "map.png", "--color", "sweetness", code=2)
    (tmp_path / "there.png").write_text("")
    assert "--force overwrites it" in draw("-o", tmp_path / "there.png", code=2).stderr
    (tmp_path / "one.smi").write_text("CCO\nCCO\nCCO\n")
    same = draw("-o", tmp_path / "one.png", file=tmp_path / "one.smi", code=3)
    assert "all have the same code" in same.stderr


def test_without_matplotlib_the_extra_is_named(
    draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("molvae.evaluate.latent_map.find_spec", lambda name: None)
    done = draw("-o", tmp_path / "map.png", code=2)
    assert "pip install 'molvae[report]'" in done.stderr


def test_a_column_of_numbers_colors_the_map_too(draw: Draw, tmp_path: Path) -> None:
    table, picture = tmp_path / "assay.csv", tmp_path / "map.svg"
    cells = ["5.5", "", ">7", *(str(number) for number in range(7))]
    lines = [f"{name},{smiles},{cell}" for (name, smiles), cell in zip(DRUGS, cells, strict=False)]
    table.write_text("\n".join(["name,smiles,pIC50", *lines, ""]), encoding="utf-8")
    written = tmp_path / "map.csv"
    done = draw("-o", picture, "-c", "pic50", "--table", written, "--json", file=table)
    assert "pIC50" in picture.read_text(encoding="utf-8")
    told = json.loads(done.stdout)
    assert (told["molecules"], told["color"], told["rejected"]) == (9, "pIC50", {"not a number": 1})
    assert "assay.csv:4: not a number" in done.stderr
    rows = rows_of(written.read_text(encoding="utf-8"))
    assert [row["pIC50"] for row in rows][:3] == ["5.5", "", "0"]
    (tmp_path / "none.csv").write_text("smiles,pIC50\n" + "".join(f"{s},\n" for _, s in DRUGS[:9]))
    none = draw("-o", tmp_path / "none.png", "-c", "pIC50", file=tmp_path / "none.csv", code=3)
    assert "no molecule of the map has a value to be colored by" in none.stderr
