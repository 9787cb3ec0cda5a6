"""Which framer reads the bytes of a session's peer."""

from __future__ import annotations

from fixlab.session.config import SessionConfig
from fixlab.wire.framer import Framer, framer_kind
from fixlab.wire.trailer_framer import TrailerFramer


def framer_of(config: SessionConfig) -> type[Framer]:
    """The framer that makes the checks of `config`, as its engine does (FRM-03, FRM-04)."""
    length, total = config.check_length_and_checksum, config.check_checksum
    if config.habits.framing == "trailer" and length and total:
        return TrailerFramer
    return framer_kind(check_length=length, check_checksum=total)
