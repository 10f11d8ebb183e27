"""The arithmetic of matrix products, and the loss scaling of float16."""

from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch

from molvae.errors import UsageError

TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Precision(NamedTuple):
    """An autocast type, and a gradient scaler, which does nothing where none is needed."""

    name: str
    device: torch.device
    scaler: torch.amp.GradScaler

    @classmethod
    def choose(cls, name: str, device: torch.device) -> "Precision":
        """Resolve "auto" to the fastest arithmetic that the device supports.

        bf16 on a processor without bf16 units is emulated and a hundred times slower than float32
        (`benchmarks/arithmetic.py`), so the CPU is asked first. On CUDA "auto" is float32, whose
        LSTMs run in TF32: autocast casts cuDNN's LSTMs to float16 for any type.

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
        return cls(name, device, torch.amp.GradScaler(device.type, enabled=scaled))

    @property
    def products(self) -> torch.dtype:
        """The type of products outside of `autocast` that need few digits."""
        return torch.bfloat16 if self.name == "bf16" else torch.float32

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which the forward pass runs."""
        if self.name == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=TYPES[self.name])


def _cpu_has_bf16() -> bool:
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
