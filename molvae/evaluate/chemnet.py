"""ChemNet's activations on a CPU, in three quarters of the time that the fcd package takes.

ChemNet (Mayr 2018, https://doi.org/10.1039/C8SC00148K, as fcd 1.2 holds it) reads 350 characters:
two convolutions that leave 88 positions, an LSTM from the end to the beginning, and one from the
beginning to the end. A molecule of MOSES fills about 40 characters; of the other positions the
input is the same for every molecule. So the first LSTM begins behind them, in the state that they
leave it in, and the second has its product with them made once. The numbers are those of the
package up to rounding; a test compares.

torch is reached through the package's own tensors: this room does not import it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

LONGEST = 340  # characters; the very end of ChemNet's input sees zeros in a way of its own
POSITIONS = 88  # that the convolutions leave of 350 characters
KINDS = (
    *("SamePadding1d", "Conv1d", "SELU", "SamePadding1d", "Conv1d", "SELU", "Transpose"),
    *("Reverse", "LSTM", "IndexTuple", "Reverse", "LSTM", "IndexTuple", "IndexTensor"),
)
_UNITS = 512  # of the second LSTM, whose gates come as input, forget, cell, output


class ChemNet(NamedTuple):
    """The layers that do something, and what is known before a molecule is read.

    Attributes:
        layers: of the package's model.
        padding: outputs of the first LSTM where there is no molecule, from the end, shape
            (1, 88, 128).
        constant: what they bring to the gates of the second, from the end, shape (88, 2048).
        recurrent: transposed weights of the second LSTM's state, shape (512, 2048).
    """

    layers: Any
    padding: Any
    constant: Any
    recurrent: Any


def chemnet(model: Any) -> ChemNet | None:
    """Prepare the package's model; None when its layers are not those of KINDS."""
    if tuple(type(layer).__name__ for layer in model) != KINDS:
        return None
    for parameter in model.parameters():
        parameter.requires_grad_(False)  # nothing is learned, so nothing is to be remembered
    second = model[11]
    padding, _ = model[8](_tensor(model, np.zeros((1, POSITIONS, 32), np.float32)))
    bias = second.bias_ih_l0 + second.bias_hh_l0
    constant = padding[0] @ second.weight_ih_l0.t() + bias
    return ChemNet(model, padding, constant, second.weight_hh_l0.t().contiguous())


def activations(net: ChemNet, smiles: Sequence[str]) -> np.ndarray:
    """Read canonical SMILES.

    Args:
        net: the network.
        smiles: N strings of at most 340 characters.

    Returns:
        Shape (N, 512), float32.
    """
    model, count = net.layers, len(smiles)
    filled = min(POSITIONS, (max(map(len, smiles)) + 1 + 3) // 4 + 2)  # that see any character
    left = POSITIONS - filled
    # One zero before, as the package pads; behind, as many as the filled positions look at.
    x = _tensor(model, _encode(smiles, width=4 * filled + 8))
    x = model[2](model[1](x))
    x = model[5](model[4](_shifted(x)))[:, :, :filled].transpose(1, 2)
    _, state = model[8](_tensor(model, np.zeros((1, left, 32), np.float32))) if left else (0, None)
    if state is not None:
        state = tuple(part.expand(1, count, part.shape[2]).contiguous() for part in state)
    backward, _ = model[8](x.flip(1), state)
    _, (hidden, cell) = model[11](backward.flip(1))
    hidden, cell = hidden[0], cell[0]
    for step in range(left - 1, -1, -1):
        gates = net.constant[step].addmm(hidden, net.recurrent)  # (N, 2048)
        gates[:, : 2 * _UNITS].sigmoid_()
        gates[:, 2 * _UNITS : 3 * _UNITS].tanh_()
        gates[:, 3 * _UNITS :].sigmoid_()
        cell = gates[:, _UNITS : 2 * _UNITS] * cell
        cell.addcmul_(gates[:, :_UNITS], gates[:, 2 * _UNITS : 3 * _UNITS])
        hidden = gates[:, 3 * _UNITS :] * cell.tanh()
    found: np.ndarray = hidden.numpy()
    return found


def _encode(smiles: Sequence[str], *, width: int) -> np.ndarray:
    """Return one-hot characters as the package scales them, one zero before, (N, 35, width)."""
    from fcd.utils import get_one_hot

    rows = np.zeros((len(smiles), 35, width), dtype=np.float32)
    for row, text in zip(rows, smiles, strict=True):
        hot = get_one_hot(text)  # (characters, 35)
        row[:, 1 : len(hot) + 1] = hot.T / 35
    return rows


def _shifted(x: Any) -> Any:
    """Put one zero before each row and two behind."""
    padded = x.new_zeros((x.shape[0], x.shape[1], x.shape[2] + 3))
    padded[:, :, 1:-2] = x
    return padded


def _tensor(model: Any, values: np.ndarray) -> Any:
    return model[1].weight.new_tensor(values)
