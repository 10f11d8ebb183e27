"""Precedence: ring systems, ring sizes and symbols against those of a set.

Silently repaired SELFIES are valid but unusual. These numbers show it where the classical ones do
not (Skinnider 2024, https://doi.org/10.1038/s42256-024-00821-x).
"""

import numpy as np

from molvae.evaluate.parsed import Parsed
from molvae.evaluate.sets import Columns, Numbers, Sets, mean
from molvae.evaluate.usage import Usage, distance

PRECEDENTS = 5  # training molecules that must have a ring system
COMMON = 0.001  # share of molecules from which a symbol counts as missing


def ring_precedence(sets: Sets) -> Numbers:
    """Share of valid molecules whose ring systems are all in at least 5 training molecules.

    A molecule without rings counts. `ring_precedence_reference` is the same share of the
    reference, for comparison.
    """
    numbers = {name: mean(column) for name, column in ring_precedence_of_each(sets).items()}
    if numbers and sets.usage is not None and isinstance(sets.reference, Parsed):
        numbers["ring_precedence_reference"] = mean(_has_precedent(sets.reference, sets.usage))
    return numbers


def ring_precedence_of_each(sets: Sets) -> Columns:
    """Return 1 or 0 for each string, NaN if invalid."""
    if sets.usage is None or sets.generated.usage is None:
        return {}
    return {"ring_precedence": _has_precedent(sets.generated, sets.usage)}


def _has_precedent(parsed: Parsed, training: Usage) -> np.ndarray:
    systems = parsed.usage.systems if parsed.usage is not None else ()
    rare = np.array([training.systems[name] < PRECEDENTS for name in systems], dtype=bool)
    rows = np.repeat(np.arange(len(parsed)), parsed.system_counts)
    unknown = np.bincount(rows, rare[parsed.system_numbers], minlength=len(parsed))
    return np.where(parsed.valid, unknown == 0, np.nan)


def usage_distances(sets: Sets) -> Numbers:
    """Difference in ring sizes and SELFIES symbols from the reference, or else the training set.

    `ring_size_distance` and `symbol_distance` are total variation distances between the shares of
    ring sizes and symbols: 0 the same, 1 none in common. `symbols_missing` counts the symbols that
    at least 0.1 % of the compared molecules have and no generated one. Stereo marks are ignored.
    """
    pair = _compared(sets)
    if pair is None:
        return {}
    generated, other = pair
    return {
        "ring_size_distance": distance(generated.sizes, other.sizes),
        "symbol_distance": distance(generated.symbols, other.symbols),
        "symbols_missing": len(missing_symbols(sets)) if generated.symbols else None,
    }


def missing_symbols(sets: Sets) -> list[str]:
    """Return the symbols that `symbols_missing` counts, the commonest first."""
    pair = _compared(sets)
    if pair is None:
        return []
    generated, other = pair
    least = COMMON * (other.molecules - other.unwritten)
    common = [symbol for symbol, count in other.holders.most_common() if count >= least]
    return [symbol for symbol in common if symbol not in generated.symbols]


def _compared(sets: Sets) -> tuple[Usage, Usage] | None:
    """Return the usage of the generated molecules and of the compared set."""
    reference = sets.reference.usage if isinstance(sets.reference, Parsed) else None
    other = reference if reference is not None and reference.molecules else sets.usage
    return None if sets.generated.usage is None or other is None else (sets.generated.usage, other)
