"""Any toolkit's scoring callable as one of molvae's objectives.

    from tdc import Oracle
    from molvae.adapters.scorers import scored_by

    objective = scored_by(Oracle("drd2"))
    objective(["CCO", "c1ccccc1O"])     # array of 2 numbers
    objective.failures                  # reason -> molecules without a score

Toolkits score an invalid molecule as 0, which is a good score on many scales. Here they never get
such a string: its score is NaN.
"""

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from molvae.chem.smiles import as_smiles, parse
from molvae.errors import Rejected, UsageError
from molvae.optimize.objective import CountedObjective, Score

Takes = Literal["list", "one"]
NO_LIST = (TypeError, AttributeError)  # raised by code for one string when it gets a list
# Raised by code for one molecule on an odd one.
FAILURES = (*NO_LIST, RuntimeError, ValueError, ArithmeticError, LookupError)


def scored_by(
    function: Callable[[Any], Any],
    *,
    takes: Takes | None = None,
    minimize: bool = False,
    name: str = "",
) -> CountedObjective:
    """Return an objective for a callable: a TDC oracle, MolScore's manager, any function.

    A molecule for which the callable returns None, NaN or an infinite number has no score. What a
    callable of lists raises is passed on. One of single molecules may fail on some of them, which
    are counted; when it fails on all of a call, its error is passed on: it is no molecule's fault.

    Args:
        function: of a list of SMILES, or of one SMILES.
        takes: "list" or "one"; None finds out when first called, with the whole list at first.
        minimize: for docking energies and the like, of which less is better.
        name: for tables and logs; empty: its own.

    Raises:
        UsageError: for something that cannot be called. Calling the objective raises it for
            results of another shape than N numbers.
    """
    name = name or str(getattr(function, "__name__", "") or type(function).__name__)
    if not callable(function):
        raise UsageError(f"{name} cannot be called: give a function, or a method such as x.score.")
    if takes not in (None, "list", "one"):
        raise UsageError(f"takes = {takes!r}: 'list', 'one' or None.")
    return CountedObjective(_Foreign(function, name, takes), name=name, minimize=minimize)


class _Foreign:
    """A scorer that calls another toolkit, with a list or with one molecule at a time."""

    def __init__(self, function: Callable[[Any], Any], name: str, takes: Takes | None) -> None:
        self.function, self.name, self.takes = function, name, takes

    def __call__(self, smiles: list[str]) -> list[Score]:
        """Score the molecules among N strings."""
        refused = [_refusal(text) for text in smiles]
        good = [text for text, refusal in zip(smiles, refused, strict=True) if not refusal]
        scores = iter(self._ask(good) if good else [])
        return [refusal or next(scores) for refusal in refused]

    def _ask(self, smiles: list[str]) -> list[Score]:
        if self.takes == "one":
            return self._ask_each(smiles)
        try:
            found = self.function(smiles)
        except NO_LIST as of_list:
            if self.takes == "list":
                raise
            try:
                return self._ask_each(smiles)
            except UsageError:  # it gave several numbers for one string: it does take lists
                raise of_list from None
        if self.takes is None and _is_number(found):
            return self._ask_each(smiles)
        return self._ask_all(smiles, found)

    def _ask_all(self, smiles: list[str], found: Any) -> list[Score]:
        values = np.asarray(found, dtype=object)
        if values.shape != (len(smiles),):
            raise UsageError(
                f"{self.name} gave {_looks(found, values)} for {len(smiles)} molecules, where as"
                f" many numbers are expected.{_hint(found)}"
            )
        scores = [self._score(value) for value in values]
        self.takes = "list"
        return scores

    def _ask_each(self, smiles: list[str]) -> list[Score]:
        scores: list[Score] = []
        errors = []
        for text in smiles:
            try:
                found = self.function(text)
            except FAILURES as error:
                errors.append(error)
                scores.append(Rejected(type(error).__name__, str(error)))
            else:
                scores.append(self._score(found))
        if len(errors) == len(smiles):
            raise errors[0]
        self.takes = "one"
        return scores

    def _score(self, value: Any) -> Score:
        if value is None:
            return Rejected("no score", "None")
        if not _is_number(value):
            looks = _looks(value, np.asarray(value, dtype=object))
            raise UsageError(
                f"{self.name} gave {looks} for one molecule, where a number is expected."
                f"{_hint(value)}"
            )
        number = float(value)
        return number if math.isfinite(number) else Rejected("not a finite number", str(number))


def _refusal(text: str) -> Rejected | None:
    try:
        parse(as_smiles(text))
    except Rejected as rejected:
        return rejected
    return None


def _is_number(value: Any) -> bool:
    """Return whether `float` accepts it: numbers of any library, also as arrays without axes."""
    return hasattr(value, "__float__") and np.ndim(value) == 0


def _looks(found: Any, values: np.ndarray) -> str:
    shape = f" of shape {values.shape}" if values.shape else ""
    return f"{type(found).__name__}{shape}"


def _hint(found: Any) -> str:
    """Return how to mend a wrong result."""
    row = found[0] if isinstance(found, list) and found else found
    if isinstance(row, dict):
        keys = ", ".join(map(repr, row))
        return f" Choose one of {keys} in a function of your own around it."
    return " takes='one' asks for each molecule alone, takes='list' for all of them."
