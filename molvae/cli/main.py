"""The `molvae` command: finds the subcommand, and turns what goes wrong into one line and a code.

0 done · 1 failed · 2 usage or configuration · 3 no usable input · 4 fewer molecules than asked ·
130 interrupted · 138 warned by a batch system, SIGUSR1 (train) · 143 terminated.
"""

import os
import signal
import sys
import traceback
from importlib import import_module
from types import FrameType, TracebackType
from typing import NoReturn

import click

from molvae.cli.terminal import printable, say
from molvae.errors import MolvaeError, did_you_mean
from molvae.version import __version__

INTERRUPTED = 130
TERMINATED = 143
BROKEN_PIPE = 141  # what a shell reports of any program whose reader went away

# Command -> (module with a click command named `command`, its line in `molvae --help`). The line
# stands here so that the help text imports no command, and in the order of a first visit.
COMMANDS: dict[str, tuple[str, str]] = {
    "generate": ("molvae.cli.commands.generate", "Draw molecules with the properties you name."),
    "prepare": (
        "molvae.cli.commands.prepare",
        "Turn a table of molecules into a dataset to train on.",
    ),
    "train": ("molvae.cli.commands.train", "Train a model on a prepared dataset."),
    "predict": ("molvae.cli.commands.predict", "Predict labels of given molecules."),
    "score": ("molvae.cli.commands.score", "Tell how likely a model holds given molecules."),
    "augment": ("molvae.cli.commands.augment", "Draw variants of given molecules."),
    "encode": ("molvae.cli.commands.encode", "Write the latent codes of given molecules."),
    "decode": ("molvae.cli.commands.decode", "Write the molecules of given latent codes."),
    "reconstruct": (
        "molvae.cli.commands.reconstruct",
        "Write given molecules again from their codes.",
    ),
    "neighbors": ("molvae.cli.commands.neighbors", "Draw molecules around one in latent space."),
    "interpolate": (
        "molvae.cli.commands.interpolate",
        "Write the molecules on the way between two.",
    ),
    "sweep": ("molvae.cli.commands.sweep", "Change one property of a molecule, holding all else."),
    "map": ("molvae.cli.commands.map", "Draw a picture of molecules in latent space."),
    "evaluate": ("molvae.cli.commands.evaluate", "Score a table of generated molecules."),
    "benchmark": ("molvae.cli.commands.benchmark", "Judge a model in a published protocol."),
    "info": ("molvae.cli.commands.info", "Show what is inside a model or a dataset."),
    "models": ("molvae.cli.commands.models", "List the bundled models."),
    "data": ("molvae.cli.commands.data", "List and fetch public sets of molecules."),
    "properties": ("molvae.cli.commands.properties", "List the properties that targets can name."),
    "doctor": (
        "molvae.cli.commands.doctor",
        "Check this installation and name the fix for each miss.",
    ),
}


class CommandTable(click.Group):
    """A group whose commands are imported when they are called, not before.

    Click offers laziness only through a subclass; this is the one class that extends it.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command and give it, and each of its subcommands, `--debug`."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name][0]).command
        within = command.commands.values() if isinstance(command, click.Group) else ()
        for each in (command, *within):
            if not any(parameter.name == "debug" for parameter in each.params):
                each.params.append(_debug_option())
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
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; what goes wrong becomes one line and an exit code."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            _drop_output()
            ctx.exit(BROKEN_PIPE)
        except MolvaeError as error:
            _explain(ctx, error, str(error))
            ctx.exit(error.exit_code)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            _explain(ctx, error, f"{where}{error.strerror or error}")
            ctx.exit(1)


def _explain(ctx: click.Context, error: Exception, message: str) -> None:
    if ctx.meta.get("molvae.debug"):
        say("".join(traceback.format_exception(error)))
    say(f"Error: {message}")


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
    """Generate molecules with the properties you name."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main() -> NoReturn:
    """Run the command line and exit."""
    sys.excepthook = _report_defect
    signal.signal(signal.SIGTERM, _terminate)
    if hasattr(os, "register_at_fork"):
        # A worker busy inside RDKit runs no Python handler: there, SIGTERM must simply kill.
        os.register_at_fork(after_in_child=_restore_sigterm)
    try:
        code = _run()
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        code = BROKEN_PIPE
    sys.exit(code)


def _run() -> int:
    """Run the command and return its exit code, having said what went wrong."""
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
        message = error.format_message()
        if isinstance(error, click.UsageError) and error.ctx is not None:
            message += f" (see: {error.ctx.command_path} --help)"
        say(f"Error: {message}")
        return error.exit_code
    return result if isinstance(result, int) else 0


def _report_defect(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Report an exception nobody foresaw on one line; Python exits 1 after it."""
    if issubclass(kind, KeyboardInterrupt):
        say("Interrupted.")
    elif issubclass(kind, MemoryError):
        say("Error: out of memory. Use a smaller --batch-size or fewer --jobs.")
    else:
        say(
            f"Error: {kind.__name__}: {printable(error)}. This is a defect of molvae: please report"
            " it with what the same command prints under --debug."
        )


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    """Leave through every `finally` and `with`, so that what was finished is kept."""
    sys.exit(TERMINATED)


def _restore_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _drop_output() -> None:
    """Point stdout and stderr where they can be flushed, now that nobody reads them."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(nowhere, stream.fileno())
