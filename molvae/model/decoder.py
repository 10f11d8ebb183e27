"""p(x given z, c): an LSTM that writes a molecule symbol by symbol."""

import torch
from torch import Tensor, nn

from molvae.config import ModelConfig
from molvae.model.embedding import symbol_embedding

State = list[tuple[Tensor, Tensor]]  # (h, c) of each layer, each (1, B, H)


class Decoder(nn.Module):
    """Write symbols one after the other, with z and c in sight at every step.

    z and c enter three times: in the initial states, added to every symbol's embedding (adding is
    the same as concatenating and projecting, at a third of the cost, because they do not change
    from step to step), and at the output.
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
        self.lstms = nn.ModuleList(
            nn.LSTM(config.symbol_size if layer == 0 else size, size, batch_first=True)
            for layer in range(layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(size) for _ in range(layers - 1))
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(size, vocabulary_size)

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
        """Read symbols and predict what follows each: a whole molecule or one step.

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
        logits = self.output(states) + self.at_output(context)[:, None]
        return logits.float(), after
