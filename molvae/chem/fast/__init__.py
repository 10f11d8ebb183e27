"""What exists for speed alone.

Each function returns exactly what the function of RDKit (or of the selfies package) returns. Delete
this folder, take RDKit's functions in `chem/properties.py`, and everything works, slower.
"""
