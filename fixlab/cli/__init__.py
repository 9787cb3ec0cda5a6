"""The `fixlab` command."""

from fixlab.cli._main import main

__all__ = ["main"]
