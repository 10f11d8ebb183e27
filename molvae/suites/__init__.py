"""Benchmarks: a generator in, a report out."""
