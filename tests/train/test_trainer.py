from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from molvae.checkpoint import Checkpoint
from molvae.config import DataConfig, GenerateConfig, TrainConfig, updated
from molvae.data.prepare import prepare
from molvae.dataset import MoleculeDataset
from molvae.errors import ArtifactError, InputError, MolvaeError
from molvae.files import store
from molvae.generator import MoleculeGenerator
from molvae.presets import read_toml
from molvae.train import precision
from molvae.train.evaluation import Validation
from molvae.train.history import Epoch
from molvae.train.precision import Precision
from molvae.train.state import read_settings
from molvae.train.step import untrained
from molvae.train.trainer import Progress, Trainer
from tests import tiny
from tests.drugs import DRUGS
from tests.train.runs import MODEL, TRAIN, assert_same, state_of, trainer


def test_training_resumed_after_every_step_equals_an_uninterrupted_one(
    finished: Path, drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    steps = int(state_of(finished)[1]["state"]["step"])
    assert steps == 12
    for done in range(1, steps + 1):
        part = trainer(drug_dataset, tmp_path, resume=True, stop_after=1)
        assert not part.fit()
        assert part.state.step == done
    assert trainer(drug_dataset, tmp_path, resume=True).fit()
    assert_same(tmp_path, finished)


def test_training_killed_and_resumed_equals_an_uninterrupted_one(
    finished: Path, drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    """A death without a word: what was done since the last save is done again."""

    class Killed(BaseException):
        pass

    def die(step: Progress) -> None:
        if step.seen > 350:
            raise Killed

    with pytest.raises(Killed):
        trainer(drug_dataset, tmp_path, report=die).fit()
    assert state_of(tmp_path)[1]["state"]["epoch"] == 1
    assert trainer(drug_dataset, tmp_path, resume=True).fit()
    assert_same(tmp_path, finished)


def test_another_seed_is_another_training(
    finished: Path, drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    other = trainer(drug_dataset, tmp_path, train=replace(TRAIN, seed=8), stop_after=1)
    other.fit()
    weights = state_of(tmp_path)[0]["weights.decoder.output.weight"]
    assert not np.array_equal(weights, state_of(finished)[0]["weights.decoder.output.weight"])


def test_training_leaves_the_global_randomness_alone(
    drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    before, global_before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    trainer(drug_dataset, tmp_path, stop_after=2).fit()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], global_before)


def test_run_folder_holds_all_that_is_needed(finished: Path) -> None:
    names = sorted(path.name for path in finished.iterdir())
    assert names == [".lock", "config.toml", "log.csv", "model.safetensors", "state.safetensors"]
    tables = read_toml(finished / "config.toml")
    assert updated(TrainConfig(), tables["train"]) == TRAIN
    assert updated(tiny.MODEL, tables["model"]) == MODEL
    assert len((finished / "log.csv").read_text().splitlines()) == 1 + TRAIN.epochs


def test_losses_fall(finished: Path) -> None:
    log = [Epoch(*row) for row in state_of(finished)[1]["log"]]
    assert [epoch.epoch for epoch in log] == [1, 2, 3]
    assert [epoch.step for epoch in log] == [4, 8, 12]
    assert log[-1].reconstruction < 0.9 * log[0].reconstruction
    assert log[-1].validation_loss < log[0].validation_loss
    assert log[-1].beta == TRAIN.beta
    assert log[-1].learning_rate == pytest.approx(TRAIN.final_rate * TRAIN.learning_rate)


def test_model_is_made_of_the_averaged_weights(finished: Path) -> None:
    arrays, header = state_of(finished)
    model = Checkpoint.load(finished / "model.safetensors")
    assert model.provenance["trained"]["epoch"] == header["state"]["epoch"] == 3
    assert model.provenance["trained"]["validation_loss"] == header["state"]["best"]
    different = 0
    for name, weight in model.model.state_dict().items():
        np.testing.assert_array_equal(weight.numpy(), arrays[f"averaged.{name}"])
        different += int(not np.array_equal(weight.numpy(), arrays[f"weights.{name}"]))
    assert different > 10


def test_every_step_is_reported(drug_dataset: MoleculeDataset, tmp_path: Path) -> None:
    steps: list[Progress] = []
    trainer(drug_dataset, tmp_path, report=steps.append, stop_after=6).fit()
    seen = [step.seen for step in steps]
    count = len(drug_dataset.members("train"))
    assert len(seen) == 6
    assert seen == sorted(seen)
    assert seen[3] == count
    assert seen[5] > count
    assert [step.epoch for step in steps] == [0, 0, 0, 0, 1, 1]


def test_state_is_saved_before_the_first_step(
    drug_dataset: MoleculeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new training in the folder of an old one leaves nothing that could be taken for its own."""
    trainer(drug_dataset, tmp_path, stop_after=6).fit()
    assert (tmp_path / "model.safetensors").exists()

    def interrupt(self: Trainer, batch: object, shares: object) -> None:
        raise KeyboardInterrupt

    other = replace(TRAIN, seed=8)
    monkeypatch.setattr(Trainer, "_step", interrupt)
    with pytest.raises(KeyboardInterrupt):
        trainer(drug_dataset, tmp_path, train=other).fit()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [".lock", "config.toml", "state.safetensors"]
    assert trainer(drug_dataset, tmp_path, train=other, resume=True).state.step == 0


def test_saves_come_within_an_epoch_too(
    drug_dataset: MoleculeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []
    monkeypatch.setattr(Trainer, "_save_state", lambda self: saved.append(self.state.step))
    clock = iter(range(0, 10**6, 100))  # seconds: a save is due after a step or two
    monkeypatch.setattr("molvae.train.trainer.time.monotonic", lambda: float(next(clock)))
    trainer(drug_dataset, tmp_path, stop_after=4).fit()
    assert saved[0] == 0
    assert {1, 2, 3} & set(saved)
    assert saved[-1] == 4


def set_losses(monkeypatch: pytest.MonkeyPatch, *losses: float) -> None:
    """Give the next epochs these validation losses, nats."""
    results = (Validation(1.0, 1.0, 1.0, loss) for loss in losses)
    monkeypatch.setattr("molvae.train.trainer.validate", lambda *_, **settings: next(results))


def test_best_model_is_kept(
    drug_dataset: MoleculeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_losses(monkeypatch, 30.0, 10.0, 20.0)
    assert trainer(drug_dataset, tmp_path).fit()
    trained = Checkpoint.load(tmp_path / "model.safetensors").provenance["trained"]
    assert (trained["epoch"], trained["validation_loss"]) == (2, 10.0)


def test_training_ends_when_patience_runs_out_and_continues_with_more(
    drug_dataset: MoleculeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_losses(monkeypatch, 30.0, 10.0, 10.0, 20.0, 9.0)  # as good is not better
    config = replace(TRAIN, epochs=5, patience=2)
    first = trainer(drug_dataset, tmp_path, train=config)
    assert first.fit()
    assert (first.state.epoch, first.state.epochs_since_best) == (4, 2)
    again = trainer(drug_dataset, tmp_path, train=config, resume=True)
    assert again.fit(), "there is nothing more to do"
    assert again.state.step == first.state.step == 16
    more = trainer(drug_dataset, tmp_path, train=replace(config, patience=3), resume=True)
    assert more.fit()
    assert (more.state.epoch, more.state.best) == (5, 9.0)
    assert Checkpoint.load(tmp_path / "model.safetensors").provenance["trained"]["epoch"] == 5


def test_validation_loss_that_is_not_finite_is_an_error(
    drug_dataset: MoleculeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_losses(monkeypatch, float("nan"))
    with pytest.raises(MolvaeError, match="validation loss is nan at step 4"):
        trainer(drug_dataset, tmp_path).fit()


def test_out_of_memory_is_an_error_with_advice(
    drug_dataset: MoleculeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(*arguments: object, **more: object) -> Validation:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    monkeypatch.setattr("molvae.train.trainer.validate", too_large)
    with pytest.raises(MolvaeError, match=r"cpu is out of memory; the last save is .*state"):
        trainer(drug_dataset, tmp_path).fit()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train": replace(TRAIN, learning_rate=0.02)}, "train.learning_rate: 0.01 then, 0.02 now"),
        ({"train": replace(TRAIN, clip=5.0, seed=1)}, "train.clip: 1.0 then, 5.0 now; train.seed"),
        ({"model": replace(MODEL, latent_size=9)}, "model.latent_size: 8 then, 9 now"),
    ],
)
def test_resuming_with_other_settings_is_refused_with_the_differences(
    finished: Path, drug_dataset: MoleculeDataset, change: dict[str, Any], words: str
) -> None:
    before = (finished / "state.safetensors").read_bytes()
    with pytest.raises(MolvaeError) as caught:
        trainer(drug_dataset, finished, resume=True, **change)
    assert words in str(caught.value)
    assert str(finished) in str(caught.value)
    assert (finished / "state.safetensors").read_bytes() == before


def test_resuming_with_other_data_is_refused(finished: Path, drug_dataset: MoleculeDataset) -> None:
    properties = drug_dataset.properties.copy()
    properties[0, 0] += 1
    with pytest.raises(MolvaeError, match=r"as many molecules, .* \(\w{12} then, \w{12} now\)"):
        trainer(drug_dataset._replace(properties=properties), finished, resume=True)
    split = drug_dataset.split.copy()
    split[drug_dataset.members("train")[:11]] = 2
    fewer = drug_dataset._replace(split=split)
    count = len(drug_dataset.members("train"))
    words = f"the dataset is another one: {count} training molecules then, {count - 11} now"
    with pytest.raises(MolvaeError, match=words):
        trainer(fewer, finished, resume=True)


def random_model(run: Path, dataset: MoleculeDataset, seed: int) -> Checkpoint:
    """Return the model of a run with random weights."""
    checkpoint = Checkpoint.load(run / "model.safetensors")
    return replace(checkpoint, model=untrained(dataset, MODEL, seed=seed))


def test_training_begins_from_the_initial_weights(
    finished: Path, drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    initial = random_model(finished, drug_dataset, 1)
    begun = trainer(drug_dataset, tmp_path, initial=initial, stop_after=1)
    for name, weight in initial.model.state_dict().items():
        assert torch.equal(begun.learner.model.state_dict()[name], weight), name
        assert torch.equal(begun.learner.averaged[name], weight), name
    begun.fit()
    assert trainer(drug_dataset, tmp_path, initial=initial, resume=True).state.step == 1
    other = random_model(finished, drug_dataset, 2)
    with pytest.raises(MolvaeError, match=r"from the model \w{12} then, from the model \w{12} now"):
        trainer(drug_dataset, tmp_path, initial=other, resume=True)
    with pytest.raises(MolvaeError, match=r"from the model \w{12} then, from random weights now"):
        trainer(drug_dataset, tmp_path, resume=True)


def test_weights_of_another_network_are_refused(
    finished: Path, drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    initial = random_model(finished, drug_dataset, 1)
    initial.model.property_head[0].bias = torch.nn.Parameter(torch.zeros(3))
    with pytest.raises(MolvaeError, match=r"another network: .*property_head.0.bias"):
        trainer(drug_dataset, tmp_path, initial=initial)


def test_a_resume_accepts_the_precision_that_auto_chose_and_no_other(
    drug_dataset: MoleculeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine with units for bf16 takes up what one without them began."""
    auto = replace(TRAIN, precision="auto")
    monkeypatch.setattr(precision, "_cpu_has_bf16", lambda: False)
    trainer(drug_dataset, tmp_path, train=auto, stop_after=1).fit()
    monkeypatch.setattr(precision, "_cpu_has_bf16", lambda: True)
    with pytest.raises(MolvaeError, match=r"fp32 then, bf16 now \(--precision fp32 goes on\)"):
        trainer(drug_dataset, tmp_path, train=auto, resume=True)
    assert trainer(drug_dataset, tmp_path, train=TRAIN, resume=True).state.step == 1


def test_settings_that_change_no_weight_may_change(
    finished: Path, drug_dataset: MoleculeDataset
) -> None:
    config = replace(TRAIN, epochs=5, save_every=5.0, accumulate=3, patience=9)
    assert trainer(drug_dataset, finished, resume=True, train=config).state.step == 12


def test_damaged_state_is_refused(
    finished: Path, drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    content = bytearray((finished / "state.safetensors").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "state.safetensors").write_bytes(content)
    with pytest.raises(ArtifactError, match="damaged"):
        trainer(drug_dataset, tmp_path, resume=True)


@pytest.mark.parametrize("odd", [True, 1.5, None, [], "x", {}])
def test_state_with_a_forged_identity_is_refused(
    finished: Path, drug_dataset: MoleculeDataset, tmp_path: Path, odd: object
) -> None:
    arrays, header = state_of(finished)
    path = tmp_path / "state.safetensors"
    store.write(path, arrays, {**header, "identity": odd}, kind="training state", format=1)
    with pytest.raises(ArtifactError, match=r"damaged: its? .*(identity|trained with)"):
        read_settings(path)
    with pytest.raises(MolvaeError, match=r"damaged|other data or settings"):
        trainer(drug_dataset, tmp_path, resume=True)


def test_loss_that_is_not_finite_stops_with_advice_and_keeps_the_saved_state(
    drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    trainer(drug_dataset, tmp_path, stop_after=2).fit()
    before = (tmp_path / "state.safetensors").read_bytes()
    broken = trainer(drug_dataset, tmp_path, resume=True)
    with torch.no_grad():
        broken.learner.model.decoder.output.bias.fill_(float("nan"))
    with pytest.raises(MolvaeError, match=r"loss is nan at step 2.*smaller --learning-rate"):
        broken.fit()
    with pytest.raises(MolvaeError, match=r"not saved, because weights.decoder.output.bias"):
        broken._save_state()
    assert (tmp_path / "state.safetensors").read_bytes() == before


def test_gradient_that_is_not_finite_never_reaches_the_weights(
    drug_dataset: MoleculeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overflow(self: torch.amp.GradScaler, optimizer: torch.optim.Optimizer) -> None:
        optimizer.param_groups[0]["params"][0].grad.fill_(float("inf"))

    monkeypatch.setattr(torch.amp.GradScaler, "unscale_", overflow)
    broken = trainer(drug_dataset, tmp_path)
    with pytest.raises(MolvaeError, match=r"gradient is \w+ at step 0"):
        broken.fit()
    assert all(torch.isfinite(weight).all() for weight in broken.learner.model.parameters())


@pytest.mark.parametrize(("split", "words"), [(0, "and 0 validation"), (1, "has 0 training")])
def test_both_splits_are_needed(
    split: int, words: str, drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    dataset = drug_dataset._replace(split=np.full_like(drug_dataset.split, split))
    with pytest.raises(InputError, match=words):
        trainer(dataset, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_molecules_without_any_property_can_be_trained_on(optimizer: str, tmp_path: Path) -> None:
    table = tmp_path / "drugs.csv"
    table.write_text("\n".join(["smiles", *(smiles for _, smiles in DRUGS)]))
    config = DataConfig(properties=(), min_count=1, validation=0.1)
    dataset = prepare([table], config, jobs=0).dataset
    assert dataset.properties.shape[1] == 0
    run = tmp_path / "run"
    assert trainer(dataset, run, train=replace(TRAIN, epochs=1, optimizer=optimizer)).fit()
    assert (
        len(MoleculeGenerator.load(run).generate(3, config=GenerateConfig(tier="raw"), seed=1)) == 3
    )


def test_molecules_with_missing_labels_can_be_trained_on(
    drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    properties = drug_dataset.properties.copy()
    properties[::2, 0] = np.nan
    holey = trainer(drug_dataset._replace(properties=properties), tmp_path, stop_after=2)
    holey.fit()
    assert all(torch.isfinite(weight).all() for weight in holey.learner.model.parameters())


@pytest.mark.skipif(
    Precision.choose("auto", torch.device("cpu")).name != "bf16",
    reason="this CPU has no units for bf16",
)
def test_bf16_trains_to_nearly_the_same_loss(
    finished: Path, drug_dataset: MoleculeDataset, tmp_path: Path
) -> None:
    config = replace(TRAIN, precision="bf16", epochs=1, batch_size=128)
    half = trainer(drug_dataset, tmp_path / "bf16", train=config)
    whole = trainer(drug_dataset, tmp_path / "fp32", train=replace(config, precision="fp32"))
    assert half.fit()
    assert whole.fit()
    assert half.state.log[0].reconstruction == pytest.approx(
        whole.state.log[0].reconstruction, rel=0.02
    )
