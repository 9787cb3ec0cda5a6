"""Values in columns of frames, for those who fill them and have no frame, nor pandas.

`fixlab.frames` has the same names; a process that only reads starts several times as fast
without pandas.
"""

from __future__ import annotations

# What stands for a missing value in an int64 array that `build` is given; also NaT's value.
MISSING = -(2**63)

# Where a message's time comes from.
TIME_SOURCES = ("", "log", "capture", "sending_time")
# How the direction of a message is known, the surest first.
DIRECTION_SOURCES = ("", "given", "captured", "logged", "file_name", "comp_ids", "timing")
DEFECTS = (
    "",
    "fragment",  # FRM-07: fields of a message, and no BeginString(8) before them
    "field_order",  # FRM-01: BodyLength(9) is not second or MsgType(35) is not third
    "body_length",  # FRM-03: BodyLength(9) does not lead to CheckSum(10)
    "check_sum",  # FRM-04: CheckSum(10) is another sum
    "truncated",  # FRM-05: no CheckSum(10)
    "too_long",  # FRM-13: longer than the largest message read
)
