"""`molvae benchmark`: a model, or any generator's molecules, beside what others report."""

import click

from molvae.cli.commands import benchmark_control, benchmark_distribution, benchmark_reconstruction


@click.group(name="benchmark", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Judge a model, or the molecules of any generator, in a published protocol.

    molvae benchmark moses druglike -o moses.json
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


command.add_command(benchmark_distribution.moses)
command.add_command(benchmark_distribution.guacamol)
command.add_command(benchmark_control.command)
command.add_command(benchmark_reconstruction.command)
