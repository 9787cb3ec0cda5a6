"""Checks: which parts of a dictionary a message is held against."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """Switches of the validation, as QuickFIX and its kin have them; defaults are strict.

    The name of the key in a QuickFIX `.cfg` stands beside each; the last two are fixlab's own.
    """

    fields_out_of_order: bool = True  # REJ-10; ValidateFieldsOutOfOrder
    fields_have_values: bool = True  # REJ-07; ValidateFieldsHaveValues
    user_defined_fields: bool = False  # REJ-04 from tag 5000; ValidateUserDefinedFields
    allow_unknown_fields: bool = False  # REJ-04, REJ-06 off below 5000; AllowUnknownMsgFields
    allow_unknown_enum_values: bool = False  # REJ-08 off; AllowUnknownEnumValues
    allow_unordered_groups: bool = False  # REJ-13 off; ValidateUnorderedGroupFields=N
    first_field_is_delimiter: bool = False  # REJ-13; FirstFieldInGroupIsDelimiter
    required_fields: bool = True  # REJ-05
    message_encoding: bool = True  # FRM-15; engines do not look at it
    conditional_fields: bool = True  # REJ-16; engines leave it to the application
