"""The bonds that each atom may have: what a SELFIES symbol means depends on this table."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from types import MappingProxyType

import selfies


@cache
def bonds_by_atom() -> Mapping[str, int]:
    """Return the number of bonds that each atom may have, by element and charge.

    The 'default' preset of selfies, and silicon, which it lacks: silanes are common in small sets.
    A model that was trained before an atom joined means what it meant.
    """
    return MappingProxyType({**selfies.get_preset_constraints("default"), "Si": 4})


@contextmanager
def constrained(table: Mapping[str, int]) -> Iterator[None]:
    """Set the constraint table of selfies, and restore the process's own afterwards.

    Args:
        table: bonds by atom, as from `constraints`.
    """
    before = selfies.get_semantic_constraints()
    if before == table:  # setting a table empties the caches of selfies
        yield
        return
    selfies.set_semantic_constraints(dict(table))
    try:
        yield
    finally:
        selfies.set_semantic_constraints(before)
