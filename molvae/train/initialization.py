"""A trained model as the start of another training, with new symbols and labels."""

from typing import NamedTuple

import numpy as np
import torch

from molvae.checkpoint import Checkpoint
from molvae.config import STANDARDIZATION
from molvae.dataset import MoleculeDataset
from molvae.errors import ArtifactError, MolvaeError, UsageError
from molvae.model.cvae import ConditionalVAE
from molvae.normalizer import PropertyNormalizer, class_column, class_key
from molvae.train.extension import add_columns, add_symbols, relate_labels
from molvae.train.priors import fit_joint_gaussian
from molvae.training_index import RingSystems
from molvae.vocabulary import Vocabulary

PRIOR_MOLECULES = 5_000  # the prior before training is fitted to: enough for a beginning


class Initial(NamedTuple):
    """The start of a training.

    Attributes:
        checkpoint: the extended model before the first step.
        dataset: the molecules, with the checkpoint's ids and columns.
    """

    checkpoint: Checkpoint
    dataset: MoleculeDataset

    def lines(self) -> list[str]:
        """Return what was done, as lines of text."""
        origin = self.checkpoint.provenance["init"]
        lines = [f"Begins with {origin['name']} {origin['sha256'][:12]}."]
        for key, what in (
            ("symbols", "new symbols, which begin as the mean of those that bond like them"),
            ("columns", "new to the model"),
            ("missing", "not in the dataset, and left unspecified"),
        ):
            if origin[key]:
                lines.append(f"{what}: {', '.join(origin[key])}")
        return lines


def begin_with(checkpoint: Checkpoint, dataset: MoleculeDataset, *, name: str) -> Initial:
    """Extend a model by the new symbols and labels of a dataset, and convert the dataset to it.

    Known symbols keep their weights and known properties their scale. The weights of a new symbol
    start as the mean of those of symbols with the same bond. The weights of a new label start from
    a linear regression of the known properties on it, and those of its prediction from the reverse
    regression, over the training split: a label that correlates with known properties works before
    the first step, and the weights of another one start near zero.

    Args:
        checkpoint: the model; it is not changed.
        dataset: the molecules to train on.
        name: of the model, for messages and provenance.

    Raises:
        UsageError: when the dataset was prepared with other settings than the model's, naming one.
        ArtifactError: when the model lacks the settings of its training.
    """
    _check_alike(checkpoint, dataset, name)
    before, known = checkpoint.vocabulary, checkpoint.normalizer
    symbols = sorted({*before.symbols, *dataset.vocabulary.symbols})
    vocabulary = Vocabulary(symbols)
    normalizer = merge(known, dataset.normalizer)
    dataset = _convert(vocabulary, normalizer, dataset)
    weights = {key: weight.clone() for key, weight in checkpoint.model.state_dict().items()}
    add_symbols(weights, before, vocabulary)
    add_columns(weights, len(known.names), len(normalizer.names))
    training = dataset.properties[dataset.members("train")]
    relate_labels(weights, normalizer.normalize(training), len(known.names))
    with torch.device("meta"):  # no random weights are drawn only to be thrown away
        model = ConditionalVAE(checkpoint.model.config, len(vocabulary), len(normalizer.names))
    model.load_state_dict(weights, assign=True)
    origin = {
        "name": name,
        "sha256": checkpoint.sha256,
        "training_molecules": checkpoint.provenance.get("training_molecules"),
        "longest": checkpoint.provenance["longest"],
        "symbols": [symbol for symbol in vocabulary.symbols if symbol not in before.symbols],
        "columns": [column for column in normalizer.names if column not in known.names],
        "missing": np.array(normalizer.names)[np.isnan(training).all(axis=0)].tolist(),
    }
    if "init" in checkpoint.provenance:  # where that model came from in its turn
        origin["init"] = checkpoint.provenance["init"]
    dataset = dataset._replace(
        provenance={**dataset.provenance, "init": origin}, rings=_all_rings(checkpoint, dataset)
    )
    extended = Checkpoint(
        model=model.eval(),
        prior=fit_joint_gaussian(model.eval(), dataset, seed=0, limit=PRIOR_MOLECULES),
        vocabulary=vocabulary,
        normalizer=normalizer,
        index=checkpoint.index,
        rings=dataset.rings,
        provenance={
            **dataset.provenance,
            "longest": origin["longest"],
            "train": checkpoint.provenance["train"],
        },
    )
    return Initial(extended, dataset)


def begin_again(checkpoint: Checkpoint, dataset: MoleculeDataset) -> Initial:
    """Return the start of a training, to resume it.

    The checkpoint is the one of `begin_with`, saved; the dataset is the same as then.

    Raises:
        MolvaeError: when the dataset has symbols or columns that the initial model lacks.
    """
    vocabulary, normalizer = checkpoint.vocabulary, checkpoint.normalizer
    if "init" not in checkpoint.provenance:
        raise ArtifactError("damaged: it is no model that a training began with.")
    strange = vocabulary.unknown(dataset.vocabulary.symbols)
    spelled = _spellings(normalizer, dataset.normalizer)
    strange += [name for name in spelled if spelled[name] not in normalizer.names]
    if strange:
        raise MolvaeError(
            f"the dataset is another one than this training began with: {', '.join(strange)} was"
            " not in it. Use the old one, or train in a new folder."
        )
    dataset = _convert(vocabulary, normalizer, dataset)
    provenance = {**dataset.provenance, "init": checkpoint.provenance["init"]}
    return Initial(checkpoint, dataset._replace(provenance=provenance, rings=checkpoint.rings))


def _all_rings(checkpoint: Checkpoint, dataset: MoleculeDataset) -> RingSystems | None:
    """Return the ring systems of both training sets, None where those of one are not known."""
    if checkpoint.rings is None or dataset.rings is None:
        return None
    return checkpoint.rings.joined(dataset.rings)


def merge(known: PropertyNormalizer, other: PropertyNormalizer) -> PropertyNormalizer:
    """Return a model's normalizer with the new columns of a dataset.

    Known columns keep mean and scale, so that conditions keep their meaning. Their quantiles come
    from the new dataset, since they describe the current training data; their range covers both.

    Raises:
        UsageError: for a label that is a number in one of them and a class in the other.
    """
    spelled = _spellings(known, other)
    added = [column for column, name in enumerate(other.names) if spelled[name] not in known.names]
    quantiles = known.quantiles.copy()
    for column, name in enumerate(other.names):
        if spelled[name] in known.names:
            row = quantiles[known.names.index(spelled[name])]
            low, high = row[0], row[-1]
            row[:] = other.quantiles[column]
            row[0], row[-1] = min(low, row[0]), max(high, row[-1])
    classes = dict(known.classes)
    for label, words in other.classes.items():
        same = _same(known, label)
        old = classes.get(same, ())
        keys = {class_key(word) for word in old}
        classes[same] = (*old, *(word for word in words if class_key(word) not in keys))
    return PropertyNormalizer(
        names=(*known.names, *(spelled[other.names[column]] for column in added)),
        mean=np.append(known.mean, other.mean[added]),
        scale=np.append(known.scale, other.scale[added]),
        quantiles=np.concatenate([quantiles, other.quantiles[added]]),
        classes=classes,
    )


def _same(known: PropertyNormalizer, quantity: str) -> str:
    """Return a model's spelling of a quantity, or the name itself when the model lacks it."""
    return {name.lower(): name for name in known.quantities}.get(quantity.lower(), quantity)


def _spellings(known: PropertyNormalizer, other: PropertyNormalizer) -> dict[str, str]:
    """Return each of the other's columns as the model spells it, in any case."""
    spelled = {}
    for quantity in other.quantities:
        same = _same(known, quantity)
        if same in known.quantities and (same in known.classes) != (quantity in other.classes):
            kinds = ["a number", "a class"]
            here = quantity in other.classes
            raise UsageError(
                f"'{quantity}' is {kinds[here]} in the dataset and {kinds[not here]} in the model:"
                " prepare it under another name."
            )
        if quantity not in other.classes:
            spelled[quantity] = same
            continue
        words = {class_key(word): word for word in known.classes.get(same, ())}
        for word in other.classes[quantity]:
            theirs = words.get(class_key(word), word)
            spelled[class_column(quantity, word)] = class_column(same, theirs)
    return spelled


def _check_alike(checkpoint: Checkpoint, dataset: MoleculeDataset, name: str) -> None:
    mine, theirs = checkpoint.provenance, dataset.provenance
    if not {"data", "constraints", "train", "longest"} <= mine.keys():
        raise ArtifactError(f"{name}: damaged: it does not say how it was trained.")
    if not {"data", "constraints"} <= theirs.keys():
        raise ArtifactError("the dataset is damaged: it does not say how it was prepared.")
    again = f"Prepare it again with --init {name}."
    for switch in STANDARDIZATION:
        here, there = theirs["data"].get(switch), mine["data"].get(switch)
        if here != there:
            raise UsageError(
                f"the dataset was prepared with {switch} = {here}, {name} was trained with"
                f" {there}. {again}"
            )
    if not mine["constraints"].items() <= theirs["constraints"].items():
        raise UsageError(
            f"the dataset was prepared under other SELFIES constraints than {name}. {again}"
        )


def _convert(
    vocabulary: Vocabulary, normalizer: PropertyNormalizer, dataset: MoleculeDataset
) -> MoleculeDataset:
    """Convert a dataset to another vocabulary and other columns."""
    spelled = _spellings(normalizer, dataset.normalizer)
    values = np.full((dataset.size, len(normalizer.names)), np.nan, dtype=np.float32)
    for column, name in enumerate(dataset.normalizer.names):
        values[:, normalizer.names.index(spelled[name])] = dataset.properties[:, column]
    for label in normalizer.classes:  # a molecule of one class is of no other, named here or not
        columns = normalizer.columns(label)
        known = np.isfinite(values[:, columns]).any(axis=1, keepdims=True)
        values[:, columns] = np.where(known, np.nan_to_num(values[:, columns]), np.nan)
    return dataset.with_vocabulary(vocabulary)._replace(properties=values, normalizer=normalizer)
