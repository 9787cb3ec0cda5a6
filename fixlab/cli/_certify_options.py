"""The options of `fixlab certify`; apart from it, so that `--help` comes at once."""

from __future__ import annotations

import argparse
from pathlib import Path

ABOUT = """\
Plays the FIX session test cases against a counterparty and says what it did, one line a case.

  fixlab certify venue.example:9880 --sender ME --target VENUE
  fixlab certify --listen 9880 --sender VENUE --target ME      (it is the initiator)

See first with --dry-run what would be sent. Agree with the counterparty: some cases send broken
bytes, wrong numbers and wrong names on purpose, and each ends the session. Forbid what it does
not want with --profile. Cases that need an operator on its side are left out.

Exit code: 0 when all is well, 1 when cases failed (see --fail-on), 2 when nothing could be
played: a wrong option, nobody there, a Logon that is never answered."""
FAIL_ON = {
    "mandatory": "a mandatory case failed or could not be played (default)",
    "any": "any case did",
    "lenient": "any case did, or differed in what is tolerated",
}
RESETS = ("logon", "continue", "fresh")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `fixlab certify`."""
    add = parser.add_argument
    add("address", nargs="?", metavar="HOST:PORT", help="where the acceptor under test listens")
    add(
        "--listen",
        metavar="[HOST:]PORT",
        help="wait there for the initiator under test instead",
    )
    add("--sender", metavar="ID", required=True, help="own CompID")
    add("--target", metavar="ID", required=True, help="CompID of the counterparty")
    add("--version", default="FIX.4.4", metavar="V", help="FIX.4.4 (default), FIX.5.0SP2, ...")
    add(
        "--cases",
        type=_refs,
        metavar="REF,...",
        help="only these, such as 2b,10a,X-06 (default: all for its role and version)",
    )
    add(
        "--profile",
        type=Path,
        metavar="TOML",
        help="what was agreed, the fields of conformance.Profile: app_types, forbidden, ...",
    )
    add(
        "--dictionary",
        choices=("yes", "no"),
        help="whether it checks messages against a dictionary (default: yes)",
    )
    add(
        "--reset",
        choices=RESETS,
        default="logon",
        help="how numbers start over before a case: by a Logon with 141=Y (default), never, or "
        "by the counterparty itself",
    )
    add(
        "--pause",
        type=_seconds,
        default=1.0,
        metavar="S",
        help="least seconds between two connections (default: 1)",
    )
    add(
        "--resume",
        type=Path,
        metavar="FILE",
        help="keep results there, and go on where it ends",
    )
    add("--dry-run", action="store_true", help="only say what would be sent")
    add(
        "--username",
        metavar="NAME",
        help="Username(553) of the Logon; Password(554) is in the environment variable "
        "FIXLAB_PASSWORD, or asked for",
    )
    add("--tls", action="store_true", help="speak TLS; the other --tls options imply it")
    add("--tls-ca", type=Path, metavar="PEM", help="whom to trust (default: the system's CAs)")
    add("--tls-cert", type=Path, metavar="PEM", help="own certificate; needed with --listen")
    add("--tls-key", type=Path, metavar="PEM", help="its key, when that is another file")
    add("--tls-name", metavar="NAME", help="whose certificate it is (default: HOST)")
    add("--report", type=Path, metavar="HTML", help="write a page for the ticket")
    add("--by", metavar="WHO", help="who tests, for the page")
    add(
        "--fail-on",
        choices=tuple(FAIL_ON),
        default="mandatory",
        help="exit code 1 when "
        + "; ".join(f"{name}: {what}" for name, what in FAIL_ON.items()),
    )


def _refs(text: str) -> list[str]:
    return [ref.strip() for ref in text.split(",") if ref.strip()]


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"seconds are 0 to 3600, found {text!r}")
    return seconds
