"""The bridge between the two worlds: molecules to latent codes, and back."""
