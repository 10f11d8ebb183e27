"""Arguments as Python code gives them, of numpy and pandas too: one function for each kind.

Each returns plain Python values, or raises a `UsageError` that names argument, place and remedy.
"""

import math
import operator
import sys
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar

from molvae.errors import UsageError

# What numbers may be at most, on the command line too.
MAX_SEED = 2**63 - 1  # the largest that torch takes
MAX_MOLECULES = 100_000_000  # of one run: all of them are held in memory
MAX_SERIES = 10_000  # places of a series, or molecules decoded for each
MAX_RADIUS = 10.0  # standard deviations: no molecule of the training set is as far out
MAX_VALUE = 1e30  # of a property or label
MAX_BATCH = 1_000_000  # molecules whose work is under way
MAX_JOBS = 4096  # worker processes
MAX_RESAMPLES = 1_000_000  # of a bootstrap
DROP = "Leave out the missing cells of a column with dropna()."
REMEDIES = {  # type of an item that is no SMILES string -> what to do
    "bytes": "Turn it into text with decode().",
    "Mol": "Chem.MolToSmiles(mol) writes one.",
    "list": "Give one list, and not lists of it.",
    "ndarray": "Give one column, and not a table.",
}

Kind = TypeVar("Kind")


def whole_number(name: str, value: object, low: int, high: int) -> int:
    """Return a whole number, also of numpy, as Python's int.

    Raises:
        UsageError: for anything else, True and False too, or a number out of its range.
    """
    try:
        if type(value).__name__ in ("bool", "bool_"):  # the latter is numpy's
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise UsageError(
            f"{name} = {value!r:.40}: give a whole number, {low} to {high:,}."
        ) from None
    if not low <= number <= high:
        raise UsageError(f"{name} = {number!r:.40}: out of range, {low} to {high:,}.")
    return number


def real_number(
    name: str, value: object, low: float = -sys.float_info.max, high: float = sys.float_info.max
) -> float:
    """Return a number, also of numpy, as Python's float.

    Raises:
        UsageError: for anything else, a number that is not finite, or one out of its range.
    """
    try:
        number = to_float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not (math.isfinite(number) and low <= number <= high):
        raise UsageError(f"{name} = {value!r:.40}: give a number, {low:g} to {high:g}.")
    return number


def to_float(value: Any) -> float:
    """Return a number as Python's float; unlike `float`, read no text.

    Raises:
        TypeError: for what is no number.
        OverflowError: for a whole number above 10^308.
    """
    if isinstance(value, str | bytes | bytearray):
        raise TypeError("text")
    return float(value)


def is_missing(value: object) -> bool:
    """Return whether a cell is what pandas, numpy or Python put where there is nothing."""
    if isinstance(value, Real):
        return bool(value != value)  # whole numbers above 10^308 too have an answer
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def listed(argument: str, given: Any, what: str) -> list[Any]:
    """Return the items of a list, a column of a table, an array or a generator as a list.

    Args:
        argument: that they are given for, in the words of a message.
        given: the items.
        what: is in the list, with an example.

    Raises:
        UsageError: for one string in place of a list, a whole table, or no list at all.
    """
    try:
        if isinstance(given, str | bytes | bytearray) or hasattr(given, "columns"):
            raise TypeError("no list")
        return list(given)
    except TypeError:
        raise UsageError(f"{argument}({given!r:.40}): give a list of {what}.") from None


def as_molecules(
    argument: str, given: Any, *, also: tuple[type, ...] = (), missing: bool = False
) -> list[Any]:
    """Return molecules as a list.

    Args:
        argument: as of `listed`.
        given: SMILES.
        also: types that may stand in place of a SMILES string.
        missing: a cell may be missing, and becomes None.

    Raises:
        UsageError: as `listed` does, or for an item that is no SMILES.
    """
    found = listed(argument, given, "SMILES, such as ['CCO'] or table['SMILES']")
    for place, item in enumerate(found):
        if missing and not isinstance(item, str) and is_missing(item):
            found[place] = None
        elif not isinstance(item, (str, *also)):
            remedy = DROP if is_missing(item) else REMEDIES.get(type(item).__name__, "")
            raise UsageError(
                f"{argument}: molecule {place} is {item!r:.40}, and not a SMILES string."
                f" {remedy}".rstrip()
            )
    return found


def is_by_name(given: Any) -> bool:
    """Return whether values come by name: in a dictionary, or in a row of a table of pandas."""
    if isinstance(given, Mapping):
        return True
    return hasattr(given, "items") and all(isinstance(key, str) for key, _ in given.items())


def by_name(argument: str, given: Any) -> dict[str, Any]:
    """Return values by name as a dictionary.

    Raises:
        UsageError: for what has no names, as a whole table, or a name that is no text.
    """
    if hasattr(given, "columns") or not is_by_name(given):
        raise UsageError(
            f"{argument} = {given!r:.40}: give values by name, such as {{'LogP': 2.5}};"
            " a list of these is table.to_dict('records')."
        )
    for name in (found := dict(given.items())):
        if not isinstance(name, str):
            raise UsageError(f"{argument}: {name!r:.40} is no name: write it as text.")
    return found


def as_path(argument: str, given: object) -> Path:
    """Return a path, also of text.

    Raises:
        UsageError: for anything else.
    """
    if not isinstance(given, str | Path):
        raise UsageError(f"{argument} = {given!r:.40}: give a path, such as 'table.csv'.")
    return Path(given)


def as_paths(argument: str, given: Any) -> list[Path]:
    """Return one path or several as a list.

    Raises:
        UsageError: for anything else, or none.
    """
    one = isinstance(given, str | Path)
    paths = [given] if one else listed(argument, given, "files, such as ['table.csv']")
    if not paths:
        raise UsageError(f"{argument}([]): give a list of files, such as ['table.csv'].")
    return [as_path(argument, path) for path in paths]


def of_kind(argument: str, given: Any, kind: type[Kind]) -> Kind:
    """Return a record as it is.

    Raises:
        UsageError: when it is of another kind.
    """
    if not isinstance(given, kind):
        raise UsageError(f"{argument} = {given!r:.40}: give a {kind.__name__}.")
    return given
