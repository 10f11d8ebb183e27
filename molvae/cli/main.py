"""The `molvae` command: find the subcommand, and turn an error into one line and an exit code.

0 done · 1 failed · 2 usage or configuration · 3 no usable input · 4 fewer molecules than requested
130 interrupted · 138 warned by a batch system, SIGUSR1 (train) · 143 terminated
"""

import errno
import sys
import traceback
from importlib import import_module
from types import TracebackType
from typing import NoReturn

import click

from molvae.cli import process
from molvae.cli.overwriting import guarded
from molvae.cli.terminal import say
from molvae.errors import MolvaeError, did_you_mean
from molvae.version import __version__

INTERRUPTED = 130
BROKEN_PIPE = 141  # as shells report a program whose reader has closed the pipe

FOLDER = "molvae.cli.commands"  # each module in it has a click command named `command`
# Command -> its line in `molvae --help`, in the order of a first visit. The lines are here because
# the help text must not import the commands.
COMMANDS = {
    "generate": "Generate molecules with the properties you ask for.",
    "decorate": "Generate molecules that contain a core, with new parts at its open atoms.",
    "link": "Generate molecules that join two fragments.",
    "optimize": "Find molecules that are better by any score, with few calls of it.",
    "prepare": "Turn a table of molecules into a training dataset.",
    "train": "Train a model on a prepared dataset.",
    "predict": "Predict labels and properties of molecules.",
    "score": "Compute likelihoods and flag out-of-distribution molecules.",
    "augment": "Generate similar molecules for each molecule of a table.",
    "encode": "Compute the latent codes of molecules.",
    "decode": "Turn latent codes into molecules.",
    "reconstruct": "Encode molecules, decode the codes and compare.",
    "neighbors": "Generate molecules near one molecule in latent space.",
    "interpolate": "Generate the molecules between two molecules.",
    "sweep": "Vary one property of a molecule and keep the rest similar.",
    "map": "Plot molecules in latent space.",
    "evaluate": "Compute metrics of generated molecules.",
    "benchmark": "Run a published benchmark on a model or on generated molecules.",
    "info": "Show the content of a model or a dataset.",
    "models": "List the bundled models.",
    "data": "List and download public datasets of molecules.",
    "properties": "List the properties that targets can name.",
    "doctor": "Check this installation and show how to fix it.",
}


class CommandTable(click.Group):
    """A group whose commands are imported when they are called, not before.

    Click offers laziness only through a subclass; this is the one class that extends it.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; add `--debug` and `guarded` to it and to each of its subcommands."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"{FOLDER}.{cmd_name}").command
        within = command.commands.values() if isinstance(command, click.Group) else ()
        for each in within:  # click would cut it off
            each.short_help = each.short_help or (each.help or "").partition("\n\n")[0]
        for each in (command, *within):
            if not any(parameter.name == "debug" for parameter in each.params):
                each.params.append(_debug_option())
                each.callback = each.callback and guarded(each.callback)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of `args`; for an unknown one, name the nearest."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            ctx.fail(f"no command '{name}'{did_you_mean(name, COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; an error becomes one line and an exit code."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            process.drop_streams()
            ctx.exit(BROKEN_PIPE)
        except MolvaeError as error:
            _explain(ctx, error, *str(error).split("\n"))
            ctx.exit(error.exit_code)
        except OSError as error:
            _explain(ctx, error, _of_system(error))
            ctx.exit(1)


def _of_system(error: OSError) -> str:
    if error.errno == errno.EBADF:
        return "stdout is closed"
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


def _explain(ctx: click.Context, error: Exception, message: str, *more: str) -> None:
    if ctx.meta.get("molvae.debug"):
        for line in "".join(traceback.format_exception(error)).splitlines():
            say(line)
    for line in (f"Error: {message}", *more):
        say(line)


def _set_debug(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta["molvae.debug"] = True
        sys.excepthook = sys.__excepthook__


def _debug_option() -> click.Option:
    return click.Option(
        ["--debug"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_set_debug,
        help="Show the full traceback of an error.",
    )


@click.group(
    cls=CommandTable,
    params=[_debug_option()],
    invoke_without_command=True,
    epilog="Try: molvae generate -n 20 --target LogP=2.5 --target QED=0.8..",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="molvae", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Generate molecules with the properties you ask for."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main() -> NoReturn:
    """Run the command line and exit."""
    sys.excepthook = _report_defect
    process.prepare_streams()
    process.handle_signals()
    process.hide_library_warnings()
    try:
        code = _run()
        sys.stdout.flush()
    except BrokenPipeError:
        process.drop_streams()
        code = BROKEN_PIPE
    sys.exit(code)


def _run() -> int:
    """Run the command, report its error, and return the exit code."""
    try:
        result = cli.main(prog_name="molvae", standalone_mode=False)
    except click.Abort as abort:
        if isinstance(abort.__cause__, EOFError):  # click takes any end of file for Ctrl-D
            raise abort.__cause__ from None
        say("Interrupted.")
        return INTERRUPTED
    except KeyboardInterrupt:
        say("Interrupted.")
        return INTERRUPTED
    except click.ClickException as error:
        message = " ".join(error.format_message().split())
        if isinstance(error, click.UsageError) and error.ctx is not None:
            message += f" (see: {error.ctx.command_path} --help)"
        say(f"Error: {message}")
        return error.exit_code
    except OSError as error:  # of a help text
        if isinstance(error, BrokenPipeError):
            raise
        say(f"Error: {_of_system(error)}")
        return 1
    return result if isinstance(result, int) else 0


def _report_defect(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Report an unexpected exception on one line; Python exits 1 after it."""
    if issubclass(kind, KeyboardInterrupt):
        say("Interrupted.")
    elif issubclass(kind, MemoryError):
        say("Error: out of memory. Use a smaller --batch-size or fewer --jobs.")
    else:
        say(
            f"Error: {kind.__name__}: {error}. This is a bug in molvae: please report"
            " it with the output of the same command under --debug."
        )
