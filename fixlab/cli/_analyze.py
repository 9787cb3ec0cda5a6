"""`fixlab analyze`: what went wrong in a log, on the terminal and as a page."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping

from fixlab import redact, times
from fixlab.analysis import Findings, analyze
from fixlab.cli._analyze_options import FAIL_ON
from fixlab.errors import ConfigError, FixLabError
from fixlab.logs.read import Log, read_log

OK, FOUND, NOTHING, INTERRUPTED = 0, 1, 2, 130


def run(arguments: argparse.Namespace) -> int:
    """Read, analyse, report; 0, 1 or 2 as `fixlab analyze --help` says, 130 after Ctrl-C."""
    try:
        log = _read(arguments)
        found = analyze(log, expected_start=_starts(arguments))
        if arguments.session is not None:
            found = found.only(arguments.session)
        for line in found.summary().split("\n"):
            print(redact.printable(redact.mask(line)))
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
        raise ConfigError(f"no FIX message in {', '.join(arguments.logs)}")
    return log


def _starts(arguments: argparse.Namespace) -> Mapping[str, int] | None:
    return dict(arguments.expect_start) or None


def _about(arguments: argparse.Namespace) -> Mapping[str, str]:
    made = times.format_utc(times.SystemClock().now(), 0).decode()
    return {
        "Made by": arguments.by or "",
        "Made": f"{made[:4]}-{made[4:6]}-{made[6:8]} {made[9:]} UTC",
    }
