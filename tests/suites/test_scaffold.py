"""The benchmark of cores: what it counts, on few molecules."""

import json
from pathlib import Path

import pytest
from rdkit import Chem

from molvae.config import GenerateConfig
from molvae.generator import MoleculeGenerator
from molvae.suites import fragment_tasks, scaffold
from molvae.suites.control_model import PropertySampler
from molvae.suites.scaffold import Scaffold, ScaffoldTests, run_scaffold
from tests.cli.running import invoke

ROW = {
    "name": "drug",
    "linker_design": "[1*]c1ccncc1.[1*]C1CC1",
    "motif_extension": "[1*]c1ccncc1",
    "scaffold_decoration": "[1*]c1ccc([2*])nc1",
    "superstructure_generation": "c1ccncc1[Si]",
}


shown: list[tuple[str, int, int]] = []  # stages of progress


@pytest.fixture(scope="module")
def found() -> Scaffold:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scaffold, "CORES", scaffold.CORES[4:])
        patch.setattr(fragment_tasks, "SAMPLES", 2)
        patch.setattr(scaffold, "TARGETS", {"LogP": (2.0,), "TPSA": (30.0, 60.0)})
        sampler = PropertySampler(
            MoleculeGenerator.load("moses"),
            GenerateConfig(noise=0.75, temperature=1.0, shortlist=1),
            report=lambda *stage: shown.append(stage),
        )
        tests = ScaffoldTests(n=2, fragments=[ROW])
        return run_scaffold(sampler, tests, name="moses", versions={})


def test_every_string_of_a_core_is_counted(found: Scaffold) -> None:
    for row in found.cores:
        assert row["strings"] == 2
        assert row["molecules"] + sum(row["rejected"].values()) == 2
        assert 0 <= row["distinct"] <= row["molecules"]
        assert row["written_with_core"] == 1.0


def test_progress_counts_molecules(found: Scaffold) -> None:
    ends = [(2, 2), (2, 6), (4, 6), (6, 6), (24, 24)]  # a core, its three targets, the fragments
    assert sorted(stage[1:] for stage in shown if stage[1]) == ends


def test_targets_below_what_the_core_has_are_out_of_reach(found: Scaffold) -> None:
    reach = {(p["core"], *p["asked"].items()): p["reachable"] for p in found.control}
    assert len(reach) == 3
    unreachable = [key for key, reachable in reach.items() if not reachable]
    assert unreachable == [(scaffold.CORES[4], ("TPSA", 30.0))]
    means = found.control_means["default"]["TPSA"]
    assert means["unreachable_targets"] == 1
    assert means["reachable"] != means["all"]


def test_refused_fragment_counts_as_nothing_and_says_why(found: Scaffold) -> None:
    for tier in ("RAW", "CONSISTENT", "ASKED"):
        assert found.fragments[tier]["superstructure generation"] == {
            "valid": 0.0,
            "unique": 0.0,
            "quality": 0.0,
            "drugs": 1,
            "refused": ["drug"],
        }
    refused = [row["refused"] for row in found.tasks if "refused" in row]
    assert all("[Si]" in words for words in refused)
    linkers = found.fragments["CONSISTENT"]["linker design"]
    assert linkers["valid"] == 100.0
    assert found.fragments["ASKED"]["linker design"]["unique"] == 100.0


def test_result_is_json_and_a_table_beside_published_rows(found: Scaffold) -> None:
    assert json.loads(found.to_json())["n"] == 2
    text = "\n".join(found.table())
    for words in ("MolGPT: LogP 0.125", "ChemFM-3B", "GenMol V2: valid 81.8", "out of reach"):
        assert words in text


def test_cores_are_molecules_and_a_table_needs_its_columns(tmp_path: Path) -> None:
    assert all(Chem.MolFromSmiles(core) for core in scaffold.CORES)
    table = tmp_path / "tasks.csv"
    table.write_text("name,smiles\na,CCO\n")
    done = invoke("benchmark", "scaffold", "moses", "--fragments", table, code=3)
    assert "no table with the columns" in done.stderr
