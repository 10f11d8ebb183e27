"""Raw tables in, datasets out: chemistry, no torch."""
