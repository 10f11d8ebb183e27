"""The network: a conditional variational autoencoder over tokens of SELFIES.

Letters for shapes: B batch, T tokens (time), V vocabulary, H hidden, E embedding, Z latent,
C condition embedding, P properties, N molecules. Losses are in nats per molecule.
"""
