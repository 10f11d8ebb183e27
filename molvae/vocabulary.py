"""SELFIES symbols <-> ids."""

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from molvae.errors import ArtifactError

PAD, BOS, EOS, UNK = range(4)
SPECIAL = ("<pad>", "<bos>", "<eos>", "<unk>")
# Visible ASCII characters in brackets, or the dot between the fragments of a mixture.
_SYMBOL = re.compile(r"\[[!-Z\\^-~]{1,30}\]|\.")

_ATOM = re.compile(r"\[(?![=#/\\-]*(?:Branch|Ring))[=#/\\-]*\d*(?P<element>[A-Z][a-z]?)")


class Vocabulary:
    """The symbols that a model knows, each with its id.

    Ids 0 to 3 are padding, beginning and end of a molecule, and the unknown symbol; padding,
    beginning and unknown are never sampled. The symbols follow in alphabetical order.

    Args:
        symbols: distinct, in alphabetical order.

    Raises:
        ArtifactError: for a text that is not a SELFIES symbol.

    Example:
        >>> vocabulary = Vocabulary(["[C]", "[O]"])
        >>> vocabulary.encode(["[C]", "[C]", "[O]"])
        array([4, 4, 5])
        >>> vocabulary.decode([4, 4, 5, 2])
        ['[C]', '[C]', '[O]']
    """

    def __init__(self, symbols: Sequence[str]) -> None:
        odd = [symbol for symbol in symbols if not _is_symbol(symbol)]
        if odd:
            raise ArtifactError(f"the vocabulary holds {odd[0]!r:.40}, which is no SELFIES symbol.")
        if any(a >= b for a, b in pairwise(symbols)):
            raise ArtifactError("the vocabulary's symbols are not distinct and in order.")
        self.symbols = tuple(symbols)
        self._ids = {symbol: number for number, symbol in enumerate(self.symbols, len(SPECIAL))}

    @property
    def elements(self) -> tuple[str, ...]:
        """The elements in the symbols, in alphabetical order.

        >>> Vocabulary(["[=C]", "[Br]", "[Branch1]", "[NH1+1]", "[Ring1]"]).elements
        ('Br', 'C', 'N')
        """
        atoms = (_ATOM.match(symbol) for symbol in self.symbols)
        return tuple(sorted({atom["element"] for atom in atoms if atom}))

    @classmethod
    def from_counts(
        cls, counts: Mapping[str, int], *, min_count: int = 1, known: Container[str] = ()
    ) -> tuple["Vocabulary", dict[str, int]]:
        """Make a vocabulary of the symbols found in at least `min_count` molecules.

        Args:
            counts: molecules by symbol.
            min_count: that a symbol needs.
            known: symbols of an initial model, for which one molecule is enough.

        Returns:
            The vocabulary, and the symbols left out with their counts.
        """
        left_out = {
            symbol: n
            for symbol, n in sorted(counts.items())
            if n < min_count and symbol not in known
        }
        return cls(sorted(set(counts) - set(left_out))), left_out

    def __len__(self) -> int:
        """Return the number of ids, the four special ones included."""
        return len(SPECIAL) + len(self.symbols)

    def __eq__(self, other: object) -> bool:
        """Two vocabularies are equal when every id means the same symbol."""
        return isinstance(other, Vocabulary) and self.symbols == other.symbols

    def __hash__(self) -> int:
        """Hash by content, as equality compares it."""
        return hash(self.symbols)

    def unknown(self, symbols: Iterable[str]) -> list[str]:
        """Return those of `symbols` that have no id, each once, in order of appearance."""
        return [symbol for symbol in dict.fromkeys(symbols) if symbol not in self._ids]

    def encode(self, symbols: Iterable[str]) -> np.ndarray:
        """Return the ids of `symbols`, int64, shape (T,); an unknown symbol becomes UNK."""
        return np.array([self._ids.get(symbol, UNK) for symbol in symbols], dtype=np.int64)

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Return the symbols of `ids` up to the first EOS; padding and BOS are skipped."""
        symbols: list[str] = []
        for number in ids:
            if number == EOS:
                break
            if number >= len(SPECIAL):
                symbols.append(self.symbols[number - len(SPECIAL)])
        return symbols


def _is_symbol(text: object) -> bool:
    return isinstance(text, str) and _SYMBOL.fullmatch(text) is not None
