"""`molvae benchmark`: published benchmarks of a model, or of any generator's molecules."""

import click

from molvae.cli.commands import (
    benchmark_control,
    benchmark_distribution,
    benchmark_goals,
    benchmark_reconstruction,
    benchmark_scaffold,
)


@click.group(name="benchmark", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Run a published benchmark on a model, or on the molecules of any generator.

    molvae benchmark moses druglike -o moses.json
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


command.add_command(benchmark_distribution.moses)
command.add_command(benchmark_distribution.guacamol)
command.add_command(benchmark_control.command)
command.add_command(benchmark_reconstruction.command)
command.add_command(benchmark_goals.pmo)
command.add_command(benchmark_goals.guacamol_goals)
command.add_command(benchmark_goals.lead)
command.add_command(benchmark_scaffold.command)
