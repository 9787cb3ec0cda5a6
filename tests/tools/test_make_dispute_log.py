"""The log of README's dispute is what its script makes."""

from __future__ import annotations

from tests.tools.make_dispute_log import LOG, play


def test_the_stored_log_is_the_one_the_script_makes() -> None:
    assert LOG.read_bytes() == play().encode("latin-1")
