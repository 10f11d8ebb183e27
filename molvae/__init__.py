"""molvae: molecules with the properties you name."""

__version__ = "0.1.0"
