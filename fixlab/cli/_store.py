"""`fixlab store`: what is in a store, and what a change of its numbers would cause."""

from __future__ import annotations

import argparse
from pathlib import Path

from fixlab.redact import printable

ABOUT = """\
Shows what is in a message store: the numbers, the messages kept for a resend, and whatever
does not fit. PATH is a folder of QuickFIX (C++, Java, .NET or Go), one of its files, or an
SQLite file of fixlab or with QuickFIX's tables; databases on a server are not looked into.
Nothing is changed, except with --apply.

With --next-out or --next-in it says what setting these numbers would cause. With --apply as
well it then sets them, and keeps a copy of the store as it was. Stop the engine first.

Exit code: 0 all is well, 1 the store contradicts itself or cannot be read, 2 bad usage."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("path", type=Path, metavar="PATH", help="folder or file of the store")
    parser.add_argument(
        "--session", metavar="ID", help="one session of several, such as FIX.4.4:BUY->SELL"
    )
    parser.add_argument(
        "--next-out", type=_number, metavar="N", help="number of our next message"
    )
    parser.add_argument(
        "--next-in", type=_number, metavar="N", help="number we expect from the peer"
    )
    parser.add_argument(
        "--apply", action="store_true", help="set the numbers, after a copy was made"
    )


def run(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    """Show the store or the plan, and make the change when asked to."""
    if arguments.next_out is None and arguments.next_in is None:
        if arguments.apply:
            parser.error("store: --apply needs --next-out or --next-in")
        return _show(arguments.path, arguments.session)
    return _plan(arguments)


def _show(path: Path, session: str | None) -> int:
    # Frames take a moment to load, and `fixlab --help` needs none.
    from fixlab.surgeon import inspect

    inspection = inspect(path, session=session)
    print(inspection)
    return 0 if inspection.ok else 1


def _plan(arguments: argparse.Namespace) -> int:
    from fixlab.surgeon import plan_edit

    plan = plan_edit(
        arguments.path,
        next_out=arguments.next_out,
        next_in=arguments.next_in,
        session=arguments.session,
    )
    print(plan)
    if not arguments.apply:
        print("\nNothing was changed; add --apply to do it.")
        return 0
    backup = plan.apply()
    print(f"\nDone. The store as it was is in {printable(str(backup))}")
    return 0


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) < 2**63):
        raise argparse.ArgumentTypeError(f"a number is a whole one from 1, found {text!r}")
    return int(text)
