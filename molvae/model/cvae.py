"""The conditional variational autoencoder: encoder, condition embedding, decoder, property head."""

import torch
from torch import Tensor, nn

from molvae.config import ModelConfig
from molvae.model.conditions import ConditionEmbedding, layer
from molvae.model.decoder import Decoder, State
from molvae.model.encoder import Encoder
from molvae.model.latent import Posterior, expected
from molvae.vocabulary import BOS


class ConditionalVAE(nn.Module):
    """Molecules <-> latent codes, with properties as conditions.

    Conditional VAEs over strings for molecules: Lim et al. 2018,
    https://doi.org/10.1186/s13321-018-0286-7. With `config.noise_conditional` the noise level of
    the code is an input of the decoder, so that one network is an autoencoder at level 0 and a
    conditional language model at level 1.

    Args:
        config: sizes.
        vocabulary_size: number of ids V, the special ones included.
        n_conditions: number of properties P.
    """

    def __init__(self, config: ModelConfig, vocabulary_size: int, n_conditions: int) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config, vocabulary_size)
        self.conditions = ConditionEmbedding(n_conditions, config.condition_size)
        self.decoder = Decoder(config, vocabulary_size)
        self.property_head = nn.Sequential(
            nn.Linear(config.latent_size, config.condition_size),
            nn.SiLU(),
            layer(config.condition_size, n_conditions),
        )
        if config.noise_conditional:
            self.noise_embedding = nn.Sequential(
                nn.Linear(1, config.condition_size),
                nn.SiLU(),
                nn.Linear(config.condition_size, config.condition_size),
            )

    def encode(self, ids: Tensor, lengths: Tensor) -> Posterior:
        """Return q(z given x) of molecules: ids (B, T) with EOS, padded; lengths (B,)."""
        posterior: Posterior = self.encoder(ids, lengths)
        return posterior

    def decode(
        self, z: Tensor, conditions: Tensor, ids: Tensor, level: Tensor | None = None
    ) -> Tensor:
        """Return the logits of every symbol given those before it (teacher forcing).

        Args:
            z: latent codes, shape (B, Z).
            conditions: standardized properties, NaN = unspecified, shape (B, P).
            ids: the symbols to be predicted, with EOS, padded, shape (B, T).
            level: noise levels of the codes, shape (B,); None: 0.

        Returns:
            Float32, shape (B, T, V).
        """
        state, context = self.start(z, conditions, level)
        before = torch.cat([torch.full_like(ids[:, :1], BOS), ids[:, :-1]], dim=1)
        logits: Tensor = self.decoder(state, context, before)[0]
        return logits

    def start(
        self, z: Tensor, conditions: Tensor, level: Tensor | None = None
    ) -> tuple[State, Tensor]:
        """Return the decoder's initial state and context.

        Args:
            z: latent codes, shape (B, Z).
            conditions: standardized properties, NaN = unspecified, shape (B, P).
            level: noise levels of the codes, shape (B,); None: 0. Used by noise-conditional models
                only.
        """
        embedded = self.conditions(conditions)
        if self.config.noise_conditional:
            level = z.new_zeros(len(z)) if level is None else level
            z = expected(z, level)
            embedded = embedded + self.noise_embedding(level[:, None])
        return self.decoder.start(z, embedded)

    def predict_properties(self, z: Tensor) -> Tensor:
        """Return the property head's predictions (B, P), standardized, from codes z (B, Z)."""
        predicted: Tensor = self.property_head(z)
        return predicted.float()
