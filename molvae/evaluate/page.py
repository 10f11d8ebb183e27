"""A report as one HTML page that needs no other file, no network and no script.

The page is rendered from a record that it carries itself, as JSON: the report, the molecules that
are shown, and what the model says of its training. File names, molecules and models come from
strangers: jinja2 escapes all of them, and the page forbids itself to load or run anything.

matplotlib and jinja2 come with the extra `report` and are loaded when a page is made.
"""

import json
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from molvae.chem.properties import PROPERTIES
from molvae.errors import UsageError
from molvae.evaluate import charts, depictions, page_charts
from molvae.evaluate.page_tables import (
    ENDS,
    Cell,
    Table,
    grid,
    interval,
    listing,
    pointer,
    shown,
    tables,
)
from molvae.evaluate.parsed import SHAPES
from molvae.evaluate.report import Examined
from molvae.evaluate.text import CONTROL_COLUMNS, PROPERTY_COLUMNS, RING_COLUMNS

if TYPE_CHECKING:
    from jinja2 import Template

EXTRA = ("jinja2", "matplotlib")
TEMPLATE = "page.html"  # beside this file
COUNTS = {
    "generated": "molecules (N)",
    "valid": "valid molecules",
    "distinct": "distinct molecules",
}
# What is shown large, where the suite has it.
HEADLINES = (
    "validity",
    "uniqueness",
    "novelty",
    "IntDiv1",
    "KL divergence",
    "FCD score",
    "valid",
    "unique@10000",
    "Novelty",
    "FCD/Test",
    "FCD/TestSF",
    "Filters",
)
KNOWN = ("format", "values", "counts", "versions", "notes", "suite", "seed", "intervals")
TITLES = {
    "control": "What was asked against what the molecules are",
    "properties": "Over the valid molecules",
    "rings": "Means over the valid molecules",
}
SHOWN_APART = ("log", "health", "measured")  # of what a model says
HEALTH = {
    "molecules": "held-out molecules",
    "kl": "KL (nats per molecule)",
    "reconstruction": "reconstruction (nats per molecule)",
    "active_units": "active units, share",
    "shuffled_z": "cost of another molecule's code (nats)",
    "shuffled_c": "cost of another molecule's properties (nats)",
    "exact_from_mean": "written back exactly, from the mean",
    "exact_from_sample": "written back exactly, from a sample",
    "property_mae": "error of the property head (sd)",
    "passed": "passed",
}


class Molecule(NamedTuple):
    """A molecule of a grid; `svg` is None where it is too large to draw."""

    number: int
    smiles: str
    svg: str | None
    requests: list[tuple[str, str, Cell]]


def check_extra() -> None:
    """Check that a page can be made, before the work of which it is to tell.

    Raises:
        UsageError: naming the extra that is missing.
    """
    if any(find_spec(name) is None for name in EXTRA):
        raise UsageError("a page of HTML needs an extra: pip install 'molvae[report]'")


def render(
    examined: Examined,
    *,
    files: Mapping[str, str] | None = None,
    model: Mapping[str, Any] | None = None,
) -> str:
    """Return a report as an HTML page, the same for the same report.

    Args:
        examined: the report and its molecules.
        files: what each file was read for -> its name; `generated` gives the page its title.
        model: what `trained_model` tells of the model that stands for the training set.

    Raises:
        UsageError: where the extra is missing.
    """
    check_extra()
    record = _record(examined, files or {}, model)
    said = record["report"]
    html = _template().render(
        record=record,
        report=said,
        title=record["files"].get("generated", "generated molecules"),
        headlines=_headlines(said),
        numbers=listing(
            "All numbers of the suite",
            said["values"],
            "/report/values",
            intervals=said.get("intervals"),
        ),
        control=_table(said, "control", CONTROL_COLUMNS),
        properties=_table(said, "properties", PROPERTY_COLUMNS),
        rings=_table(said, "rings", RING_COLUMNS),
        others=list(_others(said)),
        control_charts=list(page_charts.of_control(examined)),
        property_charts=list(page_charts.of_properties(examined)),
        ring_charts=page_charts.of_rings(said["values"]["rings"]),
        random=_molecules(record, "random"),
        worst=_molecules(record, "worst"),
        max_atoms=depictions.MAX_ATOMS,
        outer=100 * charts.OUTER,
        model_tables=list(_model_tables(model)),
        model_charts=list(page_charts.of_training(model)),
        provenance=list(_provenance(record)),
    )
    return html.lstrip()


def _record(
    examined: Examined, files: Mapping[str, str], model: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return all that the page tells, as JSON holds it."""
    report, sets, requests = examined
    scores = report.values.get("control", {})
    chosen = {
        "random": depictions.random_molecules(sets.generated, seed=report.seed),
        "worst": depictions.worst_controlled(sets.generated, requests, scores),
    }
    return {
        "report": json.loads(report.to_json()),
        "files": dict(files),
        "molecules": {use: [one._asdict() for one in some] for use, some in chosen.items()},
        "model": model,
    }


def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False}
    text = resources.files("molvae.evaluate").joinpath(TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(text)


def _headlines(said: Mapping[str, Any]) -> list[tuple[str, Cell]]:
    counts, values = said["counts"], said["values"]
    shares = [name for name in HEADLINES if values.get(name) is not None]
    return [
        *((COUNTS[key], shown(counts[key], pointer("report", "counts", key))) for key in COUNTS),
        *((name, shown(values[name], pointer("report", "values", name))) for name in shares),
    ]


def _table(said: Mapping[str, Any], name: str, columns: Mapping[str, str]) -> Table | None:
    table = said["values"].get(name)
    if not table:
        return None
    names = SHAPES if name == "rings" else {known: page_charts.label(known) for known in PROPERTIES}
    place = pointer("report", "values", name)
    return grid(TITLES[name], table, place, columns=columns, names=names)


def _others(said: Mapping[str, Any]) -> Iterator[Table]:
    """Yield the tables that have no section of their own."""
    for name, value in said["values"].items():
        if isinstance(value, dict) and name not in ("control", "properties", "rings"):
            yield from tables(name, value, pointer("report", "values", name))
    for name, value in said.items():
        if name not in KNOWN:
            yield from tables(name, value, pointer("report", name))
    intervals = said.get("intervals", {})
    rest = [name for name in intervals if name not in said["values"]]
    rows = [[Cell(name), *interval(intervals, name)] for name in rest]
    yield Table("Intervals of what the tables below hold", ["", *ENDS], rows)


def _molecules(record: Mapping[str, Any], name: str) -> list[Molecule]:
    found = []
    for number, molecule in enumerate(record["molecules"][name]):
        place = pointer("molecules", name, number, "requests")
        requests = [
            (key, asked["asked"], shown(asked["realized"], place + pointer(key, "realized")))
            for key, asked in molecule["requests"].items()
        ]
        smiles = molecule["smiles"]
        drawn = depictions.depict(smiles)
        found.append(Molecule(molecule["number"], smiles, drawn, requests))
    return found


def _model_tables(model: Mapping[str, Any] | None) -> Iterator[Table]:
    if model and "health" in model:
        yield from tables("Latent space", model["health"], "/model/health", names=HEALTH)
    if model and "measured" in model:
        yield from tables("Measured", model["measured"], "/model/measured")


def _provenance(record: Mapping[str, Any]) -> Iterator[Table]:
    said, model = record["report"], record["model"]
    yield listing("Files", record["files"], "/files")
    made = {key: said[key] for key in ("suite", "seed", "format")}
    yield listing("Evaluation", made, "/report")
    yield listing("Versions", said["versions"], "/report/versions")
    yield from tables("Counts", said["counts"], "/report/counts")
    if model:
        told = {key: value for key, value in model.items() if key not in SHOWN_APART}
        yield from tables("Model", told, "/model")
