"""What a session makes of a dictionary: whether a message may be processed, and if not, why.

Pure, like `inbound`. The checks themselves are those of `fixlab.dictionary`; here stands when
they are made and what answers them. They come behind the sequence number, so only a message
with the expected number is held against a dictionary (HDR-00), one that waited when its turn
has come.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from fixlab.dictionary.checks import Checks
from fixlab.dictionary.validation import UNSUPPORTED_TYPE, validate
from fixlab.session.config import SessionConfig
from fixlab.session.faults import Answer, Fault
from fixlab.session.inbound import Head
from fixlab.wire.message import Message
from fixlab.wire.tags import ADMIN_TYPES, BUSINESS_MESSAGE_REJECT


def uses_dictionary(config: SessionConfig) -> bool:
    """Whether messages are held against a dictionary at all."""
    return config.dictionary is not None and config.validation != "off"


def check_dictionary(message: Message, config: SessionConfig) -> Fault | None:
    """The first rule of the dictionary that `message` breaks (REJ-04 to -16, -22, -23)."""
    if config.dictionary is None or config.validation == "off":
        return None
    checks = config.checks
    if not config.habits.conditional_fields:
        checks = _without_conditions(checks)
    found = validate(message, config.dictionary, checks)
    if found is None:
        return None
    return Fault(
        found.rule,
        Answer.REJECT,
        found.text,
        found.reason,
        found.ref_tag,
        found.business_reason,
        found.count_tag,
    )


@cache
def _without_conditions(checks: Checks) -> Checks:
    """REJ-16: what these engines' applications have to look at themselves."""
    return replace(checks, conditional_fields=False)


def check_supported(head: Head, config: SessionConfig) -> Fault | None:
    """HDR-07: a type that exists, but that this side does not handle.

    REJ-15: an application that is down, or will not have one message, sends its own
    BusinessMessageReject like any message.

    Never a BusinessMessageReject: two sides that lack it would refuse refusals for ever.
    """
    types, msg_type = config.supported_types, head.msg_type
    if types is None or msg_type in types or msg_type in ADMIN_TYPES:
        return None
    if msg_type == BUSINESS_MESSAGE_REJECT:
        return None
    return Fault("HDR-07", Answer.REJECT, "Unsupported Message Type", business=UNSUPPORTED_TYPE)
