"""p(x given z, c): an LSTM that predicts a molecule symbol by symbol."""

import torch
from torch import Tensor, nn

from molvae.config import ModelConfig
from molvae.model.embedding import symbol_embedding

State = list[tuple[Tensor, Tensor]]  # (h, c) of each layer, each (1, B, H)


class Decoder(nn.Module):
    """Predict symbols one after the other, conditioned on z and c at every step.

    z and c enter three times: in the initial states, added to every symbol's embedding (the same as
    concatenating and projecting, at a third of the cost, since they are constant), and at the
    output. With `config.film` they also scale each unit of the last LSTM's output: feature-wise
    linear modulation (https://arxiv.org/abs/1709.07871), whose shift is their part at the output.
    """

    def __init__(self, config: ModelConfig, vocabulary_size: int) -> None:
        super().__init__()
        size, layers = config.decoder_size, config.decoder_layers
        context = config.latent_size + config.condition_size
        self.size = size
        self.embedding = symbol_embedding(vocabulary_size, config.symbol_size)
        self.at_input = nn.Linear(context, config.symbol_size)
        self.at_start = nn.Linear(context, 2 * layers * size)
        self.at_output = nn.Linear(context, vocabulary_size, bias=False)
        self.film = nn.Linear(context, size, bias=False) if config.film else None
        self.lstms = nn.ModuleList(
            nn.LSTM(config.symbol_size if layer == 0 else size, size, batch_first=True)
            for layer in range(layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(size) for _ in range(layers - 1))
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(size, vocabulary_size)
        if self.film is not None:  # begins as a decoder without it
            nn.init.zeros_(self.film.weight)

    def start(self, z: Tensor, embedded: Tensor) -> tuple[State, Tensor]:
        """Return the initial state of every layer and the context (B, Z + C) of all steps.

        Args:
            z: latent codes, shape (B, Z).
            embedded: condition embeddings, shape (B, C).
        """
        context = torch.cat([z, embedded], dim=1)
        pieces = torch.tanh(self.at_start(context)).unsqueeze(0).chunk(2 * len(self.lstms), dim=2)
        state = [
            (hidden.contiguous(), cell.contiguous())
            for hidden, cell in zip(pieces[::2], pieces[1::2], strict=True)
        ]
        return state, context

    def forward(self, state: State, context: Tensor, ids: Tensor) -> tuple[Tensor, State]:
        """Return the logits of the symbol after each one: a whole molecule or one step.

        Args:
            state: of every layer, from `start` or from the step before.
            context: from `start`, shape (B, Z + C).
            ids: the symbols before those to be predicted, shape (B, T).

        Returns:
            Logits in float32, shape (B, T, V), and the state after the last symbol.
        """
        states = self.embedding(ids) + self.at_input(context)[:, None]  # (B, T, E)
        after: State = []
        for layer, lstm in enumerate(self.lstms):
            if layer > 0:
                states = self.dropout(self.norms[layer - 1](states))
            written, last = lstm(states, state[layer])
            after.append(last)
            states = written if layer == 0 else states + written  # (B, T, H)
        if self.film is not None:
            states = states * (1.0 + self.film(context))[:, None]
        logits = self.output(states) + self.at_output(context)[:, None]
        return logits.float(), after

    def stepper(self) -> "Stepper":
        """Return this decoder, with its present weights, for one symbol at a time."""
        return Stepper(self)


class Stepper:
    """`Decoder.forward` for one symbol at a time, without repeated work.

    A step costs a product of every layer's state with its weights, and little else: the part of a
    symbol in the gates of the first layer is a row of a table, the part of z and c is computed once
    for a string, and the gates are computed in place.

    Args:
        decoder: in evaluation mode, with V symbols, L layers of size H and a context of size K.
    """

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        self.layers = len(decoder.lstms)
        enters, returns, biases = [], [], []
        for lstm in decoder.lstms:
            enters.append(lstm.get_parameter("weight_ih_l0"))  # (4H, E), then (4H, H) each
            returns.append(lstm.get_parameter("weight_hh_l0"))  # (4H, H)
            biases.append(lstm.get_parameter("bias_ih_l0") + lstm.get_parameter("bias_hh_l0"))
        self.enter = enters[0].T
        self.tokens = decoder.embedding.weight @ self.enter + biases[0]  # (V, 4H)
        self.first = returns[0].T.contiguous()  # (H, 4H)
        self.others = [  # (2H, 4H) and (4H,): a layer's input and its state in one product
            (torch.cat([enter, back], dim=1).T.contiguous(), bias)
            for enter, back, bias in zip(enters[1:], returns[1:], biases[1:], strict=True)
        ]

    def begin(self, state: State, context: Tensor) -> list[Tensor]:
        """Return the state of B strings before the first symbol, tensors of B rows each.

        Args:
            state: from `Decoder.start`.
            context: from there too, shape (B, K).
        """
        hidden = [each[0] for each, _ in state]
        cells = [each[0] for _, each in state]
        fixed = [self.decoder.at_input(context) @ self.enter, self.decoder.at_output(context)]
        if self.decoder.film is not None:
            fixed.append(1.0 + self.decoder.film(context))
        return [*hidden, *cells, *fixed]

    def step(self, rows: list[Tensor], ids: Tensor) -> Tensor:
        """Return the logits of the next symbol of each string.

        Args:
            rows: from `begin`; the states among them are updated in place.
            ids: the symbols before those to be predicted, shape (B,).

        Returns:
            Logits in float32, shape (B, V).
        """
        hidden, cells = rows[: self.layers], rows[self.layers : 2 * self.layers]
        at_gates, at_output = rows[2 * self.layers : 2 * self.layers + 2]
        gates = self.tokens.index_select(0, ids).add_(at_gates)
        gates.addmm_(hidden[0], self.first)
        written = _advance(gates, hidden[0], cells[0])
        for layer, (weights, bias) in enumerate(self.others, start=1):
            written = self.decoder.norms[layer - 1](written)
            gates = torch.addmm(bias, torch.cat([written, hidden[layer]], dim=1), weights)
            written = written + _advance(gates, hidden[layer], cells[layer])
        if self.decoder.film is not None:
            written = written * rows[-1]
        logits: Tensor = self.decoder.output(written).add_(at_output)
        return logits.float()


def _advance(gates: Tensor, hidden: Tensor, cell: Tensor) -> Tensor:
    """Update an LSTM's state (B, H) in place by its gates (B, 4H); return `hidden`."""
    input, forget, new, output = gates.chunk(4, dim=1)  # the order of torch.nn.LSTM
    cell.mul_(forget.sigmoid_()).addcmul_(input.sigmoid_(), new.tanh_())
    return torch.mul(output.sigmoid_(), cell.tanh(), out=hidden)
