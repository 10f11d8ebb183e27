"""Goals from words: a property, a prediction, a similarity, a program, a function, an address.

[[goal]]
score = "./dock.sh --fast"      # or QED, predicted:pIC50, similarity:SMILES, smarts:PATTERN,
minimize = true                 # package.module:function, https://...
transform = "reverse_sigmoid"
low = -11.0
high = -6.0
"""

import os
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from rdkit import Chem

from molvae.adapters.objectives import closeness, measured, predicted
from molvae.adapters.programs import TIMEOUT, Program, Service
from molvae.adapters.scorers import scored_by
from molvae.chem.filters import smarts_filter
from molvae.chem.properties import PROPERTIES, resolve
from molvae.chem.similarity import tanimoto
from molvae.chem.smiles import as_smiles, canonicalize
from molvae.errors import ConfigError, Rejected, UsageError, did_you_mean
from molvae.generator import MoleculeGenerator
from molvae.normalizer import PropertyNormalizer
from molvae.optimize.goals import Goal, Goals
from molvae.optimize.loop import LIKE_BITS
from molvae.optimize.objective import Objective
from molvae.optimize.transforms import Transform, transform
from molvae.presets import load_toml
from molvae.targets import Range, Targets, spell

FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
ADDRESS = ("http://", "https://")
KEYS = {"score", "name", "minimize", "weight", "transform", "timeout", "column"}
SHARE = (0.0, 1.0)
USUAL = (0.05, 0.95)  # levels of the training set between which a property becomes desirable
KINDS = (
    "a property (molvae properties), predicted:LABEL, similarity:SMILES, smarts:PATTERN, a program"
    " such as ./dock.sh, a Python function such as package.module:function, or an address"
)


def goal(
    text: str,
    generator: MoleculeGenerator,
    *,
    minimize: bool = False,
    timeout: float = TIMEOUT,
    column: str = "",
) -> Goal:
    """Return the goal that a text names.

    Args:
        text: as in the head of this file.
        generator: for its predictions.
        minimize: less is better.
        timeout: seconds for a batch, of a program or a service.
        column: of the answer of these.

    Raises:
        UsageError: for a text that names nothing.
    """
    kind, _, rest = text.partition(":")
    if text.startswith(ADDRESS):
        service = Service(text, timeout=timeout, column=column)
        return Goal(service.__name__, scored_by(service, takes="list"), minimize)
    if kind in ("predicted", "similarity", "smarts") and rest:
        return _of_kind(kind, rest, generator)._replace(minimize=minimize)
    if FUNCTION.fullmatch(text):
        return Goal(text.rpartition(":")[2], scored_by(_function(text)), minimize)
    if name := _property(text):
        return Goal(name, measured(name), minimize, span=_span(name, generator))
    if text.lower() in (label.lower() for label in generator.labels):
        return _of_kind("predicted", text, generator)._replace(minimize=minimize)
    words = shlex.split(text) if text.count('"') % 2 == text.count("'") % 2 == 0 else [text]
    if not words or shutil.which(words[0]) is None:
        raise UsageError(f"'{text:.80}': {_why_not(words, generator)}")
    program = Program(text, timeout=timeout, column=column)
    return Goal(program.__name__, scored_by(program, takes="list"), minimize)


def _why_not(words: Sequence[str], generator: MoleculeGenerator) -> str:
    """Return why words name no goal, and what would."""
    file = words[0] if words else ""
    if os.path.isfile(file) and os.access(file, os.X_OK):
        return f"a program in this folder is written ./{file}."
    if os.path.isfile(file):
        start = "its first line names what runs it, such as #!/usr/bin/env python3"
        return f"a file that is no program: `chmod +x {file}` makes it one, where {start}."
    if "/" in file:
        return "no such file; name a program by its path, such as ./dock.sh."
    hint = did_you_mean(" ".join(words), [*PROPERTIES, *generator.labels]) or "."
    labels = ", ".join(generator.labels) or "none"
    return f"nothing that can be scored{hint} Name {KINDS}. The labels of this model: {labels}."


def target_goals(targets: Targets, generator: MoleculeGenerator) -> list[Goal]:
    """Return a goal for each target: 1 where it is met, less the farther it is missed."""
    found = []
    request = generator.request(targets)
    for name, wanted in request.ranges.items():
        if isinstance(wanted, str):
            found.append(Goal(name, closeness(generator, {name: wanted}), span=SHARE))
            continue
        objective = measured(name) if name in PROPERTIES else predicted(generator, name)
        found.append(Goal(name, objective, transform=_near(name, wanted, generator.normalizer)))
    return found


def together(goals: Sequence[Goal], mean: str = "geometric") -> Goals:
    """Return goals as one score; several need values from 0 to 1.

    A property that has no transform of its own gets one: from what 5 % of the training set are
    below to what 95 % are below.

    Raises:
        UsageError: for a goal of several whose values have no known range.
    """
    if len(goals) > 1:
        goals = [_with_transform(each) for each in goals]
    return Goals(tuple(goals), mean)


def read_goals(path: Path, generator: MoleculeGenerator) -> tuple[list[Goal], dict[str, Any]]:
    """Return the goals of a TOML file, and its other keys.

    Raises:
        ConfigError: for a file that cannot be read, or a goal that cannot be, with its place.
    """
    tables = load_toml(path)
    given = tables.pop("goal", [])
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise ConfigError(f"{path}: write [[goal]] above the keys of each goal.")
    goals = []
    for number, table in enumerate(given, 1):
        try:
            goals.append(_goal_of(table, generator))
        except UsageError as error:
            raise ConfigError(f"{path}, goal {number}: {error}") from error
    return goals, tables


def _goal_of(table: Mapping[str, Any], generator: MoleculeGenerator) -> Goal:
    """Return the goal of a table: the keys that are not its own are those of the transform."""
    kinds = {"minimize": bool, "weight": int | float, "timeout": int | float}
    for key, value in table.items():
        if key in KEYS and not isinstance(value, kinds.get(key, str)):
            raise ConfigError(f"{key} = {value!r:.40}: not a value of its kind.")
    if not table.get("score"):
        raise ConfigError(f"score is missing: name {KINDS}.")
    parameters = {key: value for key, value in table.items() if key not in KEYS}
    if parameters and "transform" not in table:
        first = next(iter(parameters))
        raise ConfigError(f"unknown key '{first:.80}'{did_you_mean(first, KEYS) or '.'}")
    found = goal(
        table["score"],
        generator,
        minimize=table.get("minimize", False),
        timeout=table.get("timeout", TIMEOUT),
        column=table.get("column", ""),
    )
    chosen = transform(table["transform"], parameters) if "transform" in table else None
    name, weight = table.get("name", found.name), float(table.get("weight", 1.0))
    return found._replace(name=name, transform=chosen, weight=weight)


def _of_kind(kind: str, rest: str, generator: MoleculeGenerator) -> Goal:
    if kind == "predicted":
        label = spell(rest, generator.normalizer)
        span = _span(label, generator)
        return Goal(f"predicted_{label}", predicted(generator, label), span=span)
    if kind == "similarity":
        return Goal("similarity", _similarity(rest), span=SHARE)
    return Goal(rest, _matches(rest), span=SHARE)


def _property(text: str) -> str:
    """Return the name of a property as `PROPERTIES` has it; "" for none."""
    try:
        return resolve(text).name
    except UsageError:
        return ""


def _similarity(smiles: str) -> Objective:
    try:
        center = canonicalize(as_smiles(smiles))
    except Rejected as rejected:
        raise UsageError(f"similarity:{smiles:.80}: {rejected}.") from rejected

    def similarity(molecule: str) -> float:
        return tanimoto(molecule, center, bits=LIKE_BITS)

    return scored_by(similarity, takes="one")


def _matches(pattern: str) -> Objective:
    lacks = smarts_filter(pattern, wanted=True)

    def matches(molecule: str) -> float:
        return float(lacks(Chem.MolFromSmiles(molecule)) is None)

    return scored_by(matches, takes="one")


def _function(text: str) -> Any:
    module, _, name = text.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"'{text:.80}': {error}. The module must be importable: set PYTHONPATH to its folder."
        ) from error


def _near(name: str, wanted: Range, normalizer: PropertyNormalizer) -> Transform:
    big = 1e30  # an open end: a transform takes finite numbers
    low, high = np.clip(wanted, -big, big).tolist()
    width = normalizer.scales[name]
    return transform("near", {"low": low, "high": high, "width": float(width)})


def _with_transform(goal: Goal) -> Goal:
    """Return a goal with values from 0 to 1."""
    if goal.transform is not None or (goal.span == SHARE and not goal.minimize):
        return goal
    if goal.span is None:
        raise UsageError(
            f"{goal.name}: one of several goals, whose range is not known. Give it a transform in"
            " the file of --config, such as transform = 'sigmoid', low = 5, high = 9."
        )
    low, high = goal.span
    name = "reverse_sigmoid" if goal.minimize else "sigmoid"
    return goal._replace(transform=transform(name, {"low": low, "high": high}))


def _span(name: str, generator: MoleculeGenerator) -> tuple[float, float] | None:
    """Return the usual values of a property or label: of the training set, if it is known there."""
    if name in PROPERTIES and PROPERTIES[name].high == 1.0:
        return SHARE
    if name not in generator.normalizer.names:
        return None
    low, high = generator.normalizer.quantile(name, np.array(USUAL)).tolist()
    return low, high
