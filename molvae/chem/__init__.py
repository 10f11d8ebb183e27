"""Chemistry: SMILES, SELFIES, properties, similarity and filters. Knows RDKit, never torch."""
