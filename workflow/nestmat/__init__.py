"""nestmat: multi-scale materials screening and inverse design with nested autoencoders."""

__version__ = "0.1.0"
