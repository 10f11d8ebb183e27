"""`molvae doctor`: what this installation has, what it lacks, and the exact fix for each miss."""

import importlib.metadata
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import click

from molvae.cli import options
from molvae.cli.terminal import print_json, print_table

OK, OPTIONAL, MISSING = "ok", "optional", "MISSING"
# Identifies the table of bonds that molvae sets in selfies. Under another one, the symbols of a
# trained model would mean other molecules.
SELFIES_CONSTRAINTS = "63d82c2953842d2c"


class Check(NamedTuple):
    """One thing that was checked; the fix is a command or a sentence, "" where none is needed."""

    status: str
    name: str
    found: str
    fix: str = ""

    @classmethod
    def of(
        cls, good: bool, name: str, found: str, fix: str, *, otherwise: str = MISSING
    ) -> "Check":
        """Return a check that has the status `otherwise`, and needs the fix, unless it is good."""
        return cls(OK, name, found) if good else cls(otherwise, name, found, fix)


@click.command()
@options.as_json
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Check this installation and name the exact fix for each miss.

    Exits 1 when something is missing that molvae cannot work without.
    """
    checks = list(run_checks())
    if as_json:
        print_json([check._asdict() for check in checks])
    else:
        print_table(Check._fields, checks)
    ctx.exit(1 if any(check.status == MISSING for check in checks) else 0)


def run_checks() -> Iterator[Check]:
    """Run every check; one that cannot import its library counts as missing."""
    yield Check(OK, "python", f"{platform.python_version()} ({sys.executable})")
    yield from _distributions()
    parts: dict[str, Callable[[], Iterator[Check]]] = {
        "torch": _torch,
        "RDKit": _rdkit,
        "SELFIES": _selfies,
        "models": _models,
        "temporary folder": _temporary_folder,
    }
    for name, part in parts.items():
        try:
            yield from part()
        except (ImportError, OSError) as error:
            yield Check(MISSING, name, str(error), "see above, or pip install --upgrade molvae")


def _distributions() -> Iterator[Check]:
    """Compare the installed packages with the requirements of molvae, extras included."""
    try:
        from packaging.requirements import Requirement
    except ImportError as error:
        yield Check(MISSING, "packaging", str(error), "pip install packaging")
        return
    try:
        requirements = importlib.metadata.requires("molvae") or []
    except importlib.metadata.PackageNotFoundError:
        yield Check(MISSING, "molvae", "not installed", "pip install -e .  (in the checkout)")
        return
    lacking: dict[str, list[str]] = {}
    for wanted in map(Requirement, requirements):
        found = _installed(wanted.name)
        enough = found is not None and wanted.specifier.contains(found, prereleases=True)
        if wanted.marker is None:
            fix = f"pip install '{wanted.name}{wanted.specifier}'"
            yield Check.of(enough, wanted.name, found or "not installed", fix)
        elif wanted.name != "molvae":
            extra = str(wanted.marker).split('"')[1]  # extra == "parquet"
            lacking.setdefault(extra, []).extend([] if enough else [wanted.name])
    for extra, names in lacking.items():
        found = f"lacks {', '.join(names)}" if names else "installed"
        fix = f"pip install 'molvae[{extra}]'"
        yield Check.of(not names, f"extra {extra}", found, fix, otherwise=OPTIONAL)


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _torch() -> Iterator[Check]:
    import torch

    from molvae.train.precision import Precision

    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU"
    yield Check(OK, "torch build", build)
    yield Check(OK, "threads", f"{torch.get_num_threads()} of {os.cpu_count()} cores")
    if not torch.cuda.is_available():
        fix = "no GPU, or none that this build of torch can use: https://pytorch.org/get-started"
        yield Check(OPTIONAL, "GPU", "none", fix)
    for index in range(torch.cuda.device_count()):
        name = torch.cuda.get_device_name(index)
        memory = torch.cuda.get_device_properties(index).total_memory
        yield Check(OK, f"cuda:{index}", f"{name}, {memory / 2**30:.0f} GiB")
    gain = _seconds("float32") / _seconds("bfloat16")
    chosen = Precision.choose("auto", torch.device("cpu")).name
    yield Check(OK, "bf16 on the CPU", f"{gain:.2g} x the speed of fp32; training takes {chosen}")


def _seconds(kind: str) -> float:
    """Time one product of two small matrices of this torch type; the fastest of five."""
    import torch

    matrix = torch.ones(256, 256, dtype=getattr(torch, kind))
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        torch.mm(matrix, matrix)
        taken.append(time.perf_counter() - start)
    return min(taken)


def _rdkit() -> Iterator[Check]:
    from molvae.chem.properties import PROPERTIES, measure
    from molvae.chem.smiles import parse
    from molvae.chem.speed import is_fast

    aspirin = parse("CC(=O)Oc1ccccc1C(=O)O")
    values = measure(aspirin, list(PROPERTIES))
    yield Check(OK, "RDKit", f"computes all {len(values)} properties of aspirin")
    fast = "same as RDKit and selfies" if is_fast() else "switched off: differs from this RDKit"
    fix = "results are right, but slow: pip install --upgrade molvae"
    yield Check.of(is_fast(), "fast chemistry", fast, fix, otherwise=OPTIONAL)


def _selfies() -> Iterator[Check]:
    from molvae.chem.selfies import constraints, constraints_hash

    found = constraints_hash(constraints())
    same = found == SELFIES_CONSTRAINTS
    what = found if same else f"{found}, expected {SELFIES_CONSTRAINTS}"
    yield Check.of(same, "SELFIES constraints", what, "pip install selfies==2.2.0")


def _models() -> Iterator[Check]:
    from molvae.checkpoint import bundled_models

    names = ", ".join(bundled_models())
    fix = "train one, or install molvae from a release"
    yield Check.of(bool(names), "bundled models", names or "none", fix, otherwise=OPTIONAL)


def _temporary_folder() -> Iterator[Check]:
    """Worker processes meet in a socket there."""
    with tempfile.TemporaryFile():
        yield Check(OK, "temporary folder", tempfile.gettempdir())
