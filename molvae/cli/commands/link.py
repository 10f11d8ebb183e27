"""`molvae link`: two fragments joined by linkers of the model."""

from pathlib import Path
from typing import Any

import click

from molvae.cli import cores, fields, generators, options
from molvae.cli.commands.decorate import what_helps
from molvae.cli.commands.generate import finish, read_known, settle, too_few
from molvae.cli.outputs import TableOutput, table_output
from molvae.cli.requests import check_targets
from molvae.config import GenerateConfig


@click.command(epilog="Try: molvae link '[*:1]c1ccc(F)cc1' '[*:1]N1CCOCC1' -n 9")
@click.argument("first")
@click.argument("last")
@click.argument("model", default="druglike")
@options.number(20, help="Number of molecules.")
@options.targets
@options.exclude
@fields.config_options(GenerateConfig)
@options.seed()
@options.batch_size
@options.jobs
@options.executor
@options.device
@table_output(inside="molecules")
def command(
    first: str,
    last: str,
    model: str,
    number: int,
    targets: options.Ranges,
    exclude: Path | None,
    seed: int | None,
    batch_size: int | None,
    jobs: int | None,
    executor: str | None,
    device: str,
    output: TableOutput,
    **settings: Any,
) -> None:
    """Generate molecules that join two fragments, FIRST and LAST.

    Each is SMILES with one mark, such as [*:1], at the atom that the linker is bonded to. The model
    writes the linkers; the likelihood decides to which of their atoms the other fragment is bonded.
    The rows are in the order of their distance from the targets, then of the
    likelihood of the molecules. The column decoration has the linker, with [*:1] at the first
    fragment and [*:2] at the last.
    """
    from molvae.generation.openings import read_link

    output.check()
    check_targets(model, targets)
    generator = generators.load(model, device)
    cores.tell_core(generator, read_link(generator.model, first, last), quiet=output.quiet)
    request = generator.request(targets)
    config = settle(generator, [request], settings, quiet=output.quiet)
    known = read_known(generator, exclude, jobs=jobs, quiet=output.quiet)
    with generators.run("Linking", number, jobs, executor, quiet=output.quiet) as (run, stopped):
        found = generator.link(
            first,
            last,
            number,
            request,
            config=config,
            seed=seed,
            exclude=known,
            batch_size=batch_size or 1024,
            **run,
        )
    title = generators.title_and_hash(model, generator)
    rows = [{**each.row(), "model": title, "seed": found.summary.seed} for each in found]
    finish(generator, found.summary, rows, output=output, stopped=stopped)
    if found.summary.found < number:
        raise too_few(found.summary, what_helps(found.summary, anywhere=True))
