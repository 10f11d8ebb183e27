"""Sizes that train in seconds."""

from molvae.config import ModelConfig, TrainConfig

MODEL = ModelConfig(
    symbol_size=16,
    encoder_size=24,
    decoder_size=48,
    decoder_layers=1,
    latent_size=8,
    condition_size=16,
)
TRAIN = TrainConfig(epochs=5, batch_size=16, learning_rate=0.02, precision="fp32")
