"""The logs of the notebooks are what their scripts make."""

from __future__ import annotations

from tests.tools.make_dispute_log import LOG, play
from tests.tools.make_odd_log import ODD, made


def test_the_log_of_the_dispute_is_the_one_the_script_makes() -> None:
    assert LOG.read_bytes() == play().encode("latin-1")


def test_the_log_of_odd_lines_is_the_one_the_script_makes() -> None:
    assert ODD.read_bytes() == made()
