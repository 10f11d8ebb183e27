"""Options made from the fields of configuration dataclasses.

    @click.command()
    @fields.config_options(GenerateConfig)
    def command(**settings: Any) -> None:
        config = fields.config_from(GenerateConfig, settings)

An option that is not given is None (or an empty tuple), so that `config_from` changes only the
others: flag > file > preset > default.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import Field, fields
from typing import Any, get_type_hints

import click

from molvae.cli import options
from molvae.cli.options import Decorator, chained
from molvae.config import Config, updated
from molvae.errors import UsageError

# Fields whose option has a letter, or reads better in the singular because it is repeated.
SPELLINGS: dict[str, tuple[str, ...]] = {
    "smiles_column": ("-s", "--smiles-column"),
    "batch_size": ("-b", "--batch-size"),
    "labels": ("--label",),
    "filters": ("--filter",),
}
# Lists that may also be given with commas; SMARTS patterns and column names may hold commas.
COMMA_LISTS = ("properties", "filters")
NONE = "none"  # what an empty list is called, since an option that is left out means the default


def config_options(
    kind: type[Config],
    *,
    only: Collection[str] | None = None,
    shown: Config | None = None,
) -> Decorator:
    """Add one option for each hyper-parameter of `kind` to a command.

    Args:
        kind: a configuration dataclass.
        only: the fields to take; all of them when None.
        shown: the configuration whose values the help text shows as defaults, such as a preset.
    """
    hints, values = get_type_hints(kind), shown or kind()
    return chained(
        *(
            _config_option(item, hints[item.name], getattr(values, item.name))
            for item in fields(kind)
            if only is None or item.name in only
        )
    )


def config_from(
    kind: type[Config], settings: Mapping[str, Any], *, base: Config | None = None
) -> Config:
    """Return `base` (or the defaults) with the options from the command line.

    Args:
        kind: the dataclass given to `config_options`.
        settings: the command's parameters; those that are no fields of `kind` are ignored.
        base: the configuration from file and preset.

    Raises:
        ConfigError: for a value out of its range.
    """
    names = {item.name for item in fields(kind)}
    given = {
        name: () if name in COMMA_LISTS and value == (NONE,) else value
        for name, value in settings.items()
        if name in names and value is not None and value != ()
    }
    return updated(kind() if base is None else base, given, where="command line")


def _config_option(item: Field[Any], hint: Any, default: object) -> Decorator:
    """Return the option of one field."""
    dashed = item.name.replace("_", "-")
    spelling = SPELLINGS.get(item.name, (f"--{dashed}",))
    help_text = f"{item.metadata['help']}{_default_text(default)}"
    low, high, choices = (item.metadata[key] for key in ("low", "high", "choices"))
    more: dict[str, Any] = {"default": None}
    if hint is bool:
        spelling = (f"--{dashed}/--no-{dashed}",)
    elif hint is int:
        more["type"] = click.IntRange(low, high)
    elif hint in (float, float | None):
        more |= {"type": click.FloatRange(low, high), "callback": options.finite}
    elif hint is str:
        more["type"] = click.Choice(choices) if choices else str
    else:
        checked = item.name in ("filters", "smarts", "not_smarts")
        more = {"multiple": True, "callback": _wanted if checked else _words}
    return click.option(*spelling, item.name, help=help_text, **more)


def _default_text(default: object) -> str:
    if default is None:
        return " (default: the model's own)"
    if isinstance(default, bool):
        return f" (default {'yes' if default else 'no'})"
    if isinstance(default, float):
        return f" (default {default:g})"
    if isinstance(default, tuple):
        default = ",".join(default)
    return "" if default == "" else f" (default {default})"


def _words(ctx: click.Context, parameter: click.Parameter, value: Iterable[str]) -> tuple[str, ...]:
    if parameter.name not in COMMA_LISTS:
        return tuple(value)
    return tuple(word.strip() for text in value for word in text.split(",") if word.strip())


def _wanted(
    ctx: click.Context, parameter: click.Parameter, value: Iterable[str]
) -> tuple[str, ...]:
    """Check filters and patterns before a model is read."""
    words = _words(ctx, parameter, value)
    if words and words != (NONE,):
        from molvae.chem.filters import asks_for_stereo, resolve_filter

        check: Callable[[str], object] = asks_for_stereo
        if parameter.name == "filters":
            check = resolve_filter
        try:
            for word in words:
                check(word)
        except UsageError as error:
            raise click.BadParameter(str(error)) from error
    return words
