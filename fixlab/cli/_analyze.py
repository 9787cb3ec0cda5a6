"""`fixlab analyze`: what went wrong in a log, on the terminal and as a page."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from fixlab import redact, times
from fixlab.analysis import Findings, analyze
from fixlab.cli._analyze_options import FAIL_ON
from fixlab.cli._fitted import fitted, terminal_width
from fixlab.errors import ConfigError, FixLabError
from fixlab.logs.read import Log, read_log

OK, FOUND, NOTHING, INTERRUPTED = 0, 1, 2, 130
_NAMED_MAX = 6  # files or CompIDs in one message


def run(arguments: argparse.Namespace) -> int:
    """Read, analyse, report; 0, 1 or 2 as `fixlab analyze --help` says, 130 after Ctrl-C."""
    try:
        if arguments.report is not None:
            _check_page(arguments.report)  # before what may take long
        log = _read(arguments)
        found = analyze(log, expected_start=_starts(arguments))
        if arguments.session is not None:
            found = found.only(arguments.session)
        width = terminal_width()
        for line in found.summary().split("\n"):
            print(fitted(redact.printable(redact.mask(line)), width))
        if arguments.report is not None:
            found.to_html(arguments.report, about=_about(arguments))
            print(f"page: {redact.printable(str(arguments.report))}")
    except BrokenPipeError:
        raise  # who reads the output has seen enough
    except (FixLabError, OSError) as error:
        text = redact.printable(redact.mask(str(error)))
        print(f"fixlab analyze: {text}", file=sys.stderr)
        return NOTHING
    except KeyboardInterrupt:
        print("fixlab analyze: interrupted", file=sys.stderr)
        return INTERRUPTED
    return exit_code(found, arguments.fail_on)


def exit_code(found: Findings, fail_on: str) -> int:
    """What `--fail-on` makes of the findings."""
    named = list(FAIL_ON)[: list(FAIL_ON).index(fail_on) + 1]  # fault; fault and risk
    if fail_on == "never":
        return OK
    return FOUND if found.table["severity"].isin(named).any() else OK


def _read(arguments: argparse.Namespace) -> Log:
    log = read_log(
        arguments.logs, ours=arguments.ours, progress=True, workers=arguments.workers
    )
    if not len(log):
        raise ConfigError(_nothing_in(log))
    known = {*log.frame["sender"].cat.categories, *log.frame["target"].cat.categories}
    for comp_id in arguments.ours:
        if comp_id not in known:
            raise ConfigError(
                f"--ours: no message is from or to {comp_id!r}; "
                f"expected one of {sorted(filter(None, known))[:_NAMED_MAX]}"
            )
    return log


def _nothing_in(log: Log) -> str:
    """What was found where messages were expected."""
    files = log.files
    names = ", ".join(files["file"].head(_NAMED_MAX).astype("str"))
    more = f" and {len(files) - _NAMED_MAX:,} more" if len(files) > _NAMED_MAX else ""
    size, lines = int(files["bytes"].sum()), int(files["text_lines"].sum())
    found = (
        f"{size:,} bytes, {lines:,} of their lines other text" if size else "no bytes at all"
    )
    return (
        f"no FIX message in {names}{more}: found {found}, expected messages that begin as "
        "8=FIX.4.4|9=" + "".join(f"; {note}" for note in log.notes)
    )


def _check_page(path: Path) -> None:
    folder = path.parent
    if os.path.isdir(path):
        raise ConfigError(f"--report: expected a file to write, {str(path)!r} is a folder")
    if not os.path.isdir(folder):
        raise ConfigError(
            f"--report: there is no folder {str(folder)!r} to write {path.name!r} in"
        )
    if not os.access(path if os.path.exists(path) else folder, os.W_OK):
        raise ConfigError(f"--report: {str(path)!r} may not be written")


def _starts(arguments: argparse.Namespace) -> Mapping[str, int] | None:
    return dict(arguments.expect_start) or None


def _about(arguments: argparse.Namespace) -> Mapping[str, str]:
    made = times.format_utc(times.SystemClock().now(), 0).decode()
    return {
        "Made by": arguments.by or "",
        "Made": f"{made[:4]}-{made[4:6]}-{made[6:8]} {made[9:]} UTC",
    }
