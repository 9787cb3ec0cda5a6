"""Real FIX engines as counterparties: QuickFIX C++ and fixcore, each in a process of its own.

They come with `pip install "fixlab[engines]"`. Importing this package needs neither of them.
"""

from fixlab.engines._kinds import ENGINES, EngineKind, dictionary_files, dictionary_settings
from fixlab.engines._process import Engine, EngineSession, engine_kind

__all__ = [
    "ENGINES",
    "Engine",
    "EngineKind",
    "EngineSession",
    "dictionary_files",
    "dictionary_settings",
    "engine_kind",
]
