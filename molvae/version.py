"""The version of molvae, in one place."""

__version__ = "0.1.0"
