"""`molvae decorate`: molecules with a core."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from molvae.cli import cores, fields, generators, options
from molvae.cli.commands.generate import MISSED, finish, read_known, settle, too_few
from molvae.cli.outputs import TableOutput, table_output
from molvae.cli.rejects import Rejects
from molvae.cli.requests import check_targets
from molvae.cli.tables import TableInput, table_input
from molvae.cli.terminal import say
from molvae.config import GenerateConfig
from molvae.errors import InputError, Rejected

if TYPE_CHECKING:
    from molvae.chem.cores import Core
    from molvae.generation.results import Summary
    from molvae.generator import MoleculeGenerator

REPLACED = ("SMILES", "ID")  # columns of the molecules, which a table of cores has of its own


class _Cores(NamedTuple):
    """The cores, and the other cells of the rows that they come from."""

    cores: list["Core"]
    cells: list[Mapping[str, object]]


@click.command(epilog="Try: molvae decorate '[*:1]c1ccc2ncnc([*:2])c2c1' -n 9 -t LogP=2..3")
@click.argument("core")
@click.argument("model", default="druglike")
@options.number(20, help="Number of molecules; of a table of cores, for each.")
@options.targets
@options.exclude
@cores.anywhere
@fields.config_options(GenerateConfig)
@options.seed()
@options.batch_size
@table_input
@options.executor
@options.device
@table_output("--output-format", inside="molecules")
def command(
    core: str,
    model: str,
    number: int,
    targets: options.Ranges,
    exclude: Path | None,
    anywhere: bool,
    seed: int | None,
    batch_size: int | None,
    source: TableInput,
    executor: str | None,
    device: str,
    output: TableOutput,
    **settings: Any,
) -> None:
    """Generate molecules that contain CORE, with new parts at its open atoms.

    CORE is SMILES with a mark at each open atom: [*:1], [1*] or *. Without marks, every atom with
    a free hydrogen is open, and a molecule gets one new part there. Or it is a table of cores, with
    -n molecules for each row, whose other columns are kept.

    Every molecule contains the core, with one new part at each mark and none elsewhere unless
    --anywhere is given. The model sees the core without stereo marks and charges; the molecules
    have it as it was given. The column decoration has the new parts, with [*:1] where they were
    bonded to the mark of this number; R1, R2, ... have them one by one. Without marks the number is
    that of the core's atom.
    """
    file = Path(core)
    output.check()
    table = file if file.is_file() else None
    rejects = source.collect_rejects(output)
    check_targets(model, targets)
    generator = generators.load(model, device)
    if table is None:
        from molvae.generation.openings import read_core

        given = _Cores([read_core(generator.model, core, anywhere=anywhere)], [{}])
    else:
        given = _read_cores(
            generator, table, source, rejects, anywhere=anywhere, quiet=output.quiet
        )
    for each in given.cores:
        cores.tell_core(generator, each, quiet=output.quiet)
    request = generator.request(targets)
    config = settle(generator, [request], settings, quiet=output.quiet)
    known = read_known(generator, exclude, jobs=source.jobs, quiet=output.quiet)
    n, quiet = number * len(given.cores), output.quiet
    with generators.run("Decorating", n, source.jobs, executor, quiet=quiet) as (run, stopped):
        found = generator.decorate(
            given.cores,
            number,
            request,
            config=config,
            seed=seed,
            exclude=known,
            batch_size=batch_size or 1024,
            **run,
        )
    title = generators.title_and_hash(model, generator)
    more = {"model": title, "seed": found.summary.seed}
    rows = [{**given.cells[(each.id - 1) // number], **each.row(), **more} for each in found]
    first = ("ID", "SMILES", "core", "decoration")
    rows = [{name: row[name] for name in first} | row for row in rows]
    finish(generator, found.summary, rows, output=output, stopped=stopped)
    if found.summary.found < n:
        raise too_few(found.summary, what_helps(found.summary, anywhere=anywhere))


def _read_cores(
    generator: "MoleculeGenerator", file: Path, source: TableInput, rejects: Rejects, **more: bool
) -> _Cores:
    """Return the cores of a table; report the rows without one that the model can write.

    Raises:
        InputError: for a table without any such core.
    """
    from molvae.generation.openings import check_core

    table, found = source.open(file), _Cores([], [])
    quiet = more.pop("quiet")
    for row in table.rows:
        try:
            row.check()
            core = check_core(generator.model, row.smiles, **more)
        except Rejected as rejected:
            rejects.add(row, rejected)
            continue
        cells = dict(zip(table.columns, row.cells, strict=True))
        taken = {table.smiles_column, *REPLACED}
        found.cores.append(core)
        found.cells.append({name: cell for name, cell in cells.items() if name not in taken})
    rejects.finish(quiet=quiet)
    say(f"{table.name}: {len(found.cores):,} cores in column '{table.smiles_column}'.", quiet=quiet)
    if not found.cores:
        raise InputError(f"{file}: no core that the model can write.")
    return found


def what_helps(summary: "Summary", *, anywhere: bool = False) -> str:
    """Return advice for a run that found too few molecules with a core, by the commonest reason."""
    from molvae.chem.placements import ELSEWHERE

    reason = next(iter(summary.refusals), "")
    if reason == ELSEWHERE and not anywhere:
        return "--anywhere lets atoms without a mark grow, and a larger --max-tries tries longer."
    if reason == "duplicate":
        return "Few new parts fit: a higher --temperature, or a smaller core, brings more."
    wider = " A wider range is met more often." if reason.endswith(MISSED) else ""
    return f"A larger --max-tries tries longer.{wider}"
