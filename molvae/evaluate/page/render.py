"""Render a report as HTML.

The page is rendered from a record that it carries itself, as JSON: the report, the molecules that
are shown, and the model's own account of its training. File names, molecules and models come from
strangers: all of them are made `printable`, jinja2 escapes them, and the page forbids itself to
load or run anything.

matplotlib and jinja2 come with the extra `report` and are loaded when a page is made.
"""

import json
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.util import find_spec
from typing import Any

from molvae.chem.properties import PROPERTIES
from molvae.errors import UsageError, printable
from molvae.evaluate.page import charts, molecules
from molvae.evaluate.page.optimization import Calls, best_molecules, curve
from molvae.evaluate.page.tables import ENDS, Cell, Table, grid, interval, listing, pointer, tables
from molvae.evaluate.page.tables import shown as shown_cell
from molvae.evaluate.parsed import SHAPES
from molvae.evaluate.report import Evaluation
from molvae.evaluate.text import CONTROL_COLUMNS, PROPERTY_COLUMNS, RING_COLUMNS

EXTRA = ("jinja2", "matplotlib")
# Shown large at the top; of the shares, those that the suite has.
COUNTS = {
    "generated": "molecules (N)",
    "valid": "valid molecules",
    "distinct": "distinct molecules",
}
HEADLINES = (
    *("validity", "uniqueness", "novelty", "IntDiv1", "KL divergence", "FCD score"),
    *("valid", "unique@10000", "Novelty", "FCD/Test", "FCD/TestSF", "Filters"),
)
KNOWN = ("format", "values", "counts", "versions", "notes", "suite", "seed", "intervals")
# Tables with a section of their own: title and columns.
SECTIONS = {
    "control": ("Targets and measured properties", CONTROL_COLUMNS),
    "properties": ("Over the valid molecules", PROPERTY_COLUMNS),
    "rings": ("Means over the valid molecules", RING_COLUMNS),
}
SHOWN_APART = ("log", "health", "measured")  # parts of a model's account
HEALTH = {
    "molecules": "held-out molecules",
    "kl": "KL (nats per molecule)",
    "reconstruction": "reconstruction (nats per molecule)",
    "active_units": "active units, share",
    "shuffled_z": "loss added by shuffled codes (nats)",
    "shuffled_c": "loss added by shuffled properties (nats)",
    "exact_from_mean": "reconstructed exactly, from the mean",
    "exact_from_sample": "reconstructed exactly, from a sample",
    "property_mae": "error of the property head (sd)",
    "passed": "passed",
}


def check_extra() -> None:
    """Check that a page can be made, before the evaluation begins.

    Raises:
        UsageError: naming the extra that is missing.
    """
    if any(find_spec(name) is None for name in EXTRA):
        raise UsageError("a page of HTML needs an extra: pip install 'molvae[report]'")


def render(
    evaluation: Evaluation,
    *,
    files: Mapping[str, str] | None = None,
    model: Mapping[str, Any] | None = None,
    calls: Calls | None = None,
) -> str:
    """Return a report as an HTML page, the same for the same report.

    `files` has the name of each file by its use, of which `generated` is the title of the page,
    `model` is the `trained_model` that stands for the training set, and `calls` are those of the
    optimization that wrote the molecules.

    Raises:
        UsageError: if the extra is missing.
    """
    check_extra()
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True,
        finalize=_finalized,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False}
    template = resources.files("molvae.evaluate.page").joinpath("page.html")
    record = _record(evaluation, files or {}, model, calls)
    report = record["report"]
    html = environment.from_string(template.read_text(encoding="utf-8")).render(
        record=record,
        report=report,
        title=record["files"].get("generated", "generated molecules"),
        headlines=list(_headlines(report)),
        numbers=listing(
            "All numbers of the suite",
            report["values"],
            "/report/values",
            intervals=report.get("intervals"),
        ),
        sections={name: _section(report, name) for name in SECTIONS},
        others=list(_others(report)),
        optimization_charts=list(charts.optimization_charts(record["curve"])),
        control_charts=list(charts.control_charts(evaluation)),
        property_charts=list(charts.property_charts(evaluation)),
        ring_charts=list(charts.ring_charts(report["values"]["rings"])),
        depict=molecules.depict,
        shown=shown_cell,
        pointer=pointer,
        max_atoms=molecules.MAX_ATOMS,
        outer=100 * charts.OUTER,
        model_tables=list(_model_tables(model or {})),
        model_charts=list(charts.training_charts(model)),
        provenance=list(_provenance(record)),
    )
    return html.lstrip()


def _finalized(value: object) -> object:
    """Return what a page shows of a value: text is printable, unless it is HTML already."""
    return printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _record(
    evaluation: Evaluation,
    files: Mapping[str, str],
    model: Mapping[str, Any] | None,
    calls: Calls | None,
) -> dict[str, Any]:
    """Return everything on the page, as JSON holds it."""
    report, sets, requests = evaluation
    scores = report.values.get("control", {})
    return {
        "report": json.loads(report.to_json()),
        "files": dict(files),
        "molecules": {
            "best": best_molecules(calls, sets.generated, requests) if calls else [],
            "random": molecules.random_molecules(sets.generated, requests, seed=report.seed),
            "worst": molecules.worst_controlled(sets.generated, requests, scores),
        },
        "model": model,
        "curve": curve(calls) if calls else None,
    }


def _headlines(report: Mapping[str, Any]) -> Iterator[tuple[str, Cell]]:
    for key, title in COUNTS.items():
        yield title, shown_cell(report["counts"][key], pointer("report", "counts", key))
    for name in HEADLINES:
        if report["values"].get(name) is not None:
            yield name, shown_cell(report["values"][name], pointer("report", "values", name))


def _section(report: Mapping[str, Any], name: str) -> Table | None:
    table = report["values"].get(name)
    if not table:
        return None
    title, columns = SECTIONS[name]
    names = SHAPES if name == "rings" else {known: charts.label(known) for known in PROPERTIES}
    return grid(title, table, pointer("report", "values", name), columns=columns, names=names)


def _others(report: Mapping[str, Any]) -> Iterator[Table]:
    """Yield the tables without a section of their own."""
    for name, value in report["values"].items():
        if isinstance(value, dict) and name not in SECTIONS:
            yield from tables(name, value, pointer("report", "values", name))
    for name, value in report.items():
        if name not in KNOWN:
            yield from tables(name, value, pointer("report", name))
    intervals = report["intervals"]
    rest = [name for name in intervals if name not in report["values"]]
    rows = [[Cell(name), *interval(intervals, name)] for name in rest]
    yield Table("Intervals of the numbers in the tables below", ["", *ENDS], rows)


def _model_tables(model: Mapping[str, Any]) -> Iterator[Table]:
    if "health" in model:
        yield from tables("Latent space", model["health"], "/model/health", names=HEALTH)
    if "measured" in model:
        yield from tables("Measured", model["measured"], "/model/measured")


def _provenance(record: Mapping[str, Any]) -> Iterator[Table]:
    report, model = record["report"], record["model"]
    yield listing("Files", record["files"], "/files")
    made = {key: report[key] for key in ("suite", "seed", "format")}
    yield listing("Evaluation", made, "/report")
    yield listing("Versions", report["versions"], "/report/versions")
    yield from tables("Counts", report["counts"], "/report/counts")
    if model:
        rest = {key: value for key, value in model.items() if key not in SHOWN_APART}
        yield from tables("Model", rest, "/model")
