"""Models of commands, and worker processes for the chemistry."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from molvae.cli.fields import config_from
from molvae.cli.progress import progress
from molvae.cli.stopping import stop_signals
from molvae.cli.terminal import say
from molvae.config import GenerateConfig
from molvae.errors import InputError, Rejected, UsageError
from molvae.presets import DrawSettings

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from molvae.data.molecules import PreparedMolecule
    from molvae.generator import MoleculeGenerator
    from molvae.parallel.workers import Jobs

SMALL = 200  # molecules: fewer are measured sooner than worker processes start
HELPS = (
    " To keep its core: molvae decorate CORE MODEL. To train further on its series: molvae prepare"
    " SERIES.csv --init MODEL -o series.molvae && molvae train series.molvae --init MODEL -o series"
)
UNLIKE = 0.4  # Tanimoto similarity, by Morgan fingerprints of radius 2: below, little is shared


def load(model: str, device: str) -> "MoleculeGenerator":
    """Load a model: a file, a run folder, or the name of a bundled one."""
    import torch

    from molvae.generator import MoleculeGenerator
    from molvae.model.device import choose_device

    # Small matrix products: a second thread costs more than it brings, and the other cores are
    # for the chemistry. One thread also makes the sums the same everywhere.
    torch.set_num_threads(1)
    return MoleculeGenerator.load(model, device=choose_device(device))


def title(model: str) -> str:
    """Return the name of a model for people, such as `my-run` for `my-run/model.safetensors`."""
    path = Path(model).resolve()
    return path.parent.name if path.name == "model.safetensors" else path.name.partition(".")[0]


def title_and_hash(model: str, generator: "MoleculeGenerator") -> str:
    """Return the name and short hash of a model, as the column `model` has it."""
    return f"{title(model)}-{generator.name}"


def draw_settings(generator: "MoleculeGenerator", settings: Mapping[str, Any]) -> DrawSettings:
    """Return the model's defaults with the options from the command line.

    The model's temperature belongs to the model's noise: another noise has another temperature, see
    `LoadedModel.settings`.
    """
    unsaid = replace(generator.defaults, noise=None, temperature=None)
    return generator.model.settings(config_from(GenerateConfig, settings, base=unsaid))


def molecule(
    generator: "MoleculeGenerator", smiles: str, model: str, *, quiet: bool
) -> "PreparedMolecule":
    """Return a molecule from the command line, standardized as the training set.

    Report on stderr which parts of the molecule are left out, whether it is unlike the training
    set, and whether the model cannot reconstruct it.

    Raises:
        InputError: for a string that is no molecule, or a symbol that the model does not know.
    """
    from molvae.data.molecules import known_to, standardize_and_measure
    from molvae.generation.decode import reconstruct

    (seen,) = standardize_and_measure(generator.standardization, generator.measured, [smiles])
    found = known_to(generator.vocabulary, seen)
    if isinstance(found, Rejected):
        hint = "; for a table: molvae augment" if Path(smiles).is_file() else ""
        raise InputError(f"'{smiles}': {found}{hint}") from found
    left_out = generator.standardization.left_out(smiles)
    if left_out:
        parts = " and ".join(left_out)
        say(f"{found.smiles}: read without {parts}, as the training set was.", quiet=quiet)
    (why,) = unlike_training(generator, [found])
    (back,) = reconstruct(generator.model, [found])
    faults = [f"is unlike the model's training set ({why})"] if why else []
    helps = ""
    if back.tanimoto < UNLIKE:
        faults += [f"is not written back from its latent code (similarity {back.tanimoto:.2f})"]
        helps = HELPS.replace("MODEL", title(model))
    if faults:
        what = " and ".join(faults)
        say(
            f"Warning: {found.smiles} {what}: what is generated near it may be little like it."
            f"{helps}",
            quiet=quiet,
        )
    return found


def unlike_training(
    generator: "MoleculeGenerator", molecules: Sequence["PreparedMolecule"]
) -> list[str]:
    """Return how each molecule is unlike the training set, "" where it is not.

    Its likelihood and its ring systems tell, before anything is drawn.
    """
    from molvae.chem.rings import rings_of
    from molvae.generation.score import score

    known, reasons = generator.model.rings, []
    for found, scored in zip(molecules, score(generator.model, molecules), strict=True):
        rare = sorted({*rings_of(found.smiles)} - known) if known is not None else []
        told = [f"ring system {', '.join(rare)}"] if rare else []
        reasons.append("; ".join(filter(None, [*told, scored.ood])))
    return reasons


def tell_of_kind(
    generator: "MoleculeGenerator", molecules: Sequence["PreparedMolecule"], *, quiet: bool
) -> None:
    """Report in one sentence how many molecules are unlike the training set."""
    reasons = unlike_training(generator, molecules)
    odd = [(each.smiles, why) for each, why in zip(molecules, reasons, strict=True) if why]
    if odd:
        say(
            f"Warning: {len(odd):,} of {len(molecules):,} molecules are unlike the model's training"
            f" set, such as {odd[0][0]} ({odd[0][1]}): what is generated near them may be little"
            " like them.",
            quiet=quiet,
        )


def tell_of_rings(generator: "MoleculeGenerator", rings: str, *, quiet: bool) -> None:
    """Report a model that cannot keep the rule on ring systems, where it is asked to."""
    if rings == "known" and generator.model.rings is None:
        say(
            "The model has no list of the ring systems of its training set, so none is rejected"
            " (--rings any). Train it again to have one.",
            quiet=quiet,
        )


@contextmanager
def workers(
    jobs: int | None, executor: str | None, *, packages: Sequence[str] = ()
) -> Iterator["Jobs"]:
    """Provide the workers of `--jobs` or `--executor`.

    Args:
        jobs: worker processes of this machine; None for one on each core.
        executor: the address of a Dask scheduler.
        packages: further packages whose versions must be the same on its workers.

    Raises:
        UsageError: for both at once.
    """
    from molvae.chem.speed import is_fast

    is_fast()  # warns once, in this process; workers do not
    if executor is None:
        yield jobs or os.cpu_count() or 1
        return
    if jobs is not None:
        raise UsageError("--jobs and --executor: give only one of them.")
    from molvae.parallel.executors import PACKAGES, dask_executor

    with dask_executor(executor, packages=(*PACKAGES, *packages)) as found:
        yield found


@contextmanager
def chemists(n: int, jobs: int | None, executor: str | None = None) -> Iterator["Executor | None"]:
    """Provide workers for the chemistry of `n` molecules; none for a small number."""
    if executor is None and n < SMALL:
        yield None
        return
    from molvae.parallel.pool import WorkerPool

    with workers(jobs, executor) as found:
        if not isinstance(found, int):
            yield found
            return
        with WorkerPool(found, module="molvae.chem.candidates") as pool:
            yield pool


@contextmanager
def run(
    title: str,
    n: int,
    jobs: int | None = None,
    executor: str | None = None,
    *,
    chemistry: int | None = None,
    quiet: bool,
) -> Iterator[tuple[dict[str, Any], Sequence[int]]]:
    """Provide what a method that generates takes from the command line, and the signals received.

    Args:
        title: of the work, for the progress bar: "Generating".
        n: molecules wanted.
        jobs: see `workers`.
        executor: see `workers`.
        chemistry: molecules whose chemistry is done; `n` when None.
        quiet: no progress bar.

    Yields:
        The arguments `executor`, `report` and `should_stop`, and the list that signals join.
    """
    with (
        stop_signals() as stopped,
        progress(title, total=n, quiet=quiet) as report,
        chemists(n if chemistry is None else chemistry, jobs, executor) as found,
    ):
        yield (
            {"executor": found, "report": report, "should_stop": lambda: bool(stopped)},
            stopped,
        )
