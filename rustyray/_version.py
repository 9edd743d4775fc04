"""The version of the distribution, which ``pyproject.toml`` states as well; a test compares them."""

__version__ = "0.1.0"

#: The Ray whose API this is.
RAY_VERSION = "2.60.0"
