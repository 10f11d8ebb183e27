"""What a reader must know to read the numbers of a report right."""

from collections.abc import Iterator, Mapping
from typing import Any

from molvae.evaluate import guacamol, moses
from molvae.evaluate.fcd import MINIMUM, is_installed
from molvae.evaluate.precedence import missing_symbols
from molvae.evaluate.sets import Sets

SHOWN = 10  # names in a list
ENOUGH = 3_000  # molecules, of which a symbol that 0.1 % have is missed once in 20 times
SMALL = 1_000  # molecules; below, shares and distances are too uncertain to compare generators
REPAIRED = 0.03  # loss of aromatic atoms that speaks of silently repaired SELFIES


def notes(
    values: Mapping[str, Any], counts: Mapping[str, Any], sets: Sets, *, suite: str, fcd: bool
) -> tuple[str, ...]:
    """Say in words what the numbers alone would leave unsaid.

    Args:
        values: the numbers of a report.
        counts: its molecules by kind.
        sets: what they were taken from.
        suite: the collection of metrics.
        fcd: whether the Frechet ChemNet distance was asked for.
    """
    said = [*_of_sizes(counts, sets), *_of_novelty(values, sets)]
    if suite == "basic":
        said += _of_usage(sets)
    if suite == "moses":
        said += _of_moses(values, counts, sets, fcd=fcd)
    if suite == "guacamol":
        said += _of_guacamol(counts, sets, fcd=fcd)
    if sets.nearness is not None:
        said.append(_of_memorization(values, counts))
    if "resamples" in counts:
        said.append(
            f"95 % intervals are of {counts['resamples']:,} resamples of the"
            f" {counts['generated']:,} generated strings, the sets they are compared with as they"
            " are. Shares of distinct molecules among copies, FCD, IntDiv and comparisons of counts"
            " have none; that of a distance near 0 lies somewhat high."
        )
    lost = values["rings"]["aromatic_atoms"].get("difference")
    if lost is not None and lost < -REPAIRED:
        said.append(
            f"the share of aromatic atoms is {-lost:.2f} below the reference's: where SELFIES were"
            " decoded, perhaps a sign of silent repair."
        )
    if "not_measurable" in counts:
        said.append(
            f"targets of {', '.join(counts['not_measurable'])} cannot be checked: no calculator is"
            " known for these labels."
        )
    return tuple(said)


def _of_sizes(counts: Mapping[str, Any], sets: Sets) -> Iterator[str]:
    if counts["generated"] < SMALL:
        yield (
            f"N = {counts['generated']:,} is small: compare only with sets of the same size,"
            f" better of {SMALL:,} or more."
        )
    if counts["valid"] > counts["diversity"]:
        names = "IntDiv and SNN are" if sets.tests else "IntDiv is"
        yield (
            f"{names} taken over {counts['diversity']:,} of {counts['valid']:,} valid molecules,"
            " drawn with the seed."
        )
    if sets.reference_given > counts.get("reference", sets.reference_given):
        yield (
            f"{counts['reference']:,} of {sets.reference_given:,} reference molecules are compared"
            " with, drawn with the seed."
        )


def _of_novelty(values: Mapping[str, Any], sets: Sets) -> Iterator[str]:
    if sets.training is not None and sets.training.error_rate:
        yield (
            "novelty is counted in the form that the model was trained on; a new molecule is taken"
            f" for a known one at a rate of {sets.training.error_rate:.2g}."
        )
    if values.get("novelty_without_stereo", values.get("novelty")) != values.get("novelty"):
        yield "some molecules are new only in their stereo marks: see novelty_without_stereo."


def _of_usage(sets: Sets) -> Iterator[str]:
    if sets.training is not None and sets.usage is None:
        yield "ring precedence needs the training set itself: a table, not a model."
    missing = missing_symbols(sets)
    if missing:
        some = ", ".join(missing[:SHOWN]) + (" and others" if len(missing) > SHOWN else "")
        few = len(sets.generated.molecules) < ENOUGH
        yield (
            f"symbols that molecules compared with have and generated ones never: {some}."
            + (f" Of fewer than {ENOUGH:,} molecules, chance leaves some out." if few else "")
        )


def _of_memorization(values: Mapping[str, Any], counts: Mapping[str, Any]) -> str:
    said = f"nearest training molecules are of {counts['nearest']:,} valid molecules"
    if values.get("training_similarity_reference") is None:
        return (
            f"{said}; whether they are too near, only molecules tell that were held out of"
            " training: give them as reference."
        )
    return (
        f"{said} and {counts['nearest_reference']:,} of the reference: a generator nearer to its"
        " training set than molecules that were held out of it repeats what it was shown."
    )


def _of_moses(
    values: Mapping[str, Any], counts: Mapping[str, Any], sets: Sets, *, fcd: bool
) -> Iterator[str]:
    generated, valid = counts["generated"], counts["valid"]
    if generated != moses.PROTOCOL:
        yield (
            f"N = {generated:,}, where the published rows of MOSES have {moses.PROTOCOL:,}: FCD"
            " falls with N and must not be compared across it."
        )
    for k in moses.UNIQUE_AT:
        if valid < k:
            yield f"unique@{k} is over all {valid:,} valid molecules, there being no {k:,}."
    if not sets.tests:
        yield "no test set was given: FCD, SNN, Frag, Scaf and the distances are left out."
    elif not sets.chemnet:
        yield _why_no_fcd(valid, fcd=fcd)
    if sets.training is None:
        yield "no training set was given: Novelty is left out."


def _of_guacamol(counts: Mapping[str, Any], sets: Sets, *, fcd: bool) -> Iterator[str]:
    generated, limit = counts["generated"], guacamol.size(counts["generated"])
    if generated < guacamol.PROTOCOL:
        yield (
            f"N = {generated:,}, where the protocol of GuacaMol has {guacamol.PROTOCOL:,}: the FCD"
            " score must not be compared across it."
        )
    for name, number in (("valid", counts["valid"]), ("distinct", counts["distinct"])):
        if number < limit:
            yield (
                f"{number:,} molecules are {name}: the {limit - number:,} that are missing count"
                f" as failures. The protocol draws until there are {limit:,}: leave more in FILE."
            )
    if sets.guacamol is None:
        yield "KL divergence and FCD need the training set itself: a table, not a model."
    elif sets.guacamol.chemnet is None:
        yield _why_no_fcd(min(counts["valid"], limit), fcd=fcd)


def _why_no_fcd(molecules: int, *, fcd: bool) -> str:
    if not fcd:
        return "FCD was left out, as asked."
    if not is_installed():
        return "FCD needs an extra: pip install 'molvae[fcd]'"
    if molecules < MINIMUM:
        return f"FCD needs {MINIMUM:,} valid molecules; with {molecules:,} it would be chance."
    return f"FCD needs {MINIMUM:,} valid molecules in the set to compare with."
