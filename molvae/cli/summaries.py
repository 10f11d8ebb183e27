"""Summaries of generated molecules, in words."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from molvae.cli.requests import PREFIX
from molvae.cli.terminal import print_table

if TYPE_CHECKING:
    from molvae.generation.neighbors import Neighbor, Variant
    from molvae.generation.results import Control, Generation, Summary
    from molvae.generator import MoleculeGenerator


IN_TRAINING = "in the training set"  # why a draw is rejected
MANY_COPIES = 0.2  # share of the draws
ALERTS = "BRENK"  # the filter whose alerts are counted: it names groups that react or fall apart
LOOKED_AT = 1000  # molecules whose alerts are counted


def annotated(verb: str, summary: Mapping[str, Any]) -> str:
    """Return the counts of a table whose molecules were "predicted" or "scored"."""
    rejected = sum(summary["rejected"].values())
    return (
        f"{summary[verb]:,} molecules {verb} by {summary['model']},"
        f" {summary[f'not_{verb}']:,} with unknown symbols, {rejected:,} rows rejected;"
        f" {summary['ood']:,} out of distribution (ood)"
    )


def applicability(generator: "MoleculeGenerator") -> dict[str, Any] | None:
    """Return the limit on `nearest` as plain values, None where the model has no such rule."""
    rule = generator.model.applicability
    return None if rule is None else rule.to_dict()


def ood_rule(generator: "MoleculeGenerator") -> str:
    """Return the rule by which molecules are flagged as out of distribution."""
    from molvae.generation.score import typicality_of
    from molvae.model.ood import MIN_MOLECULES

    rule = generator.model.applicability
    outside = "symbols, a length or properties outside the training set's"
    if rule is not None:
        return f"{rule}; or {outside}"
    typicality = typicality_of(generator.model)
    if typicality is None or typicality.molecules < MIN_MOLECULES:
        return f"ood: {outside}"
    return f"ood: percentile above 99 of {typicality.molecules:,} held-out molecules; or {outside}"


def copies(generator: "MoleculeGenerator", summary: "Summary") -> Iterator[str]:
    """Yield a line on the draws that are training molecules, when it matters."""
    if summary.settings["novel"]:
        share = summary.refusals.get(IN_TRAINING, 0) / max(summary.draws, 1)
        so = "left out; --no-novel keeps them"
        if generator.defaults.novel:
            so = "left out, the default after train --init; --no-novel keeps them"
    else:
        share, so = 1.0 - summary.novelty, "--novel leaves them out"
    if share >= MANY_COPIES or (share and summary.settings["novel"] and generator.defaults.novel):
        yield f"{share:.0%} of the draws are molecules of the training set: {so}"


def draws_of(summary: "Summary") -> str:
    """Return how many draws a run took, and what reproduces it."""
    return (
        f"{summary.draws} draws in {summary.seconds:.1f} s, seed {summary.seed},"
        f" model {summary.model}"
    )


def near_lines(found: "Generation[Neighbor] | Generation[Variant]", what: str) -> Iterator[str]:
    """Yield the summary of molecules near given ones; `what` is "neighbors of CCO"."""
    summary = found.summary
    yield f"{summary.found} of {summary.requested} {what}, {draws_of(summary)}"
    if found:
        similar = similarities([each.tanimoto for each in found])
        yield f"{similar}; novel {summary.novelty:.1%}"
    if summary.refusals:
        yield f"left out: {rejected(summary)}"


def control_lines(
    generator: "MoleculeGenerator", controls: Mapping[str, "Control"]
) -> Iterator[str]:
    """Yield the errors of generated molecules against their targets, one line per property.

    For a label, the value is only the model's own prediction; its held-out error is given too.
    """
    from molvae.generation.predict import stated_errors

    stated = stated_errors(generator.model)
    for name, control in controls.items():
        got = f"mean {control.mean:.3g}, mean error {control.mae:.3g} ({control.mae_scaled:.2f} sd)"
        hit = f"hit {control.hit_rate:.0%}"
        if name in generator.measured:
            yield f"{name}: {got}, {hit}"
            continue
        read = f"{got}, {hit}" if control.base_rate is None else _shift(control)
        error = error_text(stated.get(name) or {})
        yield f"{name}: {read}, predicted by the model itself ({error})"


def _shift(control: "Control") -> str:
    """Return how far a request for a class raised its predicted probability."""
    base = control.base_rate or 0.0
    return (
        f"mean probability of the class {control.mean:.3g}, {control.mean / base:.2g} times its"
        f" {base:.3g} in the training set"
    )


def error_text(errors: Mapping[str, Any]) -> str:
    """Return the errors on held-out molecules in words."""
    if errors.get("mae") is not None:
        r2 = f", R2 {errors['r2']:.2f}" if errors.get("r2") is not None else ""
        return f"mean error {errors['mae']:.3g}{r2} on {held_out(errors)}"
    if errors.get("accuracy") is None:
        return "the error of this model's predictions is unknown"
    figures = [
        f"{what} {errors[key]:.2f}"
        for key, what in (("auc", "ROC AUC"), ("average_precision", "average precision"))
        if errors.get(key) is not None
    ]
    if errors.get("average_precision") is not None:
        figures[-1] += f" where a guess has {errors['smallest']:.2g}"
    figures.append(f"accuracy {errors['accuracy']:.0%}")
    largest = f"{errors['largest']:.0%} are in the largest class"
    return f"{', '.join(figures)} on {held_out(errors)}, {largest}"


def together(summary: "Summary") -> Iterator[str]:
    """Yield the share of molecules that meet all targets, where there are several."""
    if len(summary.control) > 1:
        within = summary.settings["within"]
        yield (
            f"all targets together: met by {summary.all_met:.0%} of the molecules (a point within"
            f" {within:g} sd)"
        )


def alert_lines(smiles: Sequence[str], filters: Sequence[str]) -> Iterator[str]:
    """Yield how many of the first molecules have structural alerts, unless these are rejected."""
    from rdkit import Chem

    from molvae.chem.filters import FILTERS

    if ALERTS in filters:
        return
    looked = smiles[:LOOKED_AT]
    alerts = [FILTERS[ALERTS](Chem.MolFromSmiles(each)) for each in looked]
    counts = Counter(alert for alert in alerts if alert)
    if counts:
        common = ", ".join(f"{alert} ({count})" for alert, count in counts.most_common(3))
        what = "molecules" if len(looked) == len(smiles) else f"the first {len(looked)} molecules"
        yield (
            f"structural alerts ({ALERTS}) in {counts.total() / len(looked):.0%} of {what}:"
            f" {common}; --filter {ALERTS} rejects them"
        )


def similarities(tanimoto: Iterable[float]) -> str:
    """Return the range of similarities to the source molecules, at least one, in words."""
    ordered = sorted(tanimoto)
    middle = ordered[len(ordered) // 2]
    return f"similarity {ordered[0]:.2f} to {ordered[-1]:.2f}, median {middle:.2f}"


def rejected(summary: "Summary") -> str:
    """Return the numbers of rejected draws by reason, the most frequent reason first."""
    return ", ".join(f"{count} {reason}" for reason, count in summary.refusals.items()) or "none"


def too_few_near(summary: "Summary", what: str) -> str:
    """Return the error for too few molecules near given ones, with the option that helps."""
    asked = ("not similar enough", "another scaffold")  # of what is asked, the cause is known
    causes = [reason for reason in asked if reason in summary.refusals]
    commonest = next(iter([*causes, *summary.refusals]), "")
    helps = {
        "duplicate": "A larger --radius",
        "a given molecule": "A larger --radius",
        "not similar enough": "A lower --min-similarity",
        "another scaffold": "Leaving out --same-scaffold",
        "rare ring system": "--rings any",
    }.get(commonest, "A larger --tries")
    return (
        f"{summary.found} of {summary.requested} {what} were found; the other strings were left out"
        f" ({rejected(summary)}). {helps} finds more."
    )


def held_out(errors: Mapping[str, float | None]) -> str:
    """Return the number of molecules behind an error."""
    return f"{errors['molecules']:,.0f} held-out molecules"


def print_molecules(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print rows for people, without the columns that are the same in all rows.

    SMILES come last, unbroken, so that they can be copied from a narrow terminal.
    """
    summarized = (PREFIX, "novel", "ood")  # the summary has them, unless the rows differ
    shown = [
        column
        for column in columns
        if column not in ("SMILES", "model", "seed", "nll", "core", "radius")
        and not (column.startswith(summarized) and len({row.get(column) for row in rows}) == 1)
    ]
    cells = ([*(short(row.get(column)) for column in shown), row["SMILES"]] for row in rows)
    print_table([*shown, "SMILES"], cells, numbers=True)


def short(value: object) -> str:
    """Return a value with three digits."""
    from molvae.data.tables.cells import cell_text

    return f"{value:.3g}" if isinstance(value, float) else cell_text(value)
