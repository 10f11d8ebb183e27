"""The device of the model."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from molvae.errors import UsageError


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute in one thread, and give the others back.

    Sampling is many small matrix products: a second thread costs more than it brings, above all on
    a machine that is busy. One thread also makes the sums the same everywhere.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose_device(name: str) -> str:
    """Resolve `auto` and check that the device is there.

    Args:
        name: "auto" (a GPU when there is one), "cpu", "cuda", or "cuda:1".

    Raises:
        UsageError: for a device that this machine does not have.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = name.partition(":")
    if not re.fullmatch(r"cpu|cuda(:[0-9]{1,3})?", name):
        raise UsageError(f"--device {name}: one of auto, cpu, cuda, cuda:0, cuda:1, ...")
    if kind == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            f"--device {name}: this torch ({torch.__version__}) finds no CUDA device."
            " molvae doctor says more; --device cpu works anywhere."
        )
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise UsageError(f"--device {name}: there are {torch.cuda.device_count()} CUDA devices.")
    return name
