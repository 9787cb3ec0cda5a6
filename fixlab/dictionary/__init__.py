"""What a counterparty's dictionary says of fields, messages and groups, and checks against it."""

from fixlab.dictionary.checks import Checks

__all__ = ["Checks"]
