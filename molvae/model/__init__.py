"""The network: a conditional variational autoencoder over symbols of SELFIES.

Letters for shapes: B batch, T symbols (time), V vocabulary, H hidden, E embedding, Z latent,
C condition embedding, P properties, N molecules. Losses are in nats per molecule.
"""
