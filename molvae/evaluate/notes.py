"""Notes on a report: what limits the meaning of its numbers."""

from collections.abc import Iterator, Mapping
from typing import Any

from molvae.evaluate import guacamol, moses
from molvae.evaluate.fcd import MINIMUM, is_installed
from molvae.evaluate.precedence import missing_symbols
from molvae.evaluate.sets import Sets

SHOWN = 10  # names in a list
ENOUGH = 3_000  # molecules; a symbol in 0.1 % of molecules is then missed once in 20 times
SMALL = 1_000  # molecules; below, shares and distances are too uncertain to compare generators
REPAIRED = 0.03  # loss of aromatic atoms that suggests silently repaired SELFIES

# What strings may hold beside one molecule, and what it means for the numbers.
MARKS = {
    "atom_maps": "strings with atom-map numbers: {}. These number atoms and change no molecule, and"
    " are left out.",
    "mixtures": "salts and mixtures: {}. All numbers are of the whole.",
    "known_parents": "molecules that count as novel because they are salts or ions: {}. In the"
    " standard form of molvae prepare (largest fragment, neutral, without stereo), they are"
    " molecules of the training set.",
    "place_holders": "strings with place holders (*): {}. These are parts of molecules, which RDKit"
    " reads: they count as valid.",
    "not_described": "molecules without descriptors: {}, since these could not be computed, or took"
    " too long. KL divergence is that of the others.",
}


def notes(
    values: Mapping[str, Any], counts: Mapping[str, Any], sets: Sets, *, suite: str, fcd: bool
) -> tuple[str, ...]:
    """Return the notes on a report with these values and counts; see `evaluate_sets`."""
    said = [
        *_of_sizes(counts, sets),
        *_of_marks(counts),
        *_of_bad_rows(counts, sets),
        *_of_novelty(values, sets),
    ]
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
            f"95 % intervals come from {counts['resamples']:,} resamples of the"
            f" {counts['generated']:,} generated strings; the other sets are not resampled."
            " Uniqueness, FCD, IntDiv and comparisons of counts have no interval; the interval of a"
            " distance near 0 lies somewhat high."
        )
    lost = values["rings"]["aromatic_atoms"].get("difference")
    if lost is not None and lost < -REPAIRED:
        said.append(
            f"the share of aromatic atoms is {-lost:.2f} below the reference's: for decoded"
            " SELFIES, this may be a sign of silent repair."
        )
    if "not_measurable" in counts:
        said.append(
            f"targets of {', '.join(counts['not_measurable'])} cannot be checked: molvae cannot"
            " calculate these labels."
        )
    return tuple(said)


def _of_sizes(counts: Mapping[str, Any], sets: Sets) -> Iterator[str]:
    if counts["generated"] < SMALL:
        yield (
            f"N = {counts['generated']:,} is small: compare only with sets of the same size, and"
            f" generate {SMALL:,} molecules or more."
        )
    if counts["valid"] > counts["diversity"]:
        names = "IntDiv and SNN are" if sets.tests else "IntDiv is"
        yield (
            f"{names} computed on {counts['diversity']:,} of {counts['valid']:,} valid molecules,"
            " chosen with the seed."
        )
    if sets.reference_given > counts.get("reference", sets.reference_given):
        yield (
            f"{counts['reference']:,} of {sets.reference_given:,} reference molecules are used,"
            " chosen with the seed."
        )


def _of_bad_rows(counts: Mapping[str, Any], sets: Sets) -> Iterator[str]:
    """Name the sets to compare with that have damaged rows, or rows that are no molecules."""
    bad = {"training": counts.get("training_invalid", 0)}
    for name in ("reference", *sets.tests):
        bad[name] = counts.get(name, 0) - counts.get(f"{name}_valid", 0)
    for name, rows in bad.items():
        if rows:
            yield f"{rows:,} rows of the {name} set are damaged or no molecules: left out."


def _of_marks(counts: Mapping[str, Any]) -> Iterator[str]:
    """Count salts, atom maps and place holders, in words."""
    for name, words in MARKS.items():
        if name in counts:
            yield words.format(f"{counts[name]:,}")


def _of_novelty(values: Mapping[str, Any], sets: Sets) -> Iterator[str]:
    if sets.training is not None and sets.training.error_rate:
        yield (
            "novelty compares molecules in the form that the model was trained on; the share of new"
            f" molecules taken for known ones is {sets.training.error_rate:.2g}."
        )
    if values.get("novelty_without_stereo", values.get("novelty")) != values.get("novelty"):
        yield "some molecules are new in their stereo marks only: see novelty_without_stereo."


def _of_usage(sets: Sets) -> Iterator[str]:
    if sets.training is not None and sets.usage is None:
        yield "ring precedence needs the training set itself: a table, not a model."
    missing = missing_symbols(sets)
    if missing:
        some = ", ".join(missing[:SHOWN]) + (" and others" if len(missing) > SHOWN else "")
        few = len(sets.generated.molecules) < ENOUGH
        yield (
            f"no generated molecule has these symbols of the compared set: {some}."
            + (f" With fewer than {ENOUGH:,} molecules, this may be chance." if few else "")
        )


def _of_memorization(values: Mapping[str, Any], counts: Mapping[str, Any]) -> str:
    said = f"nearest training molecules were found for {counts['nearest']:,} valid molecules"
    if values.get("training_similarity_reference") is None:
        return (
            f"{said}; to judge whether they are too near, give molecules held out of training as"
            " reference."
        )
    return (
        f"{said} and {counts['nearest_reference']:,} of the reference: a generator whose molecules"
        " are nearer to the training set than held-out molecules overfits."
    )


def _of_moses(
    values: Mapping[str, Any], counts: Mapping[str, Any], sets: Sets, *, fcd: bool
) -> Iterator[str]:
    generated, valid = counts["generated"], counts["valid"]
    if generated != moses.PROTOCOL:
        yield (
            f"N = {generated:,}, but the published results of MOSES have {moses.PROTOCOL:,}: FCD"
            " falls with N, so do not compare FCD at different N."
        )
    for k in moses.UNIQUE_AT:
        if valid < k:
            yield f"unique@{k} uses all {valid:,} valid molecules, fewer than {k:,}."
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
            f"N = {generated:,}, but the protocol of GuacaMol has {guacamol.PROTOCOL:,}: do not"
            " compare FCD scores at different N."
        )
    for name, number in (("valid", counts["valid"]), ("distinct", counts["distinct"])):
        if number < limit:
            yield (
                f"{number:,} molecules are {name}: the {limit - number:,} missing ones count as"
                f" failures. The protocol samples until there are {limit:,}: keep more in FILE."
            )
    if sets.guacamol is None:
        yield "KL divergence and FCD need the training set itself: a table, not a model."
    elif sets.guacamol.chemnet is None:
        yield _why_no_fcd(min(counts["valid"], limit), fcd=fcd)


def _why_no_fcd(molecules: int, *, fcd: bool) -> str:
    if not fcd:
        return "FCD was left out, as requested."
    if not is_installed():
        return "FCD needs an extra: pip install 'molvae[fcd]'"
    if molecules < MINIMUM:
        return f"FCD needs {MINIMUM:,} valid molecules; {molecules:,} are too few."
    return f"FCD needs {MINIMUM:,} valid molecules in the compared set."
