"""The options of `fixlab analyze`; apart from it, so that `--help` comes at once."""

from __future__ import annotations

import argparse
from pathlib import Path

from fixlab.cli._numbers import count

ABOUT = """\
Reads FIX logs and says what went wrong in them: which rule was broken, by whom, and which
messages show it. LOG is a file, a pattern or a folder: message logs of any engine, with any
delimiter, compressed or not, or captures. Rotated files of one session belong in one call.

  fixlab analyze logs/ --report dispute.html
  fixlab analyze 'venue*.log.gz' --session 'FIX.4.4:ME->VENUE' --fail-on risk

Exit code: 0 when nothing was found that --fail-on names, 1 when something was, 2 when nothing
could be analysed: a wrong option, no such file, no message in it. 130 after Ctrl-C, 141 when
nobody reads the output any more."""
FAIL_ON = {
    "fault": "a rule was broken (default)",
    "risk": "one was, or something legal that will hurt was done",
    "never": "not for what was found",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `fixlab analyze`."""
    add = parser.add_argument
    add("logs", nargs="+", metavar="LOG", help="file, pattern or folder")
    add(
        "--ours",
        action="append",
        default=[],
        metavar="ID",
        help="CompID of the side that kept the log, where the log does not tell; may be given "
        "again",
    )
    add(
        "--expect-start",
        action="append",
        type=_start,
        default=[],
        metavar="ID=N",
        help="first MsgSeqNum(34) due from this CompID, for a log that begins in the middle; "
        "may be given again",
    )
    add("--session", metavar="ID", help="only this one, such as FIX.4.4:ME->VENUE")
    add(
        "--workers",
        type=count,
        default=1,
        metavar="N",
        help="processes that read (default: 1); more pay from millions of messages on",
    )
    add("--report", type=Path, metavar="HTML", help="write a page to send to the counterparty")
    add("--by", metavar="WHO", help="who made the page, for its heading")
    add(
        "--fail-on",
        choices=tuple(FAIL_ON),
        default="fault",
        help="exit code 1 when "
        + "; ".join(f"{name}: {what}" for name, what in FAIL_ON.items()),
    )


def _start(text: str) -> tuple[str, int]:
    comp_id, _, number = text.rpartition("=")
    if not (comp_id and number.isascii() and number.isdigit() and 1 <= int(number) < 2**63):
        raise argparse.ArgumentTypeError(f"expected ID=N, such as VENUE=1, found {text!r}")
    return comp_id, int(number)
