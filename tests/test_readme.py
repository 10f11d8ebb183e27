"""What README and docs show works, in this order, and their generated parts are fresh."""

import os
import re
import shlex
import subprocess
import sys
from contextlib import chdir
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pytest
from rdkit import Chem

from molvae.checkpoint import bundled_models
from molvae.chem.properties import measure
from molvae.chem.similarity import tanimoto
from tests.cli.running import invoke
from tests.scripts import load_script

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "cli.md"
PAGES = [ROOT / "README.md", *sorted(set((ROOT / "docs").glob("*.md")) - {REFERENCE})]
FENCE = re.compile(
    r"(?P<skip><!-- not run: (?P<why>[^>]+) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
# A command without an operator of the shell: it may run in this process, which saves its start.
PLAIN = re.compile(r"molvae [^|&;<>$`\\]*\n")
# Options of pip, torchrun, dask and sbatch.
FOREIGN = {"--index-url", "--no-deps", "--nproc-per-node", "--nworkers", "--nthreads", "--nodes"}
FOREIGN |= {"--ntasks-per-node", "--gpus-per-node", "--time", "--requeue", "--signal"}
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


class Block(NamedTuple):
    """One fenced block.

    Attributes:
        where: the page, and the line on which its text starts.
        language: after the fence.
        text: what is inside.
        why_not: the reason for which it is not run, "" when it is.
    """

    where: str
    language: str
    text: str
    why_not: str


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path) -> list[Block]:
    text = read(page)
    return [
        Block(
            f"{page.name}:{text.count(chr(10), 0, found.start('text')) + 1}",
            found["language"],
            found["text"],
            found["why"] or "",
        )
        for found in FENCE.finditer(text)
    ]


def run(block: Block) -> None:
    """Run a block in this folder as a reader would, and expect no error and no warning."""
    if block.language == "python":
        exec(compile(block.text, block.where, "exec"), {"__name__": "__main__"})
        return
    lines_of_text = block.text.splitlines(keepends=True)
    for plain, lines in groupby(lines_of_text, lambda line: bool(PLAIN.fullmatch(line))):
        if plain:
            told = "".join(invoke(*shlex.split(line, comments=True)[1:]).stderr for line in lines)
        else:
            told = run_in_shell("".join(lines))
        assert "Warning" not in told, f"{block.where}: {told[-2000:]}"


def run_in_shell(text: str) -> str:
    """Run lines as one who has just installed molvae, and return what they write to stderr."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{text}: {done.stderr[-2000:]}"
    return done.stderr


def test_readme_fits_on_three_screens_and_leads_to_every_page() -> None:
    text = read(ROOT / "README.md")
    assert text.count("\n") <= 260
    assert {"sh", "python"} <= {b.language for b in blocks(PAGES[0]) if not b.why_not}
    pages = (*PAGES[1:], REFERENCE)
    assert [page.name for page in pages if f"](docs/{page.name})" not in text] == []


@each_page
def test_every_block_is_of_a_kind_that_is_run_or_says_why_not(page: Path) -> None:
    found = blocks(page)
    assert read(page).count("\n```") == 2 * len(found), "a fence is not closed"
    assert {block.language for block in found if not block.why_not} <= {"sh", "python", "text"}


@pytest.mark.slow
@pytest.mark.skipif("druglike" not in bundled_models(), reason="no bundled model in this checkout")
@each_page
def test_every_block_runs_in_order_in_an_empty_folder(page: Path, tmp_path: Path) -> None:
    for block in blocks(page):
        if block.language == "text" or block.why_not:
            continue
        with chdir(tmp_path):
            run(block)


def shown(header: str) -> list[list[str]]:
    """Return the rows of the table that begins with a header, cell by cell."""
    (text,) = (b.text for page in PAGES for b in blocks(page) if b.text.startswith(header))
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
    commands = read(ROOT / "docs" / "leads.md")
    assert f'sweep "{lidocaine}"' in commands
    assert f'interpolate "{lidocaine}" "{procainamide}"' in commands


def test_the_command_reference_is_fresh() -> None:
    expected = load_script("cli-reference").reference()
    assert read(REFERENCE) == expected, "run scripts/cli-reference --write in .venv"


def test_the_figures_are_those_of_the_committed_results() -> None:
    figures = load_script("figures")
    names = [found[1] for page in figures.PAGES for found in figures.sections(read(ROOT / page))]
    assert sorted(names) == sorted(figures.SECTIONS)
    for page in figures.PAGES:
        text = read(ROOT / page)
        assert figures.filled(text) == text, "run scripts/figures --write in .venv"


@each_page
def test_every_link_leads_to_a_file(page: Path) -> None:
    prose = re.sub(r"`[^`\n]*`", "", FENCE.sub("", read(page)))  # SMARTS look like links
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", prose)
    assert [target for target in targets if not (page.parent / target).exists()] == []


@each_page
def test_every_option_that_is_named_exists(page: Path) -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", read(page)))
    reference = read(REFERENCE)
    assert {option for option in named - FOREIGN if f"`{option}" not in reference} == set()
