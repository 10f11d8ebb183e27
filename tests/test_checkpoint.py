import copy
import dataclasses
import getpass
import io
import platform
import re
import resource
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch

from molvae import checkpoint
from molvae.checkpoint import Checkpoint, find_model, read_training_index
from molvae.dataset import RINGS, MoleculeDataset
from molvae.errors import ArtifactError, InputError, MolvaeError
from molvae.files import store
from molvae.train.batches import collate
from molvae.training_index import molecule_hash

Change = Callable[[dict[str, np.ndarray], dict[str, Any]], object]


@pytest.fixture(scope="module")
def loaded(tiny_model_file: Path) -> Checkpoint:
    return Checkpoint.load(tiny_model_file)


def rewritten(path: Path, out: Path, change: Change) -> Path:
    """Alter arrays and header and give them a digest that fits."""
    arrays, header = store.read(path, kind="checkpoint", format=checkpoint.FORMAT)
    change(arrays, header)
    store.write(out, arrays, header, kind="checkpoint", format=checkpoint.FORMAT)
    return out


def outputs(model: Checkpoint, dataset: MoleculeDataset) -> list[torch.Tensor]:
    """Return what a checkpoint makes of eight molecules: posterior, logits, codes."""
    batch = collate(dataset, np.arange(8))
    with torch.inference_mode():
        mean, log_var = model.model.encode(batch.ids, batch.lengths)
        logits = model.model.decode(mean, batch.conditions, batch.ids)
        return [mean, log_var, logits, model.prior.sample(batch.conditions, torch.ones_like(mean))]


def test_saved_model_comes_back_equal(
    loaded: Checkpoint, drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    path = tmp_path / "again.safetensors"
    assert loaded.save(path) == loaded.sha256
    again = Checkpoint.load(path)
    assert again.sha256 == loaded.sha256
    assert not again.model.training
    for one, other in zip(outputs(loaded, drug_dataset), outputs(again, drug_dataset), strict=True):
        assert torch.equal(one, other)
    assert again.vocabulary == loaded.vocabulary
    assert again.vocabulary.symbols == drug_dataset.vocabulary.symbols
    assert again.normalizer.to_dict() == drug_dataset.normalizer.to_dict()
    assert again.provenance == loaded.provenance
    assert again.model.config == loaded.model.config
    assert again.rings == drug_dataset.rings is not None


def test_a_model_of_the_first_format_has_no_ring_systems(
    tiny_model_file: Path, tmp_path: Path
) -> None:
    arrays, header = store.read(tiny_model_file, kind="checkpoint", format=checkpoint.FORMAT)
    arrays.pop(RINGS), header.pop("rings")
    store.write(tmp_path / "old", arrays, header, kind="checkpoint", format=1)
    assert Checkpoint.load(tmp_path / "old").rings is None


def test_half_precision_is_half_the_size_and_nearly_the_same(
    loaded: Checkpoint, drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    whole, half = tmp_path / "whole", tmp_path / "half"
    loaded.save(whole)
    Checkpoint.load(whole).save(half, half=True)
    assert loaded.sample is not None
    weights = 4 * (sum(w.numel() for w in loaded.model.parameters()) + loaded.sample.size)
    saved = whole.stat().st_size - half.stat().st_size
    assert saved == pytest.approx(weights / 2, rel=0.01)
    again = Checkpoint.load(half)
    assert {w.dtype for w in again.model.parameters()} == {torch.float32}
    for one, other in zip(outputs(loaded, drug_dataset), outputs(again, drug_dataset), strict=True):
        torch.testing.assert_close(one, other, rtol=0.05, atol=0.05)


def test_half_precision_keeps_float32_where_float16_overflows(
    loaded: Checkpoint, tmp_path: Path
) -> None:
    weights = loaded.model.state_dict()
    large = copy.deepcopy(loaded.model)
    with torch.no_grad():
        large.decoder.output.bias[0] = 65_520.0  # rounds to infinity in float16
    dataclasses.replace(loaded, model=large).save(tmp_path / "half", half=True)
    again = Checkpoint.load(tmp_path / "half").model.state_dict()
    assert again["decoder.output.bias"][0] == 65_520.0
    torch.testing.assert_close(again["decoder.output.bias"][1:], weights["decoder.output.bias"][1:])
    layout = store.look(tmp_path / "half", kind="checkpoint", format=checkpoint.FORMAT).layout
    whole = [name for name, (kind, _) in layout.items() if kind == "F32"]
    assert whole == ["model.decoder.output.bias"]


def test_weights_that_are_not_finite_are_not_written(loaded: Checkpoint, tmp_path: Path) -> None:
    broken = copy.deepcopy(loaded.model)
    with torch.no_grad():
        broken.decoder.output.bias[0] = float("nan")
    with pytest.raises(MolvaeError, match=r"not written, because .*bias is not finite"):
        dataclasses.replace(loaded, model=broken).save(tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_model_with_figures_that_are_not_finite_loads(loaded: Checkpoint, tmp_path: Path) -> None:
    measured = {"LogP": {"mae": float("nan")}}
    dataclasses.replace(loaded, provenance=measured).save(tmp_path / "a")
    assert np.isnan(Checkpoint.load(tmp_path / "a").provenance["LogP"]["mae"])


def test_every_flipped_bit_of_the_header_is_refused(tiny_model_file: Path, tmp_path: Path) -> None:
    """Those that change no meaning too, as in the last digit of a number."""
    content = tiny_model_file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    path = tmp_path / "damaged"
    random = np.random.default_rng(1)
    # The last digit of a number of 17 digits: three in four flips leave the number as it is.
    digits = [match.end() - 1 for match in re.finditer(rb"\d\.\d{16}(?=\D)", content[:length])]
    positions = [*random.integers(8, 8 + length, 150), *digits[:50]]
    for position, bit in zip(positions, random.integers(0, 8, len(positions)), strict=True):
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(bit) if position not in digits else 1
        path.write_bytes(damaged)
        with pytest.raises(ArtifactError, match="damaged"):
            Checkpoint.load(path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.5, 0.999])
def test_truncated_file_is_refused(share: float, tiny_model_file: Path, tmp_path: Path) -> None:
    content = tiny_model_file.read_bytes()
    path = tmp_path / "short"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ArtifactError, match=r"damaged|not a molvae"):
        Checkpoint.load(path)


def test_files_of_others_are_refused(loaded: Checkpoint, tmp_path: Path) -> None:
    pickled = io.BytesIO()
    torch.save(loaded.model.state_dict(), pickled)
    arrays = {name: w.numpy() for name, w in loaded.model.state_dict().items()}
    path = tmp_path / "foreign"
    for content in (b"", b"CCO\nCCN\n", pickled.getvalue(), safetensors.numpy.save(arrays)):
        path.write_bytes(content)
        with pytest.raises(ArtifactError, match="not a molvae"):
            Checkpoint.load(path)


def test_dataset_is_no_checkpoint(drug_dataset_file: Path) -> None:
    with pytest.raises(ArtifactError, match="a molvae dataset, where a checkpoint is expected"):
        Checkpoint.load(drug_dataset_file)


def test_newer_format_is_refused(tiny_model_file: Path, tmp_path: Path) -> None:
    arrays, header = store.read(tiny_model_file, kind="checkpoint", format=checkpoint.FORMAT)
    store.write(tmp_path / "new", arrays, header, kind="checkpoint", format=checkpoint.FORMAT + 1)
    with pytest.raises(ArtifactError, match="pip install --upgrade molvae"):
        Checkpoint.load(tmp_path / "new")


WEIGHT = "model.decoder.output.weight"
DAMAGES: dict[str, tuple[Change, str]] = {
    "NaN weight": (lambda a, h: a[WEIGHT].__setitem__((0, 0), np.nan), "not finite"),
    "infinite weight": (lambda a, h: a[WEIGHT].__setitem__((0, 0), np.inf), "not finite"),
    "missing weight": (lambda a, h: a.pop(WEIGHT), "decoder.output.weight"),
    "extra weight": (lambda a, h: a.update({"model.more": a[WEIGHT]}), "more"),
    "misshapen weight": (lambda a, h: a.update({WEIGHT: a[WEIGHT].T}), "has shape"),
    "integers": (lambda a, h: a.update({WEIGHT: a[WEIGHT].astype(np.int32)}), "output.weight"),
    "no model": (lambda a, h: h.pop("model"), "model"),
    "model that is a list": (lambda a, h: h.update(model=[]), "damaged"),
    "model that is a number": (lambda a, h: h.update(model=3), "damaged"),
    "unknown size": (lambda a, h: h["model"].update(heads=8), "heads"),
    "size of another type": (lambda a, h: h["model"].update(latent_size="8"), "latent_size"),
    "doubles": (lambda a, h: a.update({WEIGHT: a[WEIGHT].astype(np.float64)}), "type F64"),
    "array of no part": (lambda a, h: a.update(more=a[WEIGHT]), "unexpected weights: more"),
    "more in the prior": (lambda a, h: a.update({"prior.more": a[WEIGHT]}), "prior holds 'more'"),
    "other sizes": (lambda a, h: h["model"].update(latent_size=9), "has shape"),
    "unknown prior": (lambda a, h: h.update(prior="mixture"), "mixture"),
    "prior that is a list": (lambda a, h: h.update(prior=[]), "damaged"),
    "symbols that are none": (lambda a, h: h.update(symbols=["C", "N"]), "'C', which is no"),
    "symbols that steer a terminal": (
        lambda a, h: h.update(symbols=["[\x1b]"]),
        r"symbols: the vocabulary holds '\[\\x1b\]', which is no SELFIES symbol",
    ),
    "one symbol less": (lambda a, h: h["symbols"].pop(), "has shape"),
    "no symbols": (lambda a, h: h.update(symbols=None), "damaged"),
    "no normalizer": (lambda a, h: h.pop("normalizer"), "normalizer"),
    "scale of zero": (lambda a, h: h["normalizer"]["scale"].__setitem__(0, 0.0), "normalizer"),
    "no provenance": (lambda a, h: h.update(provenance="none"), "damaged"),
    "no index": (lambda a, h: a.pop("index.bits"), "index"),
    "empty index": (lambda a, h: a.update({"index.bits": a["index.bits"][:0]}), "index"),
    "index of floats": (
        lambda a, h: a.update({"index.bits": a["index.bits"].astype(np.float32)}),
        "index",
    ),
    "hashes in a list": (lambda a, h: h["index"].update(hashes=[5]), "index"),
    "index that is a list": (lambda a, h: h.update(index=[5]), "index"),
    "no hashes": (lambda a, h: h.pop("index"), "index"),
    "no hash": (lambda a, h: h["index"].update(hashes=0), "index"),
    "a billion hashes": (lambda a, h: h["index"].update(hashes=10**9), "index"),
    "infinite hashes": (lambda a, h: h["index"].update(hashes=float("inf")), "index"),
    "rings without a header": (lambda a, h: h.pop("rings"), "ring systems"),
    "rings in no order": (lambda a, h: a.update({RINGS: a[RINGS][::-1].copy()}), "ring systems"),
    "no prior mean": (lambda a, h: a.pop("prior.mean"), "prior"),
    "prior of other sizes": (
        lambda a, h: a.update(
            {"prior.mean": a["prior.mean"][1:], "prior.covariance": a["prior.covariance"][1:, 1:]}
        ),
        "prior",
    ),
    "NaN prior": (lambda a, h: a["prior.mean"].__setitem__(0, np.nan), "prior"),
    "prior of no spread": (lambda a, h: a["prior.covariance"].__setitem__(..., 0.0), "prior"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_invalid_parts_are_refused_by_name(
    name: str, tiny_model_file: Path, tmp_path: Path
) -> None:
    change, words = DAMAGES[name]
    path = rewritten(tiny_model_file, tmp_path / "damaged", change)
    with pytest.raises(ArtifactError, match=words) as caught:
        Checkpoint.load(path)
    assert str(path) in str(caught.value)


FLOW = {"prior": "flow", "flow_size": 256, "flow_steps": 5000, "integration_steps": 8}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prior": FLOW}, "a flow prior"),
        ({"prior": "flow"}, "a flow prior"),
        ({"merges": [["[C]", "[C]"]]}, "byte-pair merges"),
    ],
)
def test_retired_parts_are_refused_with_the_last_version_that_reads_them(
    changes: dict[str, Any], words: str, tiny_model_file: Path, tmp_path: Path
) -> None:
    path = rewritten(tiny_model_file, tmp_path / "older", lambda a, h: h.update(changes))
    with pytest.raises(ArtifactError, match=f"older: needs {words}.*molvae 0.1.0, commit"):
        Checkpoint.load(path)


def test_a_header_that_names_retired_parts_without_using_them_loads(
    tiny_model_file: Path, tmp_path: Path
) -> None:
    changes = {"prior": FLOW | {"prior": "joint-gaussian"}, "merges": []}
    path = rewritten(tiny_model_file, tmp_path / "older", lambda a, h: h.update(changes))
    older, now = Checkpoint.load(path), Checkpoint.load(tiny_model_file)
    assert older.prior.config == now.prior.config
    assert older.vocabulary == now.vocabulary


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"decoder_size": 10**9}, "decoder_size = 1000000000 is out of range"),
        ({"decoder_layers": 10**6}, "decoder_layers = 1000000 is out of range"),
        ({"latent_size": 2**63}, "latent_size = 9223372036854775808 is out of range"),
        ({"decoder_size": 4096, "decoder_layers": 8}, "absurd number of weights"),
        ({"decoder_size": 4000, "decoder_layers": 3}, "has shape|unexpected weights"),
    ],
)
def test_absurd_sizes_are_refused_at_once_and_without_memory(
    sizes: dict[str, int], words: str, tiny_model_file: Path, tmp_path: Path
) -> None:
    path = rewritten(tiny_model_file, tmp_path / "absurd", lambda a, h: h["model"].update(sizes))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    with pytest.raises(ArtifactError, match=words):
        Checkpoint.load(path)
    assert time.process_time() - begun < 1.0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024  # KiB


def test_no_file_names_paths_users_or_hosts(tiny_model_file: Path, drug_dataset_file: Path) -> None:
    private = [str(Path.home()), str(Path.cwd()), "/tmp", "drugs.csv/", platform.platform()]
    private += [str(path.parent) for path in (tiny_model_file, drug_dataset_file)]
    private += [name for name in (getpass.getuser(), socket.gethostname()) if len(name) > 4]
    state = tiny_model_file.with_name("state.safetensors")
    for path in (tiny_model_file, state, drug_dataset_file):
        content = path.read_bytes()
        text = content[: 8 + int.from_bytes(content[:8], "little")].decode("latin-1")
        assert "drugs.csv" in text or "state" in path.name
        assert [word for word in private if word in text] == []


def test_index_holds_exactly_the_training_molecules_after_loading(
    tiny_model_file: Path, drug_dataset: MoleculeDataset
) -> None:
    index = read_training_index(tiny_model_file)
    known = index.contains(drug_dataset.hashes)
    assert known[drug_dataset.members("train")].all()
    others = np.concatenate([drug_dataset.members(name) for name in ("validation", "test")])
    assert not known[others].any()
    assert not index.contains(molecule_hash(["C" * 30])).any()


def test_index_of_a_damaged_file_is_refused(tiny_model_file: Path, tmp_path: Path) -> None:
    for name in ("no index", "no hashes", "empty index", "index of floats"):
        path = rewritten(tiny_model_file, tmp_path / "damaged", DAMAGES[name][0])
        with pytest.raises(ArtifactError, match="index"):
            read_training_index(path)


def test_model_is_found_as_file_folder_or_name(
    tiny_model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "package" / "weights"
    models.mkdir(parents=True)
    shutil.copy(tiny_model_file, models / "drug-like.safetensors")
    (models / "README.md").write_text("no model")
    monkeypatch.setattr(checkpoint.resources, "files", lambda package: tmp_path / "package")
    assert checkpoint.bundled_models() == {"drug-like": models / "drug-like.safetensors"}
    assert find_model("drug-like") == models / "drug-like.safetensors"
    assert find_model(tiny_model_file) == tiny_model_file
    assert find_model(tiny_model_file.parent) == tiny_model_file
    with pytest.raises(InputError) as caught:
        find_model("druglike")
    assert "did you mean 'drug-like'?" in str(caught.value)
    with pytest.raises(InputError, match="neither a file, a run folder, nor a bundled model"):
        find_model(tmp_path)
