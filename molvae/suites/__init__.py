"""A generator in, figures out: how well a model does what it is for."""
