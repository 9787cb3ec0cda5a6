"""`fixlab demo`: one session that is broken on purpose, told on the terminal and as a page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from textwrap import fill

import matplotlib
import pandas as pd
from matplotlib.axes import Axes

from fixlab import plots
from fixlab.analysis import flights, gaps
from fixlab.cli._folder import Fate, Folder, Placed
from fixlab.cli._report import Picture, Report, page
from fixlab.rules import RULES, Rule
from fixlab.sim.loopback import Loopback
from fixlab.wire.message import Message

_WIDTH = 88
_DOTS_PER_INCH = 110


@dataclass(frozen=True, slots=True)
class Chapter:
    """One part of the story: what happens, in plain words, and how it is made to happen."""

    title: str
    words: str
    act: Callable[[Loopback], None]


@dataclass(frozen=True, slots=True)
class Told:
    """A chapter after it happened, with the four numbers it left behind."""

    title: str
    words: str
    numbers: str


def run(out: Path, *, seed: int) -> int:
    """Run the story, print it, and write the page, pictures and frames to the folder `out`."""
    # Pictures go to files only: no display is needed, whatever MPLBACKEND says.
    matplotlib.use("agg")
    lab = Loopback(seed=seed)
    told = [_tell(chapter, lab) for chapter in CHAPTERS]
    transitions = lab.journal.to_frame()
    report = Report(
        seed=seed,
        intro=INTRO,
        chapters=[(part.title, part.words, part.numbers) for part in told],
        ladder_text=plots.ladder_text(transitions),
        pictures=_pictures(transitions, lab),
        gaps=gaps(transitions),
        transitions=transitions,
        rules=occurring_rules(transitions),
    )
    _print_story(report)
    placed = _write(out, report, flights(transitions))
    _print_files(out, placed)
    return 0


def occurring_rules(transitions: pd.DataFrame) -> list[Rule]:
    """The rules that the rows name, each once, in the order of their first row."""
    return [RULES[name] for name in transitions["rule"].unique() if name]


# The story -------------------------------------------------------------------------------

INTRO = (
    "FIX is how banks, brokers and exchanges send each other orders. The session layer below "
    "the orders has one job: every message arrives once, in order, whatever happens to the "
    "line. It does so with two counters at each end: the number it expects next (NextNumIn) "
    "and the number it sends next (NextNumOut). Here BUY, who connected (the initiator), and "
    "SELL, who was connected to (the acceptor), talk in one process, in virtual time."
)


def _order(n: int) -> Message:
    return Message("D", {11: f"ORD-{n}", 55: "ACME", 54: 1, 38: 100})


def _lose_two_orders(lab: Loopback) -> None:
    lab.drop(sender="initiator", msg_seq_nums=[4, 5])
    for n in range(1, 9):
        lab.initiator.send(_order(n))
        lab.run(seconds=1)


def _cut_in_silence(lab: Loopback) -> None:
    # SELL's Heartbeat comes in this time as well; BUY's own is the one that is lost.
    lab.initiator.lose_next(1)
    lab.run(seconds=30)
    lab.cut()


def _write_while_away(lab: Loopback) -> None:
    lab.initiator.send(_order(9))
    lab.acceptor.send(Message("8", {37: "EX-1", 11: "ORD-8", 55: "ACME", 39: 2}))
    lab.run(seconds=2)


def _reconnect(lab: Loopback) -> None:
    lab.logon()
    lab.run(seconds=1)


def _reset(lab: Loopback) -> None:
    lab.initiator.reset()
    lab.run(seconds=1)


CHAPTERS = (
    Chapter(
        "Logon",
        "BUY connects and sends Logon number 1; SELL answers with its own number 1. From now "
        "on each end counts what it sends and what it gets.",
        Loopback.logon,
    ),
    Chapter(
        "Two orders are lost",
        "BUY sends orders 1 to 8, one a second, and messages 4 and 5 never arrive. SELL gets "
        "number 6 while it expects 4: that is a gap. It holds number 6 back and sends a "
        "ResendRequest. BUY sends the missing orders again, marked as possible duplicates, "
        "and SELL goes on as if nothing had happened.",
        _lose_two_orders,
    ),
    Chapter(
        "Silence, and a cut line",
        "Nobody has anything to say, so each end sends a Heartbeat after 30 seconds. BUY's is "
        "lost, and then the connection is cut. The counters outlive it.",
        _cut_in_silence,
    ),
    Chapter(
        "Both ends write while they are apart",
        "BUY takes order 9 and SELL an execution report. Both get their numbers at once and "
        "are stored: a number that was given out is never used again.",
        _write_while_away,
    ),
    Chapter(
        "Back again, both behind",
        "BUY reconnects. Each Logon carries a number higher than the other end expects, so "
        "both ends find a gap and both ask. Orders and reports are sent again; Heartbeats and "
        "Logons would make no sense any more, so a gap fill says which numbers to skip.",
        _reconnect,
    ),
    Chapter(
        "A fresh start",
        "BUY asks to restart both numbers at 1. A TestRequest makes sure first that nothing "
        "is still on its way.",
        _reset,
    ),
    Chapter(
        "Logout",
        "BUY says Logout, SELL confirms, the connection is closed. Nothing was lost and "
        "nothing came twice.",
        Loopback.logout,
    ),
)


def _tell(chapter: Chapter, lab: Loopback) -> Told:
    chapter.act(lab)
    ends = (("BUY", lab.initiator.session), ("SELL", lab.acceptor.session))
    numbers = "; ".join(
        f"{name} expects {session.next_in} and sends {session.next_out} next"
        for name, session in ends
    )
    return Told(chapter.title, chapter.words, numbers)


# Terminal --------------------------------------------------------------------------------


def _print_story(report: Report) -> None:
    print(fill(report.intro, _WIDTH))
    for number, (title, words, numbers) in enumerate(report.chapters, 1):
        print(f"\n{number}. {title}")
        print(_indented(words))
        print(f"   Now {numbers}.")
    print("\nThe messages, one a line\n")
    print(report.ladder_text)
    print("\nThe gaps\n")
    print(_gaps_text(report.gaps))
    print("\nThe rules behind it, in order of appearance\n")
    for rule in report.rules:
        print(f"{rule.id} {rule.title}")
        print(_indented(rule.expected))


def _indented(text: str) -> str:
    return fill(text, _WIDTH, initial_indent="   ", subsequent_indent="   ")


def _gaps_text(frame: pd.DataFrame) -> str:
    shown = frame[
        [
            "session",
            "begin_seq_no",
            "end_seq_no",
            "noticed_by",
            "requests",
            "how",
            "duration_ms",
        ]
    ]
    return shown.to_string(index=False)


def _print_files(out: Path, placed: list[Placed]) -> None:
    print(f"\nIn {out} you find")
    about = {
        "index.html": "all of this on one page: open it in a browser",
        ".png": "a picture of the page",
        ".csv": "a frame, as a table for any program",
    }
    for item in placed:
        what = about.get(item.name) or about[Path(item.name).suffix]
        print(f"  {item.path:<26}{what}")
    for item in placed:
        if item.fate in (Fate.BESIDE, Fate.KEPT):
            print(f"{item.name} was not written by fixlab, or you changed it: it was kept.")
    print("\nNext: `fixlab lab` opens the notebooks, where you break sessions yourself.")


# Files -----------------------------------------------------------------------------------


def _pictures(transitions: pd.DataFrame, lab: Loopback) -> list[Picture]:
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a matplotlibrc of the user's changes nothing here
        return [
            Picture(
                "sequence-sell.png",
                "The numbers as SELL sees them",
                _png(plots.sequence(transitions, session=lab.acceptor.id)),
            ),
            Picture(
                "sequence-buy.png",
                "The numbers as BUY sees them",
                _png(plots.sequence(transitions, session=lab.initiator.id)),
            ),
            Picture("ladder.png", "The messages between them", _png(plots.ladder(transitions))),
        ]


def _png(axes: Axes) -> bytes:
    figure = axes.get_figure(root=True)
    assert figure is not None, "a plot has a figure"
    buffer = BytesIO()
    # Without the name and version of what drew it, the same picture is the same bytes.
    figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


def _write(out: Path, report: Report, flown: pd.DataFrame) -> list[Placed]:
    files = {"index.html": page(report).encode()}
    files |= {picture.name: picture.png for picture in report.pictures}
    files |= {
        f"{name}.csv": frame.to_csv(index=False, lineterminator="\n").encode()
        for name, frame in (
            ("transitions", report.transitions),
            ("gaps", report.gaps),
            ("flights", flown),
        )
    }
    folder = Folder(out)
    return [folder.put(name, content) for name, content in files.items()]
