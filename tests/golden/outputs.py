"""Fingerprints of what a command wrote, without what may differ between two correct versions.

Left out are versions, times, speeds, paths, and the digests of files that hold such. A dataset
and a model are read with the safetensors library and hashed array by array, and their header
field by field, so that the test depends on the format of the file and on no class of molvae.
"""

import csv
import gzip
import hashlib
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open

Fingerprint = dict[str, Any]

# Left out of JSON texts, of headers and of a training's log.
VOLATILE = {"versions", "trainer_versions", "molvae", "sha256", "seconds", "molecules_per_second"}
VOLATILE |= {"path", "cached"}  # of a public set, in the cache
# Options that are about to leave: a model that was made without them is the same.
VOLATILE |= {"merges", "flow_batch_size", "flow_blocks", "flow_guidance", "flow_learning_rate"}
VOLATILE |= {"flow_size", "flow_steps", "integration_steps"}
# Sentences for people, in JSON texts: their words do not count. (Of notes, the number does.)
SENTENCES = {"definition", "source", "trained_on", "licence"}
# The digests of the bundled models; another digest is that of a file just written.
BUNDLED = ("2e96a241b502", "a9d692f02b23")
DIGEST = re.compile(r"(?<=[\"-])(?:[0-9a-f]{64}|[0-9a-f]{12})\b")
PICTURES = {".svg", ".png"}
# Of a run folder: settings and the state of an unfinished training are no output.
UNREAD = {"config.toml", "state.safetensors", ".lock"}


def fingerprint_of(path: Path) -> Fingerprint:
    """Return the fingerprint of a file that a command wrote."""
    name = path.name.removesuffix(".gz")
    suffix = Path(name).suffix
    if suffix in PICTURES:
        return {"first": "a picture"}
    if suffix in {".safetensors", ".molvae"}:
        return _of_parts(_parts_of_safetensors(path))
    if suffix == ".parquet":
        return _of_parquet(path)
    data = path.read_bytes()
    text = (gzip.decompress(data) if name != path.name else data).decode("utf-8")
    return fingerprint_of_text(text, table=suffix in {".csv", ".tsv"})


def fingerprint_of_text(text: str, *, table: bool = True) -> Fingerprint:
    """Return the fingerprint of a text: JSON, a table with a header, or lines."""
    text = _masked(text)
    if text[:2] in {"{\n", "[\n"}:
        return _of_parts(_parts_of_json(_steady(json.loads(text))))
    lines = text.splitlines()
    if table and lines:
        return _of_table(text, "\t" if "\t" in lines[0] else ",")
    return {"sha256": _sha(text), "first": "\n".join(lines[:1])[:200], "lines": len(lines)}


def difference(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return a line for each thing that differs between two fingerprints."""
    told = [
        f"{key}: {expected.get(key)!r}, now {found.get(key)!r}"
        for key in ("first", "rows", "lines", "sha256")
        if expected.get(key) != found.get(key)
    ]
    old, new = expected.get("parts", {}), found.get("parts", {})
    changed = [name for name in old if name in new and old[name] != new[name]]
    told += [f"changed: {', '.join(changed)}"] if changed else []
    told += [f"gone: {', '.join(old.keys() - new.keys())}"] if old.keys() - new.keys() else []
    told += [f"added: {', '.join(new.keys() - old.keys())}"] if new.keys() - old.keys() else []
    return told


def _of_table(text: str, delimiter: str) -> Fingerprint:
    """Return the fingerprint of a table, with that of each column."""
    rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    columns = dict(zip(rows[0], zip(*rows[1:], strict=True), strict=True)) if rows[1:] else {}
    steady = [name not in VOLATILE for name in rows[0]]
    kept = [[cell for cell, keep in zip(row, steady, strict=True) if keep] for row in rows]
    return {
        "sha256": _sha(json.dumps(kept)),
        "first": " | ".join(delimiter.join(row)[:200] for row in kept[:2]),
        "rows": len(rows) - 1,
        "parts": {
            name: _sha("\n".join(cells))[:8]
            for name, cells in columns.items()
            if name not in VOLATILE
        },
    }


def _of_parquet(path: Path) -> Fingerprint:
    """Return the fingerprint of a Parquet table: names, types and values of its columns."""
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    values = {
        f"{field.name}: {field.type}": column
        for field, column in zip(table.schema, table.to_pydict().values(), strict=True)
    }
    return _of_parts(values) | {"rows": table.num_rows}


def _of_parts(parts: Mapping[str, Any]) -> Fingerprint:
    """Return the fingerprint of named values."""
    hashes = {name: _sha(_dumped(value))[:8] for name, value in parts.items()}
    return {
        "sha256": _sha(_dumped(parts)),
        "first": _dumped(parts)[:200],
        "parts": hashes,
    }


def _parts_of_safetensors(path: Path) -> dict[str, Any]:
    """Return the digest of each array of a file, and the fields of its header."""
    with safe_open(path, "np") as file:
        header = json.loads(file.metadata()["molvae"])["header"]
        arrays = {name: file.get_tensor(name) for name in sorted(file.keys())}
    header = json.loads(_masked(json.dumps(header)))
    parts = _parts_of_json(_steady(header), "header.")
    for name, array in arrays.items():
        told = f"{array.dtype}{list(array.shape)}"
        parts[name] = f"{told} {hashlib.sha256(array.tobytes()).hexdigest()}"
    return parts


def _parts_of_json(value: Any, name: str = "", depth: int = 0) -> dict[str, Any]:
    """Return the values two levels down, under their names joined by dots."""
    if not isinstance(value, dict) or depth == 2:
        return {name.removesuffix("."): value}
    return {
        found: part
        for key, inner in value.items()
        for found, part in _parts_of_json(inner, f"{name}{key}.", depth + 1).items()
    }


def _steady(value: Any) -> Any:
    """Return a JSON value without what may differ, at any depth.

    The settings of a training are left out: they were given, and a new option adds one.
    """
    if isinstance(value, dict):
        return {
            key: len(inner) if key == "notes" else "" if key in SENTENCES else _steady(inner)
            for key, inner in value.items()
            if key not in VOLATILE and not (isinstance(inner, dict) and "epochs" in inner)
        }
    return [_steady(inner) for inner in value] if isinstance(value, list) else value


def _masked(text: str) -> str:
    """Return the text with an asterisk for each digest of a file that was just written."""
    return DIGEST.sub(lambda found: found[0] if found[0].startswith(BUNDLED) else "*", text)


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
