"""A counterparty's dictionary: its fields, messages and groups, and checks against them."""

from fixlab.dictionary.checks import Checks
from fixlab.dictionary.dictionary import Dictionary
from fixlab.dictionary.explanation import Explained, explain
from fixlab.dictionary.validation import Violation, validate

__all__ = ["Checks", "Dictionary", "Explained", "Violation", "explain", "validate"]
