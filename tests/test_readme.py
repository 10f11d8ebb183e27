"""What README shows works, in the order it is shown, and what is generated in it is fresh."""

import os
import re
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest
from rdkit import Chem

from molvae.checkpoint import bundled_models
from molvae.chem.properties import measure
from molvae.generation.decoded import tanimoto

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = ROOT / "benchmarks" / "results"
FENCE = re.compile(
    r"(?P<skip><!-- not run: (?P<why>[^>]+) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """One fenced block.

    Attributes:
        line: in README, where its text starts.
        language: after the fence.
        text: what is inside.
        why_not: the reason for which it is not run, "" when it is.
    """

    line: int
    language: str
    text: str
    why_not: str


def blocks() -> list[Block]:
    return [
        Block(
            README.count("\n", 0, found.start("text")) + 1,
            found["language"],
            found["text"],
            found["why"] or "",
        )
        for found in FENCE.finditer(README)
    ]


def section(name: str) -> str:
    return README.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- /{name} -->")[0]


def script(name: str) -> ModuleType:
    """Import one of the Python programs in scripts/, whose names have no ending."""
    loader = SourceFileLoader(name.replace("-", "_"), str(ROOT / "scripts" / name))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        module = module_from_spec(spec)
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


def run(block: Block, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a block as a reader would who has just installed molvae."""
    commands = {"sh": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [*commands[block.language], block.text],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_every_block_is_of_a_kind_that_is_run_or_says_why_not() -> None:
    found = blocks()
    assert README.count("\n```") == 2 * len(found), "a fence is not closed"
    assert {block.language for block in found if not block.why_not} <= {"sh", "python", "text"}
    assert {"sh", "python"} <= {block.language for block in found if not block.why_not}


@pytest.mark.slow
@pytest.mark.skipif("druglike" not in bundled_models(), reason="no bundled model in this checkout")
def test_every_block_runs_in_order_in_an_empty_folder(tmp_path: Path) -> None:
    for block in blocks():
        if block.language == "text" or block.why_not:
            continue
        done = run(block, tmp_path)
        assert done.returncode == 0, f"README.md:{block.line}: {done.stderr[-2000:]}"
        assert "Warning" not in done.stderr, f"README.md:{block.line}: {done.stderr[-2000:]}"


def shown(header: str) -> list[list[str]]:
    """Return the rows of the table that begins with a header, cell by cell."""
    (text,) = (block.text for block in blocks() if block.text.startswith(header))
    return [line.split() for line in text.splitlines()[1:]]


def test_molecules_that_are_shown_are_what_stands_beside_them() -> None:
    for smiles, *told in shown("SMILES"):
        found = measure(Chem.MolFromSmiles(smiles), ("LogP", "QED"))
        assert [f"{value:.2f}" for value in found] == told
    series, path = shown("LogP asked"), shown("step")
    lidocaine, procainamide = path[0][-1], path[-1][-1]
    for _, got, likeness, smiles in series:
        assert f"{measure(Chem.MolFromSmiles(smiles), ('LogP',))[0]:.2f}" == got
        assert f"{tanimoto(smiles, lidocaine):.2f}" == likeness
    for _, to_first, to_last, smiles in path:
        found = [f"{tanimoto(smiles, end):.2f}" for end in (lidocaine, procainamide)]
        assert found == [to_first, to_last]
    asked = "\n".join(block.text for block in blocks() if block.language == "sh")
    assert f'sweep "{lidocaine}"' in asked
    assert f'interpolate "{lidocaine}" "{procainamide}"' in asked


def test_the_command_reference_is_fresh() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert page == script("cli-reference").reference(), "run scripts/cli-reference --write in .venv"


def test_the_figures_are_those_of_the_committed_results() -> None:
    needed = [RESULTS / f"{name}_druglike.json" for name in ("model_card", "control")]
    if not all(path.is_file() for path in needed):
        pytest.skip("no results of the bundled model in this checkout")
    figures = script("figures")
    for name, expected in (("figures", figures.figures()), ("speed", figures.speed())):
        assert section(name) == f"{expected}\n", "run scripts/figures --write in .venv"


def test_every_link_leads_to_a_file() -> None:
    prose = re.sub(r"`[^`\n]*`", "", FENCE.sub("", README))  # SMARTS look like links
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", prose)
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_every_option_that_is_named_exists() -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))
    reference = script("cli-reference").reference()
    foreign = {"--index-url", "--nproc-per-node"}  # of pip, of torchrun
    foreign |= {"--nworkers", "--nthreads"}  # of dask worker
    foreign |= {
        "--nodes",
        "--ntasks-per-node",
        "--gpus-per-node",
        "--time",
        "--requeue",
        "--signal",
    }
    assert {option for option in named - foreign if f"`{option}" not in reference} == set()
