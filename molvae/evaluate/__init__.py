"""Lists of SMILES in, numbers out: any generator can be measured, no model is involved."""
