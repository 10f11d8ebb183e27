"""The training loop: a dataset in, a checkpoint out; no chemistry."""
