import json
from pathlib import Path

import pytest

from molvae.chem.smiles import canonicalize
from molvae.generation.decode import reconstruct
from molvae.generator import MoleculeGenerator
from tests.cli.running import invoke, rows_of
from tests.drugs import DRUGS

SOME = DRUGS[4:10]  # not all of them come back
LINES = (
    "name,smiles,potency",
    *(f"{name},{smiles},1" for name, smiles in SOME),
    "odd,C1CC,2",
    "borole,OB(O)c1ccccc1,3",
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")
    return path


def test_each_molecule_comes_back_with_how_like_it_is(table: Path) -> None:
    done = invoke("reconstruct", table, "-j", 1, "--rejects", table.with_name("bad.csv"))
    rows = rows_of(done.stdout)
    assert list(rows[0]) == [
        *("name", "smiles", "potency", "standardized_SMILES", "reconstruction"),
        *("exact", "tanimoto", "consistent", "model"),
    ]
    assert {row["potency"] for row in rows} == {"1"}
    assert [(row["name"], row["smiles"]) for row in rows] == list(SOME)
    assert rows[0]["model"].startswith("druglike-")
    generator = MoleculeGenerator.load("druglike")
    expected = reconstruct(generator.model, generator.model.prepare(list(dict(SOME).values()), ""))
    assert [row["reconstruction"] for row in rows] == [each.written for each in expected]
    assert [row["exact"] for row in rows] == [str(each.exact).lower() for each in expected]
    for row in rows:
        assert canonicalize(row["standardized_SMILES"]) == row["standardized_SMILES"]
        assert (row["exact"] == "true") == (row["reconstruction"] == row["standardized_SMILES"])
    bad = rows_of(table.with_name("bad.csv").read_text())
    assert [row["row"] for row in bad] == ["8", "9"]
    assert bad[1]["reason"] == "symbol unknown to the model: [B]"
    assert "own columns" not in done.stderr


def test_molecules_without_names_get_the_number_of_their_line(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("smiles\nC1CC\nCCO\n")
    for command in ("encode", "reconstruct"):
        (row,) = rows_of(invoke(command, tmp_path / "in.csv", "-j", 1).stdout)
        assert (row["smiles"], row["ID"]) == ("CCO", "3")


def test_the_summary_tells_how_much_comes_back(table: Path) -> None:
    told, alone = (
        json.loads(invoke("reconstruct", table, "-j", 1, "--json", "-q", *words).stdout)
        for words in ((), ("--alone",))
    )
    assert told["molecules"] == len(told["rows"]) == 6
    assert told["exact"] == sum(row["exact"] for row in told["rows"]) / 6
    assert told["tanimoto"] == pytest.approx(sum(row["tanimoto"] for row in told["rows"]) / 6)
    assert told["rejected"] == {"not a molecule": 1, "symbol unknown to the model": 1}
    assert (told["alone"], alone["alone"]) == (False, True)
    assert 0 < told["exact"] < 1
    assert alone["rows"] != told["rows"]


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_what_is_encoded_and_decoded_is_what_is_reconstructed(table: Path, format: str) -> None:
    if format == "parquet":
        pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    codes = table.with_name(f"codes.{format}")
    encoded = invoke("encode", table, "-j", 1, "-o", codes)
    assert "6 molecules encoded by druglike-" in encoded.stderr
    assert "; 2 rows rejected" in encoded.stderr
    for words in ((), ("--alone",)) if format == "csv" else ((),):
        decoded = invoke("decode", codes, *words)
        back = rows_of(invoke("reconstruct", table, "-j", 1, *words).stdout)
        rows = rows_of(decoded.stdout)
        assert [row["ID"] for row in rows] == [row["name"] for row in back]
        assert [row["SMILES"] for row in rows] == [row["reconstruction"] for row in back]
        assert [row["consistent"] for row in rows] == [row["consistent"] for row in back]


def test_codes_are_the_posterior_means_to_the_last_bit(table: Path) -> None:
    rows = rows_of(invoke("encode", table, "-j", 1, "--deviations").stdout)
    codes = MoleculeGenerator.load("druglike").encode([row["smiles"] for row in rows])
    size = codes.shape[1]
    assert list(rows[0])[-2 * size - 1 :] == [
        *(f"z{place}" for place in range(1, size + 1)),
        *(f"sd{place}" for place in range(1, size + 1)),
        "model",
    ]
    assert rows[0]["potency"] == "1"
    assert float(rows[0]["MW"]) == pytest.approx(296.15, abs=0.01)  # diclofenac
    for row, code in zip(rows, codes, strict=True):
        assert [float(row[f"z{place}"]) for place in range(1, size + 1)] == pytest.approx(
            code.tolist(), abs=1e-6
        )
        assert 0 < float(row["sd1"]) < 1.5


def test_codes_from_elsewhere_are_decoded_for_what_is_asked(tmp_path: Path) -> None:
    """A code needs no SMILES beside it; bad cells are named with their row and column."""
    codes = tmp_path / "codes.csv"
    size = MoleculeGenerator.load("druglike").checkpoint.model.config.latent_size
    head = ",".join(f"z{place}" for place in range(1, size + 1))
    zeros = ",".join(["0"] * (size - 1))
    lines = (f"{head},logp,model", f"0.1,{zeros},2,", f"x,{zeros},,", f",{zeros},,")
    lines += (f"1e40,{zeros},,", f"0,{zeros},,other-0123456789ab", f"0.1,{zeros},,")
    codes.write_text("\n".join(lines))
    done = invoke("decode", codes, "-t", "MW=300", "-t", "TPSA=40..60")
    rows = rows_of(done.stdout)
    assert [row["ID"] for row in rows] == ["2", "7"]
    assert (rows[0]["target_MW"], rows[0]["target_TPSA"]) == ("300", "40..60")
    assert "codes.csv:3: not a number: 'x'" in done.stderr
    assert "codes.csv:4: no number: a code has one in each column" in done.stderr
    assert "codes.csv:5: number too large" in done.stderr
    assert "codes.csv:6: code of another model: 'other-0123456789ab'" in done.stderr
    assert "2 codes decoded by druglike-" in done.stderr
    assert "4 rows rejected" in done.stderr


def test_a_temperature_is_made_again_with_its_seed(table: Path) -> None:
    codes = table.with_name("codes.csv")
    invoke("encode", table, "-j", 1, "-o", codes)
    hot = ("decode", codes, "--temperature", 1, "--seed")
    first, again, other = (rows_of(invoke(*hot, seed).stdout) for seed in (1, 1, 2))
    assert first == again
    assert [row["SMILES"] for row in other] != [row["SMILES"] for row in first]
    assert (first[0]["temperature"], first[0]["seed"]) == ("1", "1")
    assert "seed" not in rows_of(invoke("decode", codes).stdout)[0]


def test_what_holds_no_codes_is_refused(table: Path) -> None:
    done = invoke("decode", table, code=2)
    assert "no column 'z1'" in done.stderr
    wide = table.with_name("wide.csv")
    size = MoleculeGenerator.load("druglike").checkpoint.model.config.latent_size
    names = [f"z{place}" for place in range(1, size + 3)]
    wide.write_text(",".join(names) + "\n" + ",".join(["0"] * len(names)))
    done = invoke("decode", wide, code=2)
    assert f"codes of this model end with z{size}" in done.stderr
    empty = table.with_name("empty.csv")
    empty.write_text(",".join(names[:size]) + "\n" + ",".join(["x"] * size))
    invoke("decode", empty, code=3)
    invoke("encode", table, "-o", table.with_name("codes.smi"), code=2)
