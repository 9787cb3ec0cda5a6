"""Numbers on a command line."""

from __future__ import annotations

import argparse


def count(text: str) -> int:
    """A number from 1 on."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"expected a number from 1, found {text!r}")
    return int(text)
