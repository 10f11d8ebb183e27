"""Latent codes as features, in the shape of a scikit-learn transformer.

    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from molvae.adapters.latent import LatentTransformer

    make_pipeline(LatentTransformer("druglike"), Ridge()).fit(smiles, potencies)

The protocol is that of scikit-learn 1.9, https://scikit-learn.org/stable/developers/develop.html.
"""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from molvae.data.molecules import known_to, standardize_and_measure
from molvae.errors import Rejected, UsageError, did_you_mean
from molvae.generator import MoleculeGenerator

INVALID = ("error", "nan")


class LatentTransformer:
    """SMILES -> latent codes (posterior means), and back to the likeliest SMILES of a code.

    Decoding returns a similar molecule, not always the same one; `molvae benchmark reconstruction`
    measures how often it is the same.

    Nothing is fitted to the data: `fit` loads the model, and so does any other method that is
    called before it.

    Args:
        model: a file, a run folder, the name of a bundled model, or a loaded generator.
        invalid: for rows that are no molecule or have symbols that the model lacks: "error" names
            the first one; "nan" returns rows of NaN, and "" when such a row is decoded.
        device: where a model is loaded to.

    Attributes:
        generator_: the model, once it is loaded.
    """

    def __init__(
        self,
        model: str | Path | MoleculeGenerator = "druglike",
        *,
        invalid: str = "error",
        device: str = "cpu",
    ) -> None:
        # Unchanged: scikit-learn's `clone` compares the objects by identity.
        self.model, self.invalid, self.device = model, invalid, device

    def __repr__(self) -> str:
        """Return an expression for the same transformer."""
        return f"LatentTransformer({self.model!r}, invalid={self.invalid!r})"

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the arguments by name."""
        return {"model": self.model, "invalid": self.invalid, "device": self.device}

    def set_params(self, **params: Any) -> "LatentTransformer":
        """Change arguments by name; another model is loaded by `fit`.

        Raises:
            UsageError: for an argument that does not exist.
        """
        known = self.get_params()
        for name, value in params.items():
            if name not in known:
                hint = did_you_mean(name, known) or f" Known: {', '.join(known)}."
                raise UsageError(f"unknown argument '{name}' of LatentTransformer{hint}")
            setattr(self, name, value)
        return self

    def fit(self, X: object = None, y: object = None) -> "LatentTransformer":
        """Load the model; the data are not used.

        Raises:
            UsageError: for an `invalid` that does not exist.
            InputError: when there is no such model.
            ArtifactError: when it cannot be used.
        """
        if self.invalid not in INVALID:
            raise UsageError(f"invalid = {self.invalid!r}: one of {', '.join(INVALID)}.")
        if isinstance(self.model, MoleculeGenerator):
            self.generator_ = self.model
        else:
            self.generator_ = MoleculeGenerator.load(self.model, device=self.device)
        return self

    def transform(self, X: Sequence[str]) -> np.ndarray:
        """Return the latent codes of molecules, float32, shape (N, Z).

        Args:
            X: N SMILES: a list, an array, or a column of a table, also as a table of one column.

        Raises:
            UsageError: for another shape, or the first row that is no molecule.
        """
        generator, texts = self._opened(), _column(X)
        known: dict[int, list[str]] = {}  # row -> symbols
        for row, seen in enumerate(
            standardize_and_measure(generator.standardization, (), list(map(_text, texts)))
        ):
            found = known_to(generator.vocabulary, seen)
            if not isinstance(found, Rejected):
                known[row] = found.symbols
            elif self.invalid == "error":
                raise UsageError(
                    f"row {row}, {texts[row]!r:.80}: {found}. invalid='nan' makes it one of NaN."
                )
        codes = np.full((len(texts), self._size()), np.nan, dtype=np.float32)
        if known:
            means = generator.model.encode(list(known.values())).mean
            codes[list(known)] = means.cpu().numpy()
        return codes

    def fit_transform(self, X: Sequence[str], y: object = None) -> np.ndarray:
        """Load the model, then return what `transform` returns."""
        return self.fit(X, y).transform(X)

    def inverse_transform(self, X: np.ndarray) -> np.ndarray:
        """Return the likeliest molecule of each code as canonical SMILES, objects, shape (N,).

        Raises:
            UsageError: for codes of another shape than (N, Z), or not finite.
        """
        codes = np.asarray(X, dtype=np.float32)
        smiles = np.full(len(codes), "", dtype=object)
        rows = np.arange(len(codes))
        if self.invalid == "nan" and codes.ndim == 2:
            rows = np.flatnonzero(~np.isnan(codes).any(axis=1))
        if len(rows) or not len(codes):
            smiles[rows] = self._opened().decode(codes[rows])
        return smiles

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Return the names of the latent dimensions, `latent0` and on, objects, shape (Z,)."""
        return np.array([f"latent{number}" for number in range(self._size())], dtype=object)

    def __sklearn_tags__(self) -> SimpleNamespace:
        """Return the tags of a transformer, in the shape of scikit-learn's `Tags`."""
        target = "required one_d_labels two_d_labels positive_only multi_output"
        data = "two_d_array three_d_array sparse categorical dict positive_only allow_nan pairwise"
        own = "array_api_support non_deterministic requires_fit _skip_test"
        return _tags(
            own,
            estimator_type=None,
            classifier_tags=None,
            regressor_tags=None,
            no_validation=True,
            transformer_tags=SimpleNamespace(preserves_dtype=[]),
            target_tags=_tags(target, single_output=True),
            input_tags=_tags(data, one_d_array=True, string=True),
        )

    def _opened(self) -> MoleculeGenerator:
        if not hasattr(self, "generator_"):
            self.fit()
        return self.generator_

    def _size(self) -> int:
        return self._opened().checkpoint.model.config.latent_size


def _tags(absent: str, **present: object) -> SimpleNamespace:
    return SimpleNamespace(**dict.fromkeys(absent.split(), False), **present)


def _column(X: Sequence[str]) -> np.ndarray:
    """Return N cells as objects, shape (N,)."""
    cells = np.asarray(X, dtype=object)
    if cells.ndim == 2 and cells.shape[1] == 1:
        cells = cells[:, 0]
    if cells.ndim != 1:
        raise UsageError(f"X of shape {cells.shape}: N SMILES are expected, such as ['CCO'].")
    return cells


def _text(cell: object) -> str:
    """Return a cell's text; where a table has a gap there is None or NaN instead."""
    return cell if isinstance(cell, str) else ""
