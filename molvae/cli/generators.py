"""What the commands that draw or read molecules need: a model, and processes for the chemistry."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from molvae.generator import MoleculeGenerator

SMALL = 200  # molecules: fewer are measured sooner than worker processes start


def load(model: str, device: str) -> "MoleculeGenerator":
    """Load a model: a file, a run folder, or the name of a bundled one."""
    import torch

    from molvae.device import choose_device
    from molvae.generator import MoleculeGenerator

    # Small matrix products: a second thread costs more than it brings, and the other cores are
    # for the chemistry. One thread also makes the sums the same everywhere.
    torch.set_num_threads(1)
    return MoleculeGenerator.load(model, device=choose_device(device))


def title(model: str) -> str:
    """Name a model for people: of `my-run/model.safetensors` that is `my-run`."""
    path = Path(model).resolve()
    return path.parent.name if path.name == "model.safetensors" else path.name.partition(".")[0]


@contextmanager
def chemists(n: int, jobs: int | None) -> Iterator["Executor | None"]:
    """Give worker processes for the chemistry of `n` molecules, when that is enough of it."""
    jobs = jobs or os.cpu_count() or 1
    if n < SMALL:
        yield None
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context(
        "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    )
    context.set_forkserver_preload(["molvae.chem.candidates"])
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_ignore_interrupts) as executor:
        yield executor


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the parent, which keeps what is finished."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
