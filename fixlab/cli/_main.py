"""`fixlab demo`, `lab`, `analyze`, `accept`, ...: arguments in, exit code out."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from fixlab import __version__
from fixlab.cli import _accept_options, _analyze_options, _certify_options, _store, _sweep
from fixlab.errors import FixLabError
from fixlab.redact import printable

_ABOUT = """\
fixlab explores the FIX session layer: sequence numbers, gaps, resends, resets, heartbeats.

New here? Run `fixlab demo`, read what it prints, open the page that it writes, and then
`fixlab lab` for the notebooks."""
_DEMO = """\
Two ends of a FIX session talk in this process, in virtual time: no network, no set-up.
Messages are lost, the line is cut, and you see how both ends recover.

Prints the story, the messages, the gaps and the rules behind them, and writes a web page,
pictures and CSV files. The same seed always gives the same files."""
_LAB = """\
Copies the notebooks to a folder of yours and opens JupyterLab on it, on this machine only.

Run it again at any time: what you changed is kept, and a newer version of a notebook that you
changed is put beside it as NAME.new.ipynb. Ctrl-C ends it."""


OUTPUT_GONE = 141  # as a shell says of what ended by SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`, by default the process's own; returns the exit code.

    0 when all went well, 1 for an error, said in one line on stderr, 2 for a command line that
    makes no sense (as `SystemExit`, where argparse finds it), and 141 when nobody reads the
    output any more.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that cannot show a sign gets a "?" for it, not a traceback.
        sys.stdout.reconfigure(errors="replace")
    try:
        return _told(argv)
    except BrokenPipeError:
        # The reader has seen enough, as in `fixlab demo | head`.
        _silence()
        return OUTPUT_GONE


def _told(argv: Sequence[str] | None) -> int:
    parser = _parser()
    try:
        try:
            return _run(parser, parser.parse_args(argv))
        finally:
            # What is still to be written fails here, where it can be told, not at the exit.
            if sys.stdout is not None:  # as it is where its descriptor is closed
                sys.stdout.flush()
    except BrokenPipeError:
        raise
    except (FixLabError, OSError) as error:
        _silence()
        print(f"fixlab: {printable(str(error))}", file=sys.stderr)
        return 1


def _silence() -> None:
    """What a stream still holds and cannot get rid of goes nowhere."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def _run(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    # Each command is imported when it is asked for, so that --help comes at once.
    if arguments.command == "demo":
        from fixlab.cli import _demo

        return _demo.run(arguments.out, seed=arguments.seed)
    if arguments.command == "lab":
        from fixlab.cli import _lab

        return _lab.run(arguments.folder, browser=arguments.browser, port=arguments.port)
    if arguments.command == "analyze":
        from fixlab.cli import _analyze

        return _analyze.run(arguments)
    if arguments.command == "accept":
        from fixlab.cli import _accept

        return _accept.run(arguments)
    if arguments.command == "certify":
        from fixlab.cli import _certify

        return _certify.run(arguments)
    if arguments.command == "store":
        return _store.run(parser, arguments)
    if arguments.command == "sweep":
        return _sweep.run(arguments)
    parser.print_help()
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fixlab",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"fixlab {__version__}")
    commands = parser.add_subparsers(dest="command", title="commands", metavar="COMMAND")

    demo = commands.add_parser(
        "demo",
        help="break a session on purpose and see how it heals; writes a page to look at",
        description=_DEMO,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    demo.add_argument(
        "--out",
        type=Path,
        default=Path("fixlab-demo"),
        metavar="DIR",
        help="folder to write to (default: fixlab-demo)",
    )
    demo.add_argument(
        "--seed",
        type=int,
        default=7,
        metavar="N",
        help="decides how long each message travels (default: 7)",
    )

    lab = commands.add_parser(
        "lab",
        help="copy the notebooks to a folder of yours and open JupyterLab on it",
        description=_LAB,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    lab.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path("fixlab-lab"),
        metavar="DIR",
        help="folder for the notebooks (default: fixlab-lab)",
    )
    lab.add_argument(
        "--no-browser",
        dest="browser",
        action="store_false",
        help="only print the address to open",
    )
    lab.add_argument(
        "--port",
        type=_port,
        default=None,
        metavar="N",
        help="TCP port to listen on (default: 8888, or the next that is free)",
    )

    analyze = commands.add_parser(
        "analyze",
        help="read FIX logs: what went wrong, who did it, which messages show it",
        description=_analyze_options.ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _analyze_options.add_arguments(analyze)

    accept = commands.add_parser(
        "accept",
        help="listen for FIX sessions: a counterparty to practise with",
        description=_accept_options.ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _accept_options.add_arguments(accept)

    certify = commands.add_parser(
        "certify",
        help="play the FIX session test cases against a counterparty",
        description=_certify_options.ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _certify_options.add_arguments(certify)

    store = commands.add_parser(
        "store",
        help="look into a message store, and change its numbers knowing what follows",
        description=_store.ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _store.add_arguments(store)

    sweep = commands.add_parser(
        "sweep",
        help="simulate thousands of sessions, break them, and check what must hold",
        description=_sweep.ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _sweep.add_arguments(sweep)
    return parser


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, found {text!r}")
    return int(text)
