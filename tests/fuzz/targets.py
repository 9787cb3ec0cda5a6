"""All that is fuzzed, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from fixlab.wire.framer import Framer, LooseFramer
from fixlab.wire.trailer_framer import TrailerFramer
from tests.fuzz.file_targets import LogTarget, StoreTarget
from tests.fuzz.fuzzing import Target
from tests.fuzz.log_targets import (
    AnalyzeTarget,
    PageTarget,
    ReadTarget,
    ReconcileTarget,
    ReplayTarget,
)
from tests.fuzz.session_target import SessionTarget
from tests.fuzz.text_targets import CfgTarget, DictionaryTarget, ScheduleTarget
from tests.fuzz.wire_targets import FramerTarget, MessageTarget, RedactTarget


class Entry(NamedTuple):
    """A target, made with a folder of its own, and its share of all inputs."""

    make: Callable[[Path], Target]
    share: int  # of all inputs, in parts of the sum of all shares


# By how much of it a stranger reaches, and by what an input costs.
TARGETS: Mapping[str, Entry] = {
    "framer": Entry(lambda _: FramerTarget(Framer, "framer"), 20),
    "loose_framer": Entry(lambda _: FramerTarget(LooseFramer, "loose_framer"), 10),
    "trailer_framer": Entry(lambda _: FramerTarget(TrailerFramer, "trailer_framer"), 10),
    "session": Entry(lambda _: SessionTarget(), 35),
    "explain": Entry(lambda _: MessageTarget(), 6),
    "redact": Entry(lambda _: RedactTarget(), 8),
    "dictionary": Entry(DictionaryTarget, 6),
    "cfg": Entry(CfgTarget, 6),
    "schedule": Entry(lambda _: ScheduleTarget(), 3),
    "stores": Entry(StoreTarget, 3),
    "message_log": Entry(LogTarget, 3),
    "read_log": Entry(lambda _: ReadTarget(), 10),
    "analyze": Entry(lambda _: AnalyzeTarget(), 4),
    "replay": Entry(lambda _: ReplayTarget(), 4),
    "reconcile": Entry(lambda _: ReconcileTarget(), 4),
    "page": Entry(PageTarget, 1),
}
