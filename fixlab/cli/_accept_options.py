"""The options of `fixlab accept`; apart from it, so that `--help` comes at once."""

from __future__ import annotations

import argparse
from pathlib import Path

PORT = 9880  # without --port, and without a cfg that names one
ABOUT = """\
A practice counterparty: listens for FIX sessions and says what happens, one line an event.

`fixlab accept --echo` takes anyone who logs on, in any version, and sends each application
message back. SIGTERM or Ctrl-C logs everybody out and ends it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `fixlab accept`."""
    add = parser.add_argument
    add("--host", help="address to listen on (default: 127.0.0.1, this machine only)")
    add("--port", type=_port, metavar="N", help=f"0 takes a free one (default: {PORT})")
    add("--sender", metavar="ID", help="own CompID; * answers to any (default: *)")
    add("--target", metavar="ID", help="who may log on; * for anyone (default: *)")
    add("--version", metavar="V", help="FIX.4.4, FIX.5.0SP2, ...; * for any (default: *)")
    add(
        "--profile",
        metavar="NAME",
        help="behave as spec, quickfix, quickfixj, quickfixn, artio",
    )
    add("--cfg", type=Path, metavar="FILE", help="acceptor sessions of a QuickFIX .cfg file")
    add(
        "--dictionary",
        type=Path,
        nargs="+",
        metavar="XML",
        help="check messages against this QuickFIX dictionary (FIXT: transport, application)",
    )
    add(
        "--store",
        metavar="WHERE",
        help=(
            "memory (default), FILE.sqlite for one session, a FOLDER for one file a session, "
            "files:FOLDER for QuickFIX's files, or the URL of an SQL database"
        ),
    )
    add(
        "--log",
        type=Path,
        metavar="FOLDER",
        help="keep all messages and events there, in log files as QuickFIX names them",
    )
    add("--echo", action="store_true", help="send each application message back")
    add(
        "--misbehave",
        metavar="FAULTS",
        help=(
            "break the rules on purpose, to see what the other side makes of it, such as "
            "drop=0.05,no-orig-sending-time; `--misbehave help` lists all faults"
        ),
    )
    add(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="decides on the chances of --misbehave (default: 0)",
    )
    add("--tls-cert", type=Path, metavar="PEM", help="listen inside TLS, with this certificate")
    add("--tls-key", type=Path, metavar="PEM", help="its key, when that is another file")
    add("--tls-client-ca", type=Path, metavar="PEM", help="demand a certificate that it signed")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65_535):
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, found {text!r}")
    return int(text)
