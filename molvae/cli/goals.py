"""What an optimization is asked for: on the command line, in a file, and earlier in its folder."""

from collections.abc import Mapping, Sequence
from dataclasses import fields as fields_of
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from molvae.arguments import MAX_MOLECULES, MAX_SEED, whole_number
from molvae.cli import options
from molvae.cli.fields import config_from
from molvae.config import GenerateConfig, OptimizeConfig, updated
from molvae.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from molvae.generator import MoleculeGenerator
    from molvae.optimize.goals import Goal, Goals
    from molvae.optimize.wishes import Wishes

THE_SCORE = "the score"  # what --minimize means without a value
LONGEST = 30 * 24 * 3600.0  # seconds for a batch
BUDGET = 1000
DRAWING = ("rings", "filters", "smarts", "not_smarts")
OWN = tuple(item.name for item in fields_of(OptimizeConfig))
NAMED = ("budget", "seed", "like", "keep")
KEYS = ("goal", "mean", *NAMED, *OWN, *DRAWING)  # of a file


class GoalWords(NamedTuple):
    """What the command line says of the goals: the options of `goal_options`."""

    maximize: Sequence[str]
    minimize: Sequence[str]  # `THE_SCORE` stands for that of --score, or of the laboratory
    targets: options.Ranges
    predicted: Sequence[str]  # labels to maximize as the model predicts them
    score: str | None  # a program, a function or an address
    timeout: float | None  # seconds for a batch of it
    config: Path | None  # a file with more goals


class Laboratory(NamedTuple):
    """Scores that come in tables: the options of `laboratory_options`."""

    ask: int | None  # molecules to be scored elsewhere
    tell: Path | None  # a table of their scores
    start: Path | None  # a table of molecules that were scored before the run
    score_column: str | None  # of these tables
    state: Path | None  # the folder that keeps the run

    @property
    def used(self) -> bool:
        """Whether a laboratory scores the molecules."""
        return self.ask is not None or self.tell is not None


class Plan(NamedTuple):
    """All that a run is asked for."""

    goals: "Goals"
    wishes: "Wishes"
    config: OptimizeConfig
    budget: int
    seed: int | None


def read_plan(
    generator: "MoleculeGenerator",
    words: GoalWords,
    laboratory: Laboratory,
    settings: Mapping[str, Any],
) -> Plan:
    """Return the plan: a flag counts before the file, and the file before the folder.

    Only a laboratory's command takes from the folder what is not given: it only asks or tells.

    Args:
        generator: the model.
        words: the goals.
        laboratory: its options.
        settings: the other options.

    Raises:
        UsageError: for no goals, a laboratory's run with goals, or a key that does not exist.
    """
    from molvae.adapters.goals import target_goals, together
    from molvae.optimize.archive import stored_settings
    from molvae.optimize.loop import LEAST_BUDGET
    from molvae.optimize.wishes import Wishes
    from molvae.targets import Request

    found, rest = _named(words, generator)
    stored = stored_settings(laboratory.state) if laboratory.used and laboratory.state else {}
    values = {**stored, **stored.get("drawing", {}), **rest}
    values |= {key: settings[key] for key in NAMED if settings.get(key)}
    if laboratory.used:
        goals = _laboratory_goals(words, found, laboratory, stored)
        asked = [f"{name}={wanted}" for name, wanted in stored.get("targets", {}).items()]
        targets: Any = words.targets or Request.parse(asked)
    else:
        targets = words.targets
        found += target_goals(targets, generator)
        goals = together(_some(found, words), values.get("mean", "geometric"))
    drawing = _configured(GenerateConfig, DRAWING, values, settings)
    seed = values.get("seed")
    return Plan(
        goals,
        Wishes(values.get("like", ""), values.get("keep", ()), targets, drawing),
        _configured(OptimizeConfig, OWN, values, settings),
        whole_number("budget", values.get("budget", BUDGET), LEAST_BUDGET, MAX_MOLECULES),
        None if seed is None else whole_number("seed", seed, 0, MAX_SEED),
    )


def _named(words: GoalWords, generator: "MoleculeGenerator") -> tuple[list["Goal"], dict[str, Any]]:
    """Return the goals that are named, and the other keys of the file."""
    from molvae.adapters.goals import goal, read_goals
    from molvae.adapters.programs import TIMEOUT

    found, rest = read_goals(words.config, generator) if words.config else ([], {})
    for key in rest:
        if key not in KEYS:
            hint = did_you_mean(key, KEYS) or f". Known: {', '.join(KEYS)}."
            raise UsageError(f"{words.config}: unknown key '{key:.80}'{hint}")
    found += [goal(text, generator) for text in words.maximize]
    least = [text for text in words.minimize if text != THE_SCORE]
    found += [goal(text, generator, minimize=True) for text in least]
    found += [goal(f"predicted:{label}", generator) for label in words.predicted]
    if words.score is not None:
        less, timeout = THE_SCORE in words.minimize, words.timeout or TIMEOUT
        found.append(goal(words.score, generator, minimize=less, timeout=timeout))
    return found, rest


def _some(goals: "list[Goal]", words: GoalWords) -> "list[Goal]":
    if THE_SCORE in words.minimize and words.score is None:
        raise UsageError("--minimize: of what? Name a goal, such as --minimize SA, or --score.")
    if not goals:
        raise UsageError(
            "nothing to optimize: name a goal, such as --maximize QED, or --score ./program."
        )
    return goals


def _laboratory_goals(
    words: GoalWords, found: "list[Goal]", laboratory: Laboratory, stored: Mapping[str, Any]
) -> "Goals":
    """Return the one goal of a run whose scores come from a laboratory."""
    from molvae.optimize.goals import Goal, Goals

    if found:
        raise UsageError(
            f"--ask and --tell: the laboratory gives the score, so that {found[0].name} cannot be a"
            " goal, too. --target asks the model for properties."
        )
    new = {"name": laboratory.score_column or "score", "minimize": THE_SCORE in words.minimize}
    (goal,) = stored.get("goals", [new])
    name, minimize = goal["name"], THE_SCORE in words.minimize or goal["minimize"]

    def unmeasured(smiles: Sequence[str]) -> Any:
        raise UsageError(f"{name} comes from a laboratory: give it with --tell.")

    return Goals((Goal(name, unmeasured, minimize),))


def _configured(
    kind: Any, names: Sequence[str], values: Mapping[str, Any], settings: Mapping[str, Any]
) -> Any:
    """Return a configuration from options, and from values where these are not given."""
    base = updated(
        kind(), {name: values[name] for name in names if name in values}, where="--config"
    )
    return config_from(kind, {name: settings[name] for name in names}, base=base)


goal_options = options.packed(
    GoalWords,
    "words",
    click.option(
        "--maximize",
        multiple=True,
        metavar="GOAL",
        help="A property, predicted:LABEL, similarity:SMILES or smarts:PATTERN; repeat for more.",
    ),
    click.option(
        "--minimize",
        multiple=True,
        is_flag=False,
        flag_value=THE_SCORE,
        metavar="[GOAL]",
        help="The same, where less is better; without a value, of --score or of the laboratory.",
    ),
    options.targets,
    click.option(
        "--predicted",
        multiple=True,
        metavar="LABEL",
        help="A label to maximize as the model predicts it.",
    ),
    click.option(
        "--score",
        metavar="COMMAND",
        help="A program that reads SMILES, one a line, and writes a number for each, a CSV table or"
        " REINVENT's JSON; or package.module:function; or http://...",
    ),
    options.real(
        "--timeout",
        low=0.001,
        high=LONGEST,
        help="Seconds for a batch of --score (default 3600).",
    ),
    click.option(
        "-c",
        "--config",
        type=click.Path(path_type=Path),
        help="TOML file with goals, their transforms and weights, and options of this command.",
    ),
)

laboratory_options = options.packed(
    Laboratory,
    "laboratory",
    click.option(
        "--ask",
        type=click.IntRange(1, MAX_MOLECULES),
        metavar="N",
        help="Write N molecules to be scored elsewhere, and stop; needs --state.",
    ),
    click.option(
        "--tell",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Read the scores of molecules from a table; needs --state.",
    ),
    click.option(
        "--start",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Table of molecules with scores to start from.",
    ),
    click.option(
        "--score-column",
        metavar="NAME",
        help="Column of the scores in --start and --tell (default: the name of the goal).",
    ),
    click.option(
        "--state",
        type=options.RUN,
        metavar="FOLDER",
        help="Folder that keeps every call; the same command goes on there. With -o best.csv it is"
        " best.run.",
    ),
)
