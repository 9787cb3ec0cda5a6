"""Panels: ipywidgets that drive a session and show what it does."""

from __future__ import annotations

from fixlab.panels._session import session
from fixlab.panels.base import Panel

__all__ = ["Panel", "session"]
