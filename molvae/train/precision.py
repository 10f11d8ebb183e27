"""Which arithmetic the matrix products use, and the loss scaling that float16 needs."""

from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor

from molvae.errors import UsageError

TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Precision(NamedTuple):
    """An autocast type, with a gradient scaler where one is needed."""

    name: str
    device: torch.device
    scaler: torch.amp.GradScaler | None

    @classmethod
    def choose(cls, name: str, device: torch.device) -> "Precision":
        """Resolve "auto" to the fastest arithmetic that this device has units for.

        bf16 on a processor without bf16 units is emulated and over a hundred times slower than
        float32 (measured: 0.5 against 61 GFLOP/s on an AVX2 core), so the CPU is asked first.

        Raises:
            UsageError: for fp16 on a CPU.
        """
        if name == "auto":
            fast = torch.cuda.is_bf16_supported() if device.type == "cuda" else _cpu_has_bf16()
            name = "bf16" if fast else "fp32"
        if name == "fp16" and device.type == "cpu":
            raise UsageError("--precision fp16 needs a GPU; a CPU takes fp32 or bf16.")
        scaler = torch.amp.GradScaler(device.type) if name == "fp16" else None
        return cls(name, device, scaler)

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which the forward pass runs."""
        if self.name == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=TYPES[self.name])

    def backward(self, loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
        """Compute gradients, true to scale, ready to be clipped."""
        if self.scaler is None:
            loss.backward()  # type: ignore[no-untyped-call]
            return
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(optimizer)

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """Take the step; with float16, skip it when the gradients overflowed."""
        if self.scaler is None:
            optimizer.step()
            return
        self.scaler.step(optimizer)
        self.scaler.update()


def _cpu_has_bf16() -> bool:
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
