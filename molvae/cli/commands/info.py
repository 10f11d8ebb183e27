"""`molvae info`: the content of a model or a dataset."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from molvae.cli import options
from molvae.cli.terminal import print_json, print_table
from molvae.errors import ArtifactError

Rows = Iterator[tuple[str, object]]

NATS = ("kl", "reconstruction", "shuffled_z", "shuffled_c", "language_model")
UNITS = {**dict.fromkeys(NATS, "nats"), "property_mae": "sd"}  # of figures that have one


@click.command(epilog="Try: molvae info druglike")
@click.argument("item", metavar="MODEL|DATASET")
@options.as_json
def command(item: str, as_json: bool) -> None:
    """Show the content of a model or a dataset: sizes, properties, origin, health.

    A model is a file, a folder from `molvae train`, or the name of a bundled one.
    """
    from molvae.checkpoint import FORMAT as MODEL_FORMAT
    from molvae.checkpoint import find_model
    from molvae.dataset import FINGERPRINTS
    from molvae.dataset import FORMAT as DATASET_FORMAT
    from molvae.files import store

    formats = {"checkpoint": MODEL_FORMAT, "dataset": DATASET_FORMAT}
    path = find_model(item)
    kind = store.read_kind(path)
    if kind not in formats:
        raise ArtifactError(f"{path}: a molvae {kind}, where a model or a dataset is expected.")
    stored = store.look(path, kind=kind, format=formats[kind])
    header = stored.header
    _, (fingerprints, *_) = stored.layout.get(FINGERPRINTS, ("", (0,)))
    sha256 = store.read_sha256(path)
    if as_json:
        print_json({"file": path.name, "sha256": sha256, "fingerprints": fingerprints, **header})
        return
    try:
        rows = list(_model_rows(header) if kind == "checkpoint" else _dataset_rows(header))
        columns, properties = _properties(header)
        classes = list(_classes(header))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ArtifactError(f"{path}: damaged: {error}") from error
    inside = f"of {fingerprints:,} training molecules" if fingerprints else "none"
    size = f"{path.stat().st_size / 2**20:.1f} MiB"
    top = [("file", path.name), ("holds", kind), ("sha256", sha256), ("size", size)]
    top.append(("fingerprints", inside))
    print_table(("", ""), [(name, _text(value)) for name, value in (*top, *rows)])
    click.echo()
    print_table(columns, properties)
    if classes:
        click.echo()
        print_table(("label", "class", "share", "molecules"), classes)


def _dataset_rows(header: Mapping[str, Any]) -> Rows:
    provenance = header["provenance"]
    for split, molecules in provenance.get("tally", {}).get("splits", {}).items():
        yield f"{split} molecules", molecules
    yield "symbols", _counted(header["symbols"])
    yield from _ring_rows(header)
    yield from _origin_rows(provenance)


def _model_rows(header: Mapping[str, Any]) -> Rows:
    provenance = header["provenance"]
    yield "training molecules", provenance.get("training_molecules", "?")
    yield "sizes", header["model"]
    prior = header["prior"]
    yield "prior", prior["prior"] if isinstance(prior, dict) and "prior" in prior else prior
    yield "symbols", _counted(header["symbols"])
    yield from _ring_rows(header)
    yield "trained with", provenance.get("train", {})
    yield "last epoch", provenance.get("trained", {})
    if "init" in provenance:
        yield "began with", provenance["init"]
    yield from _origin_rows(provenance)
    names = header["normalizer"]["names"]
    for card in ("health", "measured"):
        for key, value in provenance.get(card, {}).items():
            label = f"{card}: {key}{f', {UNITS[key]}' if key in UNITS else ''}"
            if key == "property_mae":
                yield label, dict(zip(names, value, strict=True))
            elif key != "calibration":  # has columns of its own in the table of properties
                yield label, value
    head = provenance.get("head", {})
    for name, errors in head.get("errors", {}).items():
        known = {key: value for key, value in errors.items() if value is not None}
        yield f"predicts {name}, {head['split']}", known


def _ring_rows(header: Mapping[str, Any]) -> Rows:
    if rings := header.get("rings"):
        least = rings["least"]
        yield "ring systems", f"{rings['systems']:,}, each in {least} training molecules or more"


def _origin_rows(provenance: Mapping[str, Any]) -> Rows:
    for source in provenance.get("sources", []):
        yield "made from", source
    for key in ("title", "licence", "tally", "data", "versions", "novel_against"):
        if key in provenance:
            yield key, provenance[key]


def _counted(symbols: Sequence[str]) -> str:
    return f"{len(symbols)}: {' '.join(symbols)}"


def _properties(header: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return the table of properties: their scale, and how well a model follows them."""
    from molvae.normalizer import class_column

    normalizer = header["normalizer"]
    classes = normalizer.get("classes", {})
    of_classes = {class_column(label, word) for label in classes for word in classes[label]}
    columns = ["property", "mean", "sd", "p0.1", "p50", "p99.9"]
    rows = [
        [name, *(_text(float(value)) for value in (mean, scale, q[0], q[len(q) // 2], q[-1]))]
        for name, mean, scale, q in zip(
            *(normalizer[key] for key in ("names", "mean", "scale", "quantiles")), strict=True
        )
        if name not in of_classes
    ]
    calibration = header["provenance"].get("measured", {}).get("calibration", {})
    for key in ("slope", "r2", "mae") if calibration else ():
        columns.append({"r2": "R2", "mae": "mean error"}.get(key, key))
        for row in rows:
            found = calibration.get(row[0], {}).get(key)
            row.append("" if found is None else f"{found:.3g}")
    return columns, rows


def _classes(header: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Yield each class of each label: its fraction in training, and its molecules in all splits."""
    from molvae.normalizer import class_column, quoted

    normalizer = header["normalizer"]
    shares = dict(zip(normalizer["names"], normalizer["mean"], strict=True))
    counted = header["provenance"].get("tally", {}).get("labels", {})
    for label, words in normalizer.get("classes", {}).items():
        for word in words:
            molecules = counted.get(label, {}).get("classes", {}).get(word, "")
            share = float(shares[class_column(label, word)])
            yield label, quoted(word), _text(share), str(molecules)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        shown = {name: item for name, item in value.items() if item not in ("", [], {})}
        return ", ".join(f"{name} {_text(item)}" for name, item in shown.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " ".join(_text(item) for item in value)
    return str(value)
