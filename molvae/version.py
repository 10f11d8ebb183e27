"""The version of molvae, in one place."""

__version__ = "0.2.0"
