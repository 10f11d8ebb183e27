"""What a header may hold: types by name, checked before anything is read from a foreign file.

    {"longest": COUNT, "data": {"stereo": bool}, "symbols": [str], "versions": {str: str}}

A dictionary names keys, which may be missing, and others may be there beside them, from newer
versions; a type in place of the names means any key. A list holds any number of one kind, a tuple
lists what is possible. Whoever needs a key looks whether it is there.
"""

from collections.abc import Iterator
from typing import Any

COUNT = "a whole number, not negative"
NUMBER = (float, int)
FIGURES = {str: (NUMBER, None, bool, str)}  # a table of figures for people
# Where a dataset or a model came from; the same in both, but for what each has alone.
PROVENANCE: dict[Any, Any] = {
    "data": {
        "stereo": bool,
        "largest_fragment": bool,
        "uncharge": bool,
        "isotopes": bool,
        "max_length": COUNT,
        "max_heavy_atoms": COUNT,
        "max_symbols": COUNT,
        "min_count": COUNT,
        "properties": [str],
        "labels": [str],
        "seed": COUNT,
        "split": str,
        "smiles_column": str,
    },
    "sources": [{"name": str, "sha256": str, "rows": COUNT, "smiles_column": str}],
    "tally": {
        "splits": {str: COUNT},
        "rejected": {str: COUNT},
        "left_out": {str: COUNT},
        "notes": [str],
        "labels": {str: {"molecules": COUNT, "missing": COUNT, "classes": {str: COUNT}}},
    },
    "versions": {str: str},
    "constraints": {str: COUNT},
    "constraints_hash": str,
    "dataset": str,
    "longest": COUNT,
    "train": FIGURES,
    "trained": FIGURES,
    "training_molecules": COUNT,
    "log": [FIGURES],
    "init": {
        "name": str,
        "sha256": str,
        "longest": COUNT,
        "training_molecules": (COUNT, None),
        "symbols": [str],
        "columns": [str],
        "missing": [str],
        "init": dict,
    },
    "head": {"split": str, "errors": {str: {str: (NUMBER, None)}}},
    "typicality": dict,
    "applicability": dict,
    "health": {"passed": {str: bool}, "property_mae": [(NUMBER, None)], str: (NUMBER, None, str)},
    "measured": {"calibration": {str: {str: (NUMBER, None)}}, "passed": {str: bool}},
    "defaults": {str: (NUMBER, str, bool, None, [str])},
    "trainer_versions": {str: str},
    "title": str,
    "licence": str,
    "novel_against": str,
}

STATE: dict[Any, Any] = {
    "state": {"epoch": COUNT, "step": COUNT, "best": (NUMBER, None), "seconds": NUMBER},
    "log": [[NUMBER]],
    "identity": {"data": FIGURES, "model": FIGURES, "train": FIGURES, "prior": FIGURES},
    "scaler": FIGURES,
}
SCHEMAS = {  # by kind of file
    "dataset": {"provenance": PROVENANCE},
    "checkpoint": {"provenance": PROVENANCE},
    "training state": STATE,
}


def misfits(plain: Any, schema: Any, where: str = "") -> Iterator[str]:
    """Yield what in a part of a header is not as the schema has it, in words."""
    if isinstance(schema, dict) and isinstance(plain, dict):
        for key, part in plain.items():
            if (inside := schema.get(key, schema.get(str))) is not None:
                yield from misfits(part, inside, f"{where}.{key:.40}" if where else key)
    elif isinstance(schema, list) and isinstance(plain, list):
        for place, part in enumerate(plain):
            yield from misfits(part, schema[0], f"{where}[{place}]")
    elif not fits(plain, schema):
        yield f"{where} is {plain!r:.40}"


def fits(plain: Any, schema: Any) -> bool:
    """Return whether a value is as a schema has it."""
    if isinstance(schema, tuple):
        return any(fits(plain, one) for one in schema)
    if isinstance(schema, dict | list):
        return isinstance(plain, type(schema)) and not any(misfits(plain, schema))
    if schema == COUNT:
        return type(plain) is int and 0 <= plain < 2**63
    return plain is None if schema is None else type(plain) is schema
