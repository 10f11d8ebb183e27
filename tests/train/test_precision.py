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
def test_what_is_asked_for_is_taken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    precision = Precision.choose(name, CPU)
    assert (precision.name, precision.scaler) == (name, None)
    kind = torch.float32 if name == "fp32" else torch.bfloat16
    with precision.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == kind


def test_what_the_cpu_has_no_units_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """There, torch cannot run an LSTM in bf16 at all, and says so in words of its own."""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    with pytest.raises(UsageError, match="needs a GPU"):
        Precision.choose("fp16", CPU)
    with pytest.raises(UsageError, match="has no units for"):
        Precision.choose("bf16", CPU)


def test_scaled_gradients_are_true_to_scale_and_overflow_skips_the_step() -> None:
    weight = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    precision = Precision("fp16", CPU, torch.amp.GradScaler("cpu", init_scale=1024.0))
    precision.backward((weight * 2.0).sum())
    precision.backward((weight * 1.0).sum())
    precision.unscale(optimizer)
    assert weight.grad is not None
    assert float(weight.grad) == 3.0
    precision.step(optimizer)
    assert weight.tolist() == [-2.0]
    optimizer.zero_grad()
    precision.backward((weight * float("inf")).sum())
    precision.unscale(optimizer)
    precision.step(optimizer)
    assert weight.tolist() == [-2.0]
