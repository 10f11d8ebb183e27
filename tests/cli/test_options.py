import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from molvae.cli import fields, options
from molvae.cli.main import cli
from molvae.config import DataConfig, GenerateConfig, ModelConfig, TrainConfig, updated
from molvae.errors import UsageError
from molvae.presets import PRESETS
from molvae.targets import Request


def resolve(kind: Any, *arguments: str, base: Any = None, **choice: Any) -> Any:
    """Return the configuration that a command with the options of `kind` comes to."""
    seen = []

    @click.command()
    @fields.config_options(kind, **choice)
    def command(**settings: Any) -> None:
        seen.append(fields.config_from(kind, settings, base=base))

    result = CliRunner().invoke(command, arguments, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return seen[0]


def show_help(kind: Any, **choice: Any) -> str:
    @click.command()
    @fields.config_options(kind, **choice)
    def command(**settings: Any) -> None: ...

    return " ".join(CliRunner().invoke(command, ["--help"]).stdout.split())


@pytest.mark.parametrize("kind", [DataConfig, ModelConfig, TrainConfig, GenerateConfig])
def test_no_options_give_the_defaults(kind: Any) -> None:
    assert resolve(kind) == kind()


@pytest.mark.parametrize("kind", [DataConfig, ModelConfig, TrainConfig, GenerateConfig])
def test_help_tells_of_every_field_once(kind: Any) -> None:
    text = show_help(kind)
    for item in dataclasses.fields(kind):
        assert text.count(item.metadata["help"]) == 1


def test_flag_wins_over_base_and_base_over_default() -> None:
    base = updated(TrainConfig(), {"epochs": 7, "beta": 0.5})
    config = resolve(TrainConfig, "--epochs", "9", "--learning-rate", "1e-4", base=base)
    assert config == updated(base, {"epochs": 9, "learning_rate": 1e-4})


def test_switch_can_be_turned_either_way() -> None:
    base = updated(GenerateConfig(), {"novel": True})
    assert not resolve(GenerateConfig, "--no-novel", base=base).novel
    assert resolve(GenerateConfig, "--novel").novel
    assert not resolve(GenerateConfig, "--no-unique").unique


def test_names_may_be_listed_or_repeated() -> None:
    config = resolve(DataConfig, "--properties", "LogP, QED", "--properties", "MW")
    assert config.properties == ("LogP", "QED", "MW")


def test_patterns_and_columns_keep_their_commas() -> None:
    config = resolve(GenerateConfig, "--smarts", "[C,N]", "--smarts", "C-,=C", "--filter", "NIH")
    assert (config.smarts, config.filters) == (("[C,N]", "C-,=C"), ("NIH",))
    assert resolve(DataConfig, "--label", "IC50, nM").labels == ("IC50, nM",)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--temperature", "nan"),
        ("--temperature", "-1"),
        ("--temperature", "cold"),
        ("--best-of", "0"),
        ("--best-of", "1.5"),
        ("--tier", "cooked"),
    ],
)
def test_bad_value_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    with pytest.raises(click.UsageError):
        resolve(GenerateConfig, *arguments)


def numbers() -> Iterator[tuple[str, click.Option]]:
    """Yield every option of every command that takes a number, with the command."""
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        group = isinstance(command, click.Group)
        for each in command.commands.values() if group else [command]:  # type: ignore[union-attr]
            for option in each.params:  # type: ignore[union-attr]
                if isinstance(option.type, click.types.IntParamType | click.types.FloatParamType):
                    assert isinstance(option, click.Option)
                    words = (name, *([each.name] if group else []), option.opts[-1])  # type: ignore[union-attr]
                    yield " ".join(words), option


NUMBERS = dict(numbers())


@pytest.mark.parametrize("option", NUMBERS.values(), ids=NUMBERS)
def test_every_number_has_a_finite_range_that_help_states(option: click.Option) -> None:
    context = click.Context(click.Command("any"))
    low, high = getattr(option.type, "min", None), getattr(option.type, "max", None)
    assert None not in (low, high), "give the option both ends"
    assert math.isfinite(high - low)
    assert f"{low}<=x<={high}" in str(option.get_help_record(context))
    whole = isinstance(option.type, click.types.IntParamType)
    beyond = ("-1", str(10**26)) if low >= 0 else ("-1e31", "1e31")
    for word in ("nan", "inf", "-inf", *beyond, *(("1e3", "2.5") if whole else ())):
        with pytest.raises(click.UsageError):
            option.process_value(context, word)
    for end in (low, high):
        assert option.process_value(context, str(end)) == end


def test_numbers_of_all_commands_are_found() -> None:
    assert {"generate --seed", "sweep --from", "benchmark moses --num"} <= set(NUMBERS)


def test_only_chooses_fields() -> None:
    assert "--epochs" in show_help(TrainConfig, only={"epochs"})
    assert "--beta" not in show_help(TrainConfig, only={"epochs"})


def test_help_can_show_the_values_of_a_preset() -> None:
    train = PRESETS["large"][1]
    assert train.beta != TrainConfig().beta
    assert f"(default {train.beta:g})" in show_help(TrainConfig, only={"beta"}, shown=train)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("LogP=2.5", ("LogP", 2.5, 2.5)),
        (" LogP = -2.5 ", ("LogP", -2.5, -2.5)),
        ("QED=0.8..0.95", ("QED", 0.8, 0.95)),
        ("QED=.8...95", ("QED", 0.8, 0.95)),
        ("QED=1.0...95e1", ("QED", 1.0, 9.5)),
        ("MW=..400", ("MW", -math.inf, 400.0)),
        ("MW=4e2..", ("MW", 400.0, math.inf)),
        ("LogP=-3..-1", ("LogP", -3.0, -1.0)),
        ("a=b=1", ("a=b", 1.0, 1.0)),
    ],
)
def test_target_is_a_value_or_a_range(text: str, expected: tuple[str, float, float]) -> None:
    name, low, high = expected
    assert Request.parse([text]) == {name: (low, high)}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("LogP", "write NAME=VALUE"),
        ("LogP=", "write NAME=VALUE"),
        ("=2.5", "write NAME=VALUE"),
        ("LogP=..", "at least one end"),
        ("LogP=nan", "not a finite number"),
        ("LogP=inf", "not a finite number"),
        ("LogP=1e999", "not a finite number"),
        ("LogP=1..nan", "not a finite number"),
        ("LogP=1_0", "not a finite number"),
        ("LogP=\u0662", "not a finite number"),
        ("LogP=0x10", "not a finite number"),
        ("LogP=2,5", "decimal point"),
        ("LogP=3..1", r"empty range; did you mean 1\.\.3"),
        ("LogP=1..2..3", "not a finite number"),
    ],
)
def test_target_that_cannot_be_meant_is_refused(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        Request.parse([text])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("activity=active", {"activity": "active"}),
        (" Activity = very active ", {"Activity": "very active"}),
        ("activity=CI|CM", {"activity": "CI|CM"}),
        ("assay=1", {"assay": (1.0, 1.0)}),  # a class or a number: the model knows
        ("assay=0|1", {"assay": "0|1"}),
        ("assay=<10", {"assay": "<10"}),
    ],
)
def test_target_of_a_label_may_be_a_class(text: str, expected: dict[str, object]) -> None:
    assert Request.parse([text]) == expected


@pytest.mark.parametrize("word", ["nan", "inf", "2,5", "1_0", "1e999", "1..active", "a.."])
def test_a_slip_of_a_number_is_no_class(word: str) -> None:
    with pytest.raises(UsageError, match="not a finite number"):
        Request.parse([f"activity={word}"])


def test_property_has_one_target_however_it_is_written() -> None:
    with pytest.raises(UsageError, match="already"):
        Request.parse(["LogP=1", "logp=2.."])


def ask(*arguments: str) -> Result:
    @click.command()
    @options.targets
    @options.number(100)
    @options.output("the table to write", default="-")
    @options.seed()
    def command(**parameters: Any) -> None:
        click.echo(parameters)

    return CliRunner().invoke(command, arguments)


def test_shared_options_have_the_same_letters_everywhere() -> None:
    result = ask("-t", "LogP=1..", "-t", "QED=0.5", "-n", "3", "-o", "out.csv", "--seed", "7")
    assert eval(result.stdout, {"inf": math.inf, "PosixPath": Path}) == {
        "targets": {"LogP": (1.0, math.inf), "QED": (0.5, 0.5)},
        "number": 3,
        "output": Path("out.csv"),
        "seed": 7,
    }


def test_bad_target_is_a_usage_error_of_its_option() -> None:
    result = ask("--target", "LogP=nan")
    assert result.exit_code == 2
    assert "--target" in result.stderr
