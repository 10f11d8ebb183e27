"""The arithmetic of matrix products, and the loss scaling of float16."""

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
        """Resolve "auto" to the fastest arithmetic that the device supports.

        bf16 on a processor without bf16 units is emulated and a hundred times slower than float32
        (`benchmarks/arithmetic.py`), so the CPU is asked first. On CUDA "auto" is float32, whose
        LSTMs run in TF32: autocast casts cuDNN's LSTMs to float16 whatever type it is told.

        Raises:
            UsageError: for fp16 on a CPU, and for bf16 on one without units for it.
        """
        if name == "auto":
            name = "bf16" if device.type == "cpu" and _cpu_has_bf16() else "fp32"
        if name == "bf16" and device.type == "cpu" and not _cpu_has_bf16():
            raise UsageError("--precision bf16: this CPU has no units for it; it takes fp32.")
        if name == "fp16" and device.type == "cpu":
            raise UsageError("--precision fp16 needs a GPU; a CPU takes fp32.")
        scaled = name != "fp32" and device.type == "cuda"  # see above: also bf16 has fp16 LSTMs
        scaler = torch.amp.GradScaler(device.type) if scaled else None
        return cls(name, device, scaler)

    @property
    def products(self) -> torch.dtype:
        """The type of products outside of `autocast` that need few digits."""
        return torch.bfloat16 if self.name == "bf16" else torch.float32

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which the forward pass runs."""
        if self.name == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=TYPES[self.name])

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss, scaled for float16."""
        scaled = loss if self.scaler is None else self.scaler.scale(loss)
        scaled.backward()  # type: ignore[no-untyped-call]

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Remove the scale from the gradients, before they are clipped."""
        if self.scaler is not None:
            self.scaler.unscale_(optimizer)

    def scaler_state(self) -> dict[str, float]:
        """Return the state of the scaler; empty without one."""
        return {} if self.scaler is None else self.scaler.state_dict()

    def load_scaler(self, state: dict[str, float]) -> None:
        """Load the state that `scaler_state` returned."""
        if self.scaler is not None and state:
            self.scaler.load_state_dict(state)

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """Take the step; with float16, skip it when the gradients overflowed."""
        if self.scaler is None:
            optimizer.step()
            return
        self.scaler.step(optimizer)
        self.scaler.update()


def _cpu_has_bf16() -> bool:
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
