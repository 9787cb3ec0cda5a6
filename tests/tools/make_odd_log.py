"""Write the small log of odd lines that the notebook on reading logs looks at.

    python -m tests.tools.make_odd_log

The beginning of the dispute's log as another logger would have kept it, and mishandled it:
prefixes, other delimiters, an event line, two messages on one line, a byte that changed, a
password, and an end that was cut off. Always the same file.
"""

from __future__ import annotations

from fixlab.wire.message import encode
from tests.tools.make_dispute_log import LOG

ODD = LOG.with_name("odd_lines.log")
_LOGON = encode(
    b"FIX.4.4",
    b"35=A|34=1|49=FIRM|52=20260105-09:30:00.000|56=VENUE|98=0|108=30|554=firm2026|".replace(
        b"|", b"\x01"
    ),
).replace(b"\x01", b"|")


def made() -> bytes:
    """The bytes of the log."""
    messages = [
        line.partition(b" : ")[2].replace(b"\x01", b"|")
        for line in LOG.read_bytes().splitlines()[:8]
    ]
    garbled = messages[4].replace(b"38=100", b"38=900")
    return b"".join(
        [
            b"\xef\xbb\xbf2026-01-05 09:29:59,998 INFO  [fix-1] session created\r\n",
            b"2026-01-05 09:30:00,013 DEBUG [fix-1] IN  " + _LOGON + b" (112 bytes)\r\n",
            b"2026-01-05 09:30:00,013 DEBUG [fix-1] OUT " + messages[1] + b"\r\n",
            b"2026-01-05 09:30:00,030 DEBUG [fix-1] IN  " + messages[2] + b"\r\n",
            b"2026-01-05 09:30:08,500 DEBUG [fix-1] OUT " + messages[3] + b"\r\n",
            b"2026-01-05 09:30:08,500 DEBUG [fix-1] IN  "
            + garbled
            + b" "
            + messages[6]
            + b"\r\n",
            b"2026-01-05 09:30:16,900 WARN  [fix-1] slow consumer, 3 messages waiting\r\n",
            b"2026-01-05 09:30:17,300 DEBUG [fix-1] OUT " + messages[5][:90],
        ]
    )


if __name__ == "__main__":
    ODD.write_bytes(made())
    print(f"{ODD.name}: {ODD.stat().st_size:,} bytes")
