"""The settings and data that must not change when a training is resumed."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from molvae.config import as_dict
from molvae.dataset import MoleculeDataset
from molvae.files import store
from molvae.presets import Preset
from molvae.vocabulary import SPECIAL

# These may differ on a resume: more epochs stretch the schedule, the others change no weight. The
# prior may differ too: it is fitted after the training. The precision is compared after "auto" is
# resolved.
MAY_CHANGE = ("epochs", "patience", "accumulate", "save_every", "precision")


def identity(
    dataset: MoleculeDataset,
    *,
    settings: Preset,
    precision: str,
    initial: Mapping[str, Tensor] | None,
) -> dict[str, Any]:
    """Return the identity of a training as plain values for JSON, without path, host or user."""
    return {
        **{name: as_dict(config) for name, config in settings._asdict().items()},
        "precision": precision,
        "data": {
            "training molecules": len(dataset.members("train")),
            "validation molecules": len(dataset.members("validation")),
            "symbols": len(SPECIAL) + len(dataset.vocabulary.symbols),
            "properties": ", ".join(dataset.normalizer.names),
            "fingerprint": dataset.fingerprint,
        },
        "initial": None
        if initial is None
        else store.digest({n: w.detach().cpu().numpy() for n, w in initial.items()}, {}),
    }


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return the differences of two identities as texts, except for those that are allowed."""
    rows = [
        f"{table}.{key}: {before} then, {after} now"
        for table in ("model", "train")
        for key, before, after in _changes(old.get(table), new.get(table))
        if key not in MAY_CHANGE
    ]
    if old.get("precision") != new.get("precision"):
        before = old.get("precision")
        rows.append(
            f"precision: {before} then, {new.get('precision')} now (--precision {before} goes on)"
        )
    if old.get("data") != new.get("data"):
        rows.append(
            f"the dataset is another one: {_compare_data(old.get('data'), new.get('data'))}"
        )
    if old.get("initial") != new.get("initial"):
        rows.append(f"it began from {_origin(old)} then, from {_origin(new)} now")
    return rows


def _changes(old: object, new: object) -> list[tuple[str, object, object]]:
    before, after = (dict(table) if isinstance(table, dict) else {} for table in (old, new))
    keys = sorted(before.keys() | after.keys())
    return [(k, before.get(k), after.get(k)) for k in keys if before.get(k) != after.get(k)]


def _compare_data(old: object, new: object) -> str:
    """Return `251 training molecules then, 240 now`, or the fingerprints when all else is equal."""
    rows = [
        f"{before} {key} then, {after} now"
        for key, before, after in _changes(old, new)
        if key != "fingerprint"
    ]
    if rows:
        return ", ".join(rows)
    short = [f"{after}"[:12] for changed in _changes(old, new) for after in changed[1:]]
    return f"as many molecules, but not the same ({short[0]} then, {short[1]} now)"


def _origin(identity: Mapping[str, Any]) -> str:
    digest = identity.get("initial")
    return f"the model {str(digest)[:12]}" if digest else "random weights"
