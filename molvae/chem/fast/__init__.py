"""Functions that exist for speed alone, used through `molvae.chem.speed`, which can switch it off.

Each function returns exactly what the function of RDKit (or of the selfies package) returns. Delete
this folder, take the functions of RDKit and selfies in `chem/speed.py`, and everything works,
slower.
"""
