"""Cores on the command line: read, and what is told of them before any drawing."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

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
anywhere = click.option(
    "--anywhere", is_flag=True, help="Let atoms of the core without a mark grow as well."
)


def read_kept(
    generator: "MoleculeGenerator", text: str | None, settings: Mapping[str, Any], *, quiet: bool
) -> tuple[list["Core"], dict[str, Any]]:
    """Return the core of `--keep`, and settings whose patterns have its SMARTS where it is no core.

    Report what the model makes of it.

    Raises:
        UsageError: for neither of both.
    """
    from molvae.generation.openings import core_or_pattern

    if text is None:
        return [], dict(settings)
    found = core_or_pattern(generator.model, text)
    if isinstance(found, str):
        say(
            f"--keep {text}: a pattern cannot be written out; molecules without it are rejected.",
            quiet=quiet,
        )
        return [], dict(settings) | {"smarts": (*settings["smarts"], found)}
    tell_core(generator, found, quiet=quiet)
    return [found], dict(settings)


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
