"""What takes a minute of waiting is begun before the first test."""

from __future__ import annotations

import pytest


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.option.collectonly:
        return
    for item in session.items:
        if item.path.name == "test_real_engines.py" and isinstance(item, pytest.Function):
            item.module.slow_ones()
            return
