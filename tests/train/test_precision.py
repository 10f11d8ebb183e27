import pytest
import torch

from molvae.errors import UsageError
from molvae.train.precision import Precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("avx512", "amx", "expected"),
    [(False, False, "fp32"), (True, False, "bf16"), (False, True, "bf16")],
)
def test_auto_takes_bf16_only_where_the_cpu_has_units_for_it(
    avx512: bool, amx: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert Precision.choose("auto", CPU).name == expected


@pytest.mark.parametrize("name", ["fp32", "bf16"])
def test_a_named_precision_is_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    precision = Precision.choose(name, CPU)
    assert (precision.name, precision.scaler.is_enabled()) == (name, False)
    kind = torch.float32 if name == "fp32" else torch.bfloat16
    with precision.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == kind


def test_precision_without_units_in_the_cpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """There, torch cannot run an LSTM in bf16 at all, and says so in words of its own."""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    with pytest.raises(UsageError, match="needs a GPU"):
        Precision.choose("fp16", CPU)
    with pytest.raises(UsageError, match="has no units for"):
        Precision.choose("bf16", CPU)
