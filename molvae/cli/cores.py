"""Cores on the command line: read, and what is told of them before any drawing."""

from typing import TYPE_CHECKING

import click

from molvae.cli.terminal import say

if TYPE_CHECKING:
    from molvae.chem.cores import Core
    from molvae.generator import MoleculeGenerator

keep = click.option(
    "--keep",
    default=None,
    metavar="SMILES|SMARTS",
    help="Core that every molecule contains: SMILES, with marks such as [*:1] at the atoms that may"
    " grow, or SMARTS. The model writes behind SMILES; with SMARTS, molecules without it are"
    " rejected.",
)
keep_smiles = click.option(
    "--keep",
    default=None,
    metavar="SMILES",
    help="Core that every molecule contains; without marks such as [*:1] it grows where SMILES has"
    " other parts on it. A target without such a molecule has no SMILES.",
)
anywhere = click.option(
    "--anywhere", is_flag=True, help="Let atoms of the core without a mark grow as well."
)


def read_kept(
    generator: "MoleculeGenerator", text: str | None, *, quiet: bool
) -> tuple[list["Core"], tuple[str, ...]]:
    """Return the core of `--keep`, or its SMARTS pattern; report what the model makes of it.

    Raises:
        UsageError: for neither of both.
    """
    from molvae.generation.openings import core_or_pattern

    if text is None:
        return [], ()
    found = core_or_pattern(generator.model, text)
    if isinstance(found, str):
        say(
            f"--keep {text}: a pattern cannot be written out; molecules without it are rejected.",
            quiet=quiet,
        )
        return [], (found,)
    tell_core(generator, found, quiet=quiet)
    return [found], ()


def read_smiles(generator: "MoleculeGenerator", text: str | None, *, quiet: bool) -> "Core | None":
    """Return the core of `--keep` where it cannot be a pattern; report what the model makes of it.

    Raises:
        UsageError: for what is no core.
    """
    from molvae.generation.openings import read_core

    if text is None:
        return None
    core = read_core(generator.model, text)
    tell_core(generator, core, quiet=quiet)
    return core


def tell_core(generator: "MoleculeGenerator", core: "Core", *, quiet: bool) -> None:
    """Report what the model does not see of a core, and whether it leaves little room."""
    from molvae.generation.openings import left_out, unusual_size

    if parts := left_out(core):
        say(
            f"{core.text}: the model reads it without {parts}; the molecules have it as given.",
            quiet=quiet,
        )
    if problem := unusual_size(generator.model, core):
        say(f"Warning: {core.text}: {problem}.", quiet=quiet)
