"""Several processes that train one model: each has a shard of every batch.

The gradients are summed by one all-reduce of a flat vector after the backward pass. PyTorch's
DistributedDataParallel would overlap that with the backward pass, at the price of hooks in the
model, of buckets, and of a mean over processes where the last batch needs a mean over molecules;
a few million weights of a recurrent network leave nothing worth overlapping.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple

import torch
from torch import Tensor, distributed, nn

from molvae.errors import MolvaeError, UsageError
from molvae.model.device import choose_device

PATIENCE = timedelta(minutes=10)  # without a message of a process; the end of an epoch takes less


class Processes(NamedTuple):
    """This process, one of those that share a training.

    Attributes:
        rank: 0, 1, ...; process 0 alone writes and reports.
        size: number of processes.
        device: of this process.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes and reports."""
        return self.rank == 0

    def shard(self, rows: int) -> tuple[int, int]:
        """Return the first row and the end of this process's rows of a batch."""
        return rows * self.rank // self.size, rows * (self.rank + 1) // self.size

    def all_reduce(self, values: Tensor) -> None:
        """Replace values by their sum over all processes, bit for bit the same in each.

        Raises:
            MolvaeError: when a process is lost.
        """
        if self.size > 1:
            with _reporting_loss(self):
                distributed.all_reduce(values)

    def all_reduce_gradients(self, model: nn.Module) -> None:
        """Replace the gradients by their sums over all processes, in one all-reduce."""
        if self.size == 1:
            return
        weights = list(model.parameters())
        for weight in weights:  # a process without a row in a small last batch has none
            weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
        vector = torch.cat([w.grad.flatten() for w in weights if w.grad is not None])
        self.all_reduce(vector)
        parts = torch.split(vector, [weight.numel() for weight in weights])
        for weight, part in zip(weights, parts, strict=True):
            weight.grad = part.view_as(weight)

    def any(self, flag: bool) -> bool:
        """Return whether the flag is set in any process, after waiting for all of them."""
        if self.size == 1:
            return flag
        flags = torch.tensor([float(flag)], device=self.device)
        self.all_reduce(flags)
        return bool(flags.item() > 0)

    def all_equal(self, number: int) -> bool:
        """Return whether all processes have the same number."""
        numbers = torch.zeros(self.size, dtype=torch.float64, device=self.device)
        numbers[self.rank] = number
        self.all_reduce(numbers)
        return bool((numbers == number).all())


ALONE = Processes()


@contextmanager
def joined(environment: Mapping[str, str], device: str) -> Iterator[Processes]:
    """Connect to the other processes of `torchrun` or `srun`, if there are any.

    Args:
        environment: RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT as torchrun sets
            them; without WORLD_SIZE this process is alone.
        device: "auto", "cpu" or "cuda", whose number is then LOCAL_RANK; alone also "cuda:1".

    Raises:
        UsageError: for invalid variables or an invalid device.
        MolvaeError: when the others cannot be reached.
    """
    size = _number(environment, "WORLD_SIZE", 1)
    if size == 1:
        yield Processes(device=torch.device(choose_device(device)))
        return
    rank, local = (_number(environment, name, None) for name in ("RANK", "LOCAL_RANK"))
    if ":" in device:
        raise UsageError(f"--device {device}: each of {size} processes takes its own; say cuda.")
    chosen = choose_device(device)
    if chosen == "cuda":
        chosen = choose_device(f"cuda:{local}")
        torch.cuda.set_device(torch.device(chosen))
    processes = Processes(rank, size, torch.device(chosen))
    # Import it before the group exists: functions imported later keep the group as a default
    # argument, so that it is never destroyed, and its threads abort a process that ends.
    from torch.distributed.nn import functional  # noqa: F401

    with _reporting_loss(processes):
        distributed.init_process_group(
            "nccl" if processes.device.type == "cuda" else "gloo",
            timeout=PATIENCE,
            rank=rank,
            world_size=size,
        )
    yield processes
    # Not in a `finally`: after a failure the other processes may be gone.
    distributed.destroy_process_group()


def _number(environment: Mapping[str, str], name: str, default: int | None) -> int:
    text = environment.get(name)
    if text is None and default is not None:
        return default
    if text is None or not text.isdecimal():
        raise UsageError(
            f"{name} is {text!r} in the environment: for several processes set RANK, WORLD_SIZE,"
            " LOCAL_RANK, MASTER_ADDR and MASTER_PORT, as torchrun does."
        )
    return int(text)


@contextmanager
def _reporting_loss(processes: Processes) -> Iterator[None]:
    """Raise a MolvaeError for a lost process; torch raises a RuntimeError or a ValueError."""
    try:
        yield
    except torch.OutOfMemoryError:  # a RuntimeError too
        raise
    except (RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise MolvaeError(
            f"process {processes.rank} of {processes.size} has lost the others: {reason}."
            " What was saved last stands; go on with --resume."
        ) from error
