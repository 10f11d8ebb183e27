"""`molvae info`: what is inside a model or a dataset."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from molvae.cli import options
from molvae.cli.terminal import print_json, print_table

Rows = Iterator[tuple[str, object]]


@click.command()
@click.argument("item", metavar="MODEL|DATASET")
@options.as_json
def command(item: str, as_json: bool) -> None:
    """Show what is inside a model or a dataset: content, properties, origin, health."""
    from molvae import store
    from molvae.checkpoint import find_model

    path = find_model(item)
    kind = store.read_kind(path)
    header = store.read_header(path, kind=kind, format=1)
    if as_json:
        print_json({"file": str(path), "sha256": store.read_sha256(path), **header})
        return
    rows: list[tuple[str, object]] = [
        ("file", path.name),
        ("holds", kind),
        ("sha256", store.read_sha256(path)),
    ]
    rows += _model_rows(header) if kind == "checkpoint" else _dataset_rows(header)
    print_table(("", ""), [(name, _text(value)) for name, value in rows])
    click.echo()
    normalizer = header["normalizer"]
    print_table(
        ("property", "mean", "sd", "p0.1", "p50", "p99.9"),
        (
            (name, *(f"{value:.4g}" for value in (mean, scale, q[0], q[len(q) // 2], q[-1])))
            for name, mean, scale, q in zip(
                *(normalizer[key] for key in ("names", "mean", "scale", "quantiles")), strict=True
            )
        ),
    )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(item)}" for name, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " ".join(_text(item) for item in value)
    return str(value)


def _origin_rows(provenance: Mapping[str, Any]) -> Rows:
    for source in provenance.get("sources", []):
        yield "made from", source
    for key in ("title", "licence", "tally", "data", "versions"):
        if key in provenance:
            yield key, provenance[key]


def _dataset_rows(header: Mapping[str, Any]) -> Rows:
    yield "symbols", header["symbols"]
    yield from _origin_rows(header["provenance"])


def _model_rows(header: Mapping[str, Any]) -> Rows:
    provenance = header["provenance"]
    yield "sizes", header["model"]
    yield "prior", header["prior"]
    yield "symbols", header["symbols"]
    yield "trained with", provenance.get("train", {})
    yield "training molecules", provenance.get("training_molecules", "?")
    yield "last epoch", provenance.get("trained", {})
    yield from _origin_rows(provenance)
    for card in ("health", "measured"):
        for name, value in provenance.get(card, {}).items():
            yield f"{card}: {name}", value
