"""Frames that several tests of the plots draw."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.plots.stories import (
    cut_and_filled,
    log_on,
    log_out,
    lost_and_recovered,
    queued_and_dropped,
    resets,
    told,
    warned,
)


@pytest.fixture(scope="session")
def story() -> pd.DataFrame:
    """Everything once: loss, replay, cut, gap fill, SequenceReset, 141=Y, logout."""
    return told(log_on, lost_and_recovered, cut_and_filled, resets, log_out)


@pytest.fixture(scope="session")
def one_gap() -> pd.DataFrame:
    """Only the first part: one gap, recovered in a second."""
    return told(log_on, lost_and_recovered)


@pytest.fixture(scope="session")
def stored() -> pd.DataFrame:
    """A warning, then orders that are stored, and that leave later or never."""
    return told(log_on, warned, queued_and_dropped)


@pytest.fixture(scope="session")
def nothing() -> pd.DataFrame:
    return told()
