"""Options that commands share."""

import math
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from molvae.arguments import MAX_BATCH, MAX_JOBS, MAX_MOLECULES, MAX_SERIES
from molvae.errors import UsageError
from molvae.presets import SERIES_NOISE, SERIES_TRIES

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]
# property -> (low, high), equal for a point; class label -> a class, or several as `a|b`
Ranges = dict[str, tuple[float, float] | str]

# The types of the options that name what a command writes: `overwriting` checks these files.
OUTPUT = click.Path(path_type=Path)  # a file; `-` for stdout
DATASET = click.Path(path_type=Path)  # a file that may replace a dataset
RUN = click.Path(path_type=Path)  # the folder of a training

# What `data.tables` reads and writes; written out here because it may only be imported when called.
FORMATS = ("smi", "csv", "tsv", "sdf", "parquet", "json", "jsonl")


def _targets(ctx: click.Context, parameter: click.Parameter, value: Iterable[str]) -> Ranges:
    from molvae.targets import Request

    try:
        return Request.parse(value)
    except UsageError as error:
        raise click.BadParameter(str(error)) from error


targets = click.option(
    "-t",
    "--target",
    "targets",
    multiple=True,
    callback=_targets,
    metavar="NAME=VALUE|LO..HI",
    help="Target of a property, such as LogP=2.5, QED=0.8..0.95 or MW=..400, or a class of a label,"
    " such as activity=active; repeat for more. A class whose name has one of = | .. needs quotes:"
    " 'dose=\"1..10 uM\"'. `molvae info MODEL` shows the classes as they are typed.",
)


def chained(*decorators: Decorator) -> Decorator:
    """Return one decorator for several options, given in the order of the help text."""

    def decorate(command: Command) -> Command:
        for decorator in reversed(decorators):  # decorators apply from the bottom up
            command = decorator(command)
        return command

    return decorate


def packed(kind: Any, name: str, *decorators: Decorator) -> Decorator:
    """Add several options to a command, as one parameter.

    Args:
        kind: a NamedTuple whose fields are the parameters of the options.
        name: of the parameter that holds it.
        decorators: of the options, in the order of the help text.
    """

    def decorate(command: Command) -> Command:
        @wraps(command)
        def with_record(**parameters: Any) -> Any:
            record = kind(**{each: parameters.pop(each) for each in kind._fields})
            return command(**parameters, **{name: record})

        return chained(*decorators)(with_record)

    return decorate


def finite(ctx: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """Refuse NaN, which click's range of floats lets through: a callback of an option."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a finite number.")
    return value


def real(
    *names: str, low: float, high: float, help: str, default: float | None = None
) -> Decorator:
    """Add an option that takes a finite number from `low` to `high`."""
    return click.option(
        *names,
        type=click.FloatRange(low, high),
        default=default,
        callback=finite,
        show_default=default is not None,
        help=help,
    )


def number(
    default: int | None = None, *, most: int = MAX_MOLECULES, help: str = "Number of molecules."
) -> Decorator:
    """`-n`: the parameter `number`, 1 to `most`."""
    return click.option(
        "-n",
        "--num",
        "number",
        type=click.IntRange(1, most),
        default=default,
        show_default=True,
        help=help,
    )


def output(
    help: str,
    *,
    default: str | None = None,
    required: bool = False,
    kind: click.Path = OUTPUT,
) -> Decorator:
    """`-o`: the parameter `output`, a path of this kind, or `-` for stdout."""
    # Since click 8.3 a default of None is a default: a required option could be missing.
    more: dict[str, Any] = {} if required else {"default": default}
    return click.option(
        "-o",
        "--output",
        type=kind,
        required=required,
        show_default=default is not None,
        help=help,
        **more,
    )


def _or_nothing(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str:
    return value or ""


# The parameter `input_format`, "" when not given.
input_format = click.option(
    "--format",
    "input_format",
    type=click.Choice(FORMATS),
    callback=_or_nothing,
    help="Format of the input; found from the file's ending, or from the content of stdin.",
)


def output_format(flag: str = "--format") -> Decorator:
    """`--output-format`: the parameter `output_format`, "" when not given.

    Args:
        flag: a shorter one, which a command that reads tables as well has for these.
    """
    return click.option(
        *dict.fromkeys((flag, "--output-format")),
        "output_format",
        type=click.Choice(FORMATS),
        callback=_or_nothing,
        help="Format of the output; found from the file's ending, csv on stdout.",
    )


def seed(
    help: str = "Random seed; chosen and reported when not given.",
    *,
    default: int | None = None,
) -> Decorator:
    """`--seed`: the parameter `seed`, `default` when not given."""
    return click.option(
        "--seed",
        type=click.IntRange(0, 2**32 - 1),
        default=default,
        show_default=default is not None,
        help=help,
    )


smiles_column = click.option(
    "-s",
    "--smiles-column",
    default="",
    help="Column of SMILES; found by name when not given.",
)
batch_size = click.option(
    "-b",
    "--batch-size",
    type=click.IntRange(1, MAX_BATCH),
    default=None,
    help="Molecules per batch; changes speed and memory, never the result.",
)
device = click.option(
    "-d",
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda|cuda:N",
    help="Device of the model.",
)
jobs = click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1, MAX_JOBS),
    default=None,
    help="Worker processes; all cores when not given.",
)
executor = click.option(
    "--executor",
    metavar="dask://HOST:PORT",
    default=None,
    help="Run the chemistry on the workers of this Dask scheduler, in place of --jobs; needs the"
    " extra 'dask'.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Write the result as JSON.")
force = click.option("--force", is_flag=True, help="Overwrite existing files.")
quiet = click.option("-q", "--quiet", is_flag=True, help="Show errors only.")


rejects = click.option(
    "--rejects",
    type=OUTPUT,
    default=None,
    help="Write every rejected row, with its reason, to this table.",
)
exclude = click.option(
    "--exclude",
    type=click.Path(path_type=Path),
    default=None,
    help="Table of known molecules to reject.",
)
strict = click.option("--strict", is_flag=True, help="Stop at the first rejected row.")
# The options of `generation.search.Search`: noise, tries and seed.
searching = chained(
    real(
        "--noise",
        low=0.0,
        high=1.0,
        help="Largest fraction of noise in the latent code; 0 keeps the molecule's own code"
        f" (default {SERIES_NOISE:g}; for a decoder trained without noise, the posterior's width).",
    ),
    click.option(
        "--tries",
        type=click.IntRange(1, MAX_SERIES),
        default=SERIES_TRIES,
        show_default=True,
        help="Molecules decoded for each row.",
    ),
    click.option(
        "--rings",
        type=click.Choice(("known", "any")),
        default="known",
        show_default=True,
        help="known: prefer molecules without a ring system that hardly any training molecule has;"
        " any: do not look at them.",
    ),
    seed("Seed of the noise.", default=0),
)
