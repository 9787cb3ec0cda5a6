"""A trouble for each finding, made by simulation or script; and logs without any.

Each plant names the codes that must be found, the side at fault, and what else may be told
because it is a trouble of its own in the same run. A control may raise nothing but infos.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fixlab.faults import Faults, LinkFaults, PeerFaults
from fixlab.session.config import SessionConfig
from fixlab.session.schedule import Schedule
from fixlab.session.transitions import SessionState
from fixlab.sim import Loopback
from fixlab.stores import MemoryStore
from fixlab.wire.message import Message
from tests.analysis.logged import STYLES, Line, Logs, Recorder, script

BOTH = ("BUY", "SELL")


@dataclass(frozen=True, kw_only=True)
class Plant:
    """One trouble. `side` is at fault; "" is nobody, or unknown."""

    code: str
    side: str
    make: Callable[[], Logs]
    name: str = ""
    keepers: tuple[str, ...] = BOTH
    styles: tuple[str, ...] = STYLES
    also: tuple[str, ...] = ()  # troubles of their own that come with it
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.code}{'/' if self.name else ''}{self.name}"


# Simulations -------------------------------------------------------------------------------


def lab(
    buy: PeerFaults | None = None, sell: PeerFaults | None = None, **options: Any
) -> tuple[Loopback, Recorder]:
    """Two ends, BUY and SELL, and what records them."""
    link = options.pop("link", LinkFaults())
    made = Loopback(
        seed=7,
        initiator_faults=Faults(peer=buy or PeerFaults(), link=link),
        acceptor_faults=Faults(peer=sell or PeerFaults()),
        **options,
    )
    return made, Recorder(made)


def trade(made: Loopback, count: int, *, sell: int = 0, seconds: float = 1.0) -> None:
    """Orders from BUY, and some from SELL."""
    for number in range(max(count, sell)):
        if number < count:
            made.initiator.send(Message("D", {11: f"B-{number}", 55: "ACME", 38: 100}))
        if number < sell:
            made.acceptor.send(Message("8", {37: f"S-{number}", 55: "ACME", 38: 100}))
        made.run(seconds=seconds)


def played(
    buy: PeerFaults | None = None,
    sell: PeerFaults | None = None,
    *,
    drop: tuple[int, ...] = (),
    orders: int = 8,
    sell_orders: int = 2,
    after: float = 40.0,
    logout: bool = True,
    probe: bool = False,
    refused: bool = False,
    next_expected: bool = False,
    **options: Any,
) -> Callable[[], Logs]:
    """Log on, trade with some of BUY's messages lost, wait, log out."""
    if next_expected:
        config = SessionConfig(sender_comp_id="BUY", target_comp_id="SELL", next_expected=True)
        options["config"] = config

    def make() -> Logs:
        made, recorder = lab(buy, sell, **options)
        made._connect()
        made.run(seconds=1)
        if refused:
            return recorder.finish()
        if drop:
            made.drop(sender="initiator", msg_seq_nums=drop)
        trade(made, orders, sell=sell_orders)
        if probe:
            made.initiator.test_request()
        made.run(seconds=after)
        if logout and made.initiator.session.state is SessionState.ACTIVE:
            made.logout()
        return recorder.finish()

    return make


def peer(**faults: Any) -> PeerFaults:
    return PeerFaults(**faults)


def cut_and_back(made: Loopback) -> None:
    """Two orders leave and never arrive; the connection comes back."""
    for number in (1, 2):
        made.initiator.send(Message("D", {11: f"CUT-{number}", 55: "ACME", 38: 100}))
    made.cut()
    made.run(seconds=2)
    made.logon()


def after_cut(buy: PeerFaults | None = None, **options: Any) -> Callable[[], Logs]:
    def make() -> Logs:
        made, recorder = lab(buy, **options)
        made.logon()
        trade(made, 3, sell=1)
        cut_and_back(made)
        trade(made, 3, sell=1)
        made.run(seconds=40)
        made.logout()
        return recorder.finish()

    return make


def huge() -> Logs:
    made, recorder = lab()
    made.logon()
    made.initiator.lose_next(6_000)
    for number in range(6_001):
        made.initiator.send(Message("D", {11: f"B-{number}", 55: "ACME", 38: 1}))
    made.run(seconds=40)
    made.logout()
    return recorder.finish()


def stale_store() -> Logs:
    """BUY comes back with numbers of long ago, and is sent away."""
    made, recorder = lab(
        initiator_store=MemoryStore(next_out=5, next_in=9),
        acceptor_store=MemoryStore(next_out=9, next_in=12),
    )
    made._connect()
    made.run(seconds=5)
    return recorder.finish()


def double_gap() -> Logs:
    made, recorder = lab()
    made.logon()
    trade(made, 2, sell=2)
    for end in (made.initiator, made.acceptor):
        end.lose_next(2)
    trade(made, 4, sell=4, seconds=0)
    made.run(seconds=40)
    made.logout()
    return recorder.finish()


def half_open() -> Logs:
    made, recorder = lab()
    made.logon()
    trade(made, 2, sell=2)
    made.half_open()
    made.run(seconds=100)
    return recorder.finish()


def reset_in_session(sell: PeerFaults | None = None) -> Callable[[], Logs]:
    def make() -> Logs:
        made, recorder = lab(sell=sell)
        made.logon()
        trade(made, 3, sell=3)
        made.initiator.reset()
        made.run(seconds=2)
        trade(made, 3, sell=3)
        made.run(seconds=5)
        return recorder.finish()

    return make


def reset_on_logon() -> Logs:
    config = SessionConfig(sender_comp_id="BUY", target_comp_id="SELL", reset_on_logon=True)
    made, recorder = lab(config=config)
    for _ in range(2):
        made.logon()
        trade(made, 3, sell=3)
        made.logout()
        made.run(seconds=60)
    return recorder.finish()


def next_expected(buy: PeerFaults | None = None) -> Callable[[], Logs]:
    config = SessionConfig(sender_comp_id="BUY", target_comp_id="SELL", next_expected=True)
    return after_cut(buy, config=config)


def chunked() -> Logs:
    config = SessionConfig(sender_comp_id="BUY", target_comp_id="SELL", resend_chunk_max=3)
    made, recorder = lab(config=config)
    made.logon()
    made.drop(sender="initiator", msg_seq_nums=range(3, 13))
    trade(made, 14, sell=2)
    made.run(seconds=40)
    made.logout()
    return recorder.finish()


def masked() -> Logs:
    """A password that the logger has masked: the sum is wrong, and nobody misses the Logon."""
    logs = script(LOGON_LOGOUT.replace("> A 1", "> A 1 553=me 554=secret"))
    return {
        who: [line._replace(data=line.data.replace(b"secret", b"***")) for line in lines]
        for who, lines in logs.items()
    }


def no_heartbeats() -> Logs:
    """A logger that leaves Heartbeats out: holes wherever one was due."""
    logs = played(orders=4, sell_orders=4, after=400)()
    return {
        who: [line for line in lines if b"\x0135=0\x01" not in line.data]
        for who, lines in logs.items()
    }


def local_time() -> Logs:
    """Who kept the log lives five hours west, and its log says so by its times only."""
    logs = played()()
    hours = 5 * 3600 * 1_000_000_000
    return {
        who: [Line(line.time - hours, line.out, line.data) for line in lines]
        for who, lines in logs.items()
    }


# Scripts -----------------------------------------------------------------------------------

LOGON = """
0.0 > A 1
0.1 < A 1
"""
LOGON_LOGOUT = """
0.0 > A 1
0.1 < A 1
1.0 > D 2
2.0 < 8 2
3.0 > 5 3
3.1 < 5 3
"""


def told(text: str, *, logon: bool = True, **options: Any) -> Callable[[], Logs]:
    return lambda: script((LOGON if logon else "") + text, **options)


def simulated(
    code: str,
    side: str,
    *,
    keepers: tuple[str, ...] = BOTH,
    styles: tuple[str, ...] = STYLES,
    name: str = "",
    also: tuple[str, ...] = (),
    **options: Any,
) -> Plant:
    """A plant that a simulated session has."""
    return Plant(
        code=code, side=side, make=played(**options), keepers=keepers, styles=styles,
        # In its sender's own log what was dropped never left, which is a trouble of its own.
        name=f"simulated {name}".strip(),
        also=(*also, "SEQ_SKIPPED") if "drop" in options else also,
    )  # fmt: skip


def replying(code: str, buy: PeerFaults, *, name: str = "") -> Plant:
    """A plant in how BUY answers after a lost connection: its last words are a gap fill."""
    return Plant(code=code, side="BUY", make=after_cut(buy), name=f"after a cut {name}".strip())


P = Plant
PLANTS: tuple[Plant, ...] = (
    # Gaps and their recovery ---------------------------------------------------------------
    P(code="SEQ_GAP", side="", make=played(drop=(4, 5)), keepers=("SELL",)),
    P(code="SEQ_GAP", name="logon", side="", make=after_cut()),
    P(
        code="GAP_NOT_REQUESTED",
        side="SELL",
        keepers=("SELL",),
        make=told("1 > D 2\n2 > D 3 lost\n3 > D 4\n4 > D 5\n9 < 0 2\n20 > D 6\n29 > 0 7"),
    ),
    P(
        code="RESEND_UNANSWERED",
        side="BUY",
        make=told(
            "1 > D 2\n2 > D 3 lost\n3 > D 4\n3.1 < 2 2 7=3 16=0\n5 > D 5\n20 > D 6\n"
            "29 < 0 3\n40 > D 7\n58 < 0 4\n65 > D 8"
        ),
    ),
    P(
        code="RESEND_INCOMPLETE",
        side="BUY",
        make=told(
            "1 > D 2 lost\n1 > D 3 lost\n1 > D 4 lost\n3 > D 5\n3.1 < 2 2 7=2 16=0\n"
            "3.2 > D 2 dup\n3.3 > D 3 dup\n20 > D 6\n29 < 0 3\n40 > D 7\n58 < 0 4\n65 > D 8"
        ),
    ),
    P(
        code="GAP_NEVER_CLOSED",
        side="",
        make=told(
            "1 > D 2 lost\n1 > D 3 lost\n3 > D 4\n3.1 < 2 2 7=2 16=0\n3.2 > D 2 dup\n"
            "3.3 > 4 3 dup 123=Y 36=4\n9 > D 5 lost\n10 > D 6\n10.1 < 2 3 7=5 16=5\n"
            "10.2 > 4 6 dup 123=Y 36=7\n20 > D 7\n29 < 0 4\n40 > D 8\n58 < 0 5\n65 > D 9"
        ),
        also=("RESEND_UNANSWERED", "GAPFILL_BAD_SEQ", "APP_MSG_FILLED_OVER"),
    ),
    P(
        code="RESEND_LOOP",
        side="SELL",
        make=played(sell=peer(resend_loop=1.0), drop=(4,)),
        keepers=("SELL", "BUY"),
    ),
    P(code="RESEND_STORM", side="SELL", make=played(sell=peer(request_storm=1.0), drop=(4,))),
    P(
        code="RESEND_OVERLAP",
        side="SELL",
        make=played(sell=peer(request_overlap=1.0), drop=(4, 5, 6)),
    ),
    P(
        code="RESEND_BAD_BEGIN",
        side="SELL",
        keepers=("SELL",),
        make=told(
            "1 > D 2\n2 > D 3 lost\n2 > D 4 lost\n3 > D 5\n3.1 < 2 2 7=4 16=0\n"
            "3.2 > D 4 dup\n3.3 > D 5 dup\n9 > D 6\n29 < 0 3\n30 > D 7"
        ),
    ),
    P(
        code="RESEND_UNJUSTIFIED",
        side="SELL",
        make=told("1 > D 2\n2 > D 3\n3 < 2 2 7=2 16=0\n3.1 > D 2 dup\n3.2 > D 3 dup\n4 > D 4"),
        keepers=("SELL",),
        styles=("quickfix", "prefixed"),
    ),
    P(
        code="RESEND_INVALID",
        side="SELL",
        make=told(
            "1 > D 2\n2 > D 3 lost\n3 > D 4\n3.1 < 2 2 7=0 16=0\n4 < 2 3 7=3 16=0\n"
            "4.1 > D 3 dup\n4.2 > D 4 dup\n5 > D 5"
        ),
    ),
    P(
        code="RESEND_HUGE",
        side="",
        make=huge,
        keepers=("SELL",),
    ),
    P(code="MUTUAL_GAP", side="", make=double_gap, styles=("quickfix", "prefixed")),
    P(
        code="REPLAY_INTERLEAVED",
        side="BUY",
        make=told(
            "1 > D 2 lost\n1 > D 3 lost\n3 > D 4\n3.1 < 2 2 7=2 16=0\n3.2 > D 2 dup\n"
            "3.3 > D 5\n3.4 > D 3 dup\n3.5 > D 4 dup\n9 > D 6"
        ),
    ),
    P(
        code="APP_MSG_FILLED_OVER",
        side="BUY",
        make=told(
            "1 > D 2\n2 > D 3 lost\n3 > D 4\n3.1 < 2 2 7=3 16=3\n3.2 > 4 3 dup 123=Y 36=4\n"
            "9 > D 5\n10 > D 6"
        ),
        keepers=("BUY",),
    ),
    P(
        code="APP_MSG_FILLED_OVER",
        name="simulated",
        side="BUY",
        make=after_cut(peer(gap_fill_orders=1.0)),
        keepers=("BUY",),
    ),
    # Gap fills and resets ------------------------------------------------------------------
    P(
        code="GAPFILL_BAD_SEQ",
        side="BUY",
        make=told(
            "1 > D 2\n2 > 0 3 lost\n3 > D 4\n3.1 < 2 2 7=3 16=3\n3.2 > 4 5 123=Y 36=6\n9 > D 6"
        ),
    ),
    P(
        code="GAPFILL_BAD_NEWSEQ",
        side="BUY",
        make=told(
            "1 > D 2\n2 > 0 3 lost\n3 > D 4\n3.1 < 2 2 7=3 16=3\n3.2 > 4 3 dup 123=Y 36=3\n"
            "3.3 > 4 3 dup 123=Y 36=4\n9 > D 5"
        ),
        name="moves nothing",
    ),
    P(
        code="GAPFILL_BAD_NEWSEQ",
        name="past what was asked",
        side="BUY",
        make=told(
            "1 > D 2\n2 > 0 3 lost\n3 > D 4\n3.1 < 2 2 7=3 16=3\n3.2 > 4 3 dup 123=Y 36=6\n"
            "9 > D 5\n10 > D 6"
        ),
    ),
    P(
        code="GAPFILL_SKIPS_UNSEEN",
        side="SELL",
        keepers=("SELL",),
        make=told(
            "1 > D 2\n2 > D 3 lost\n3 > D 4\n3.1 < 2 2 7=3 16=0\n3.2 > 4 4 dup 123=Y 36=5\n"
            "9 > D 5 lost\n10 > D 6\n10.1 < 2 3 7=5 16=0\n10.2 > D 5 dup\n10.3 > D 6 dup"
        ),
        also=(
            "RESEND_UNANSWERED",
            "RESEND_INCOMPLETE",
            "GAPFILL_BAD_SEQ",
            "APP_MSG_FILLED_OVER",
        ),
    ),
    P(
        code="GAPFILL_IGNORED",
        side="SELL",
        make=told(
            "1 > D 2\n2 > 0 3 lost\n3 > D 4\n3.1 < 2 2 7=3 16=3\n3.2 > 4 3 dup 123=Y 36=4\n"
            "5 < 2 3 7=3 16=3\n5.1 > 4 3 dup 123=Y 36=4\n9 > D 5"
        ),
        keepers=("SELL",),
        styles=("quickfix", "prefixed"),
    ),
    P(
        code="GAPFILL_IGNORED",
        name="shown to have come",
        side="SELL",
        make=told(
            "1 > D 2\n2 > 0 3 lost\n3 > D 4\n3.1 < 2 2 7=3 16=3\n3.2 > 4 3 dup 123=Y 36=4\n"
            "4 > 1 5 112=PING\n4.1 < 0 3 112=PING\n5 < 2 4 7=3 16=3\n"
            "5.1 > 4 3 dup 123=Y 36=4\n9 > D 6"
        ),
    ),
    P(
        code="GAPFILL_UNASKED",
        side="BUY",
        make=played(buy=peer(gap_fill_unasked=[11]), after=60),
    ),
    P(
        code="NEWSEQ_ABSURD",
        side="BUY",
        make=told("1 > D 2\n2 > D 3\n3 > 4 4 36=2000004\n9 > D 2000004\n10 < 0 2"),
    ),
    P(
        code="RESET_BACKWARDS",
        side="BUY",
        make=told(
            "1 > D 2\n2 > D 3\n3 > 4 4 36=2\n4 > D 2 11=X\n"
            "4.1 < 5 2 58=MsgSeqNum_too_low,_expecting_4_but_received_2"
        ),
    ),
    # Resets of both numbers ----------------------------------------------------------------
    P(
        code="RESET_NOT_HONOURED",
        side="SELL",
        make=told(
            "1 > D 2\n2 < 8 2\n3 > 5 3\n3.1 < 5 3\n60 > A 1 141=Y\n60.1 < A 4\n61 > D 2\n"
            "62 < 8 5"
        ),
    ),
    P(
        code="RESET_NOT_HONOURED",
        name="not echoed",
        side="SELL",
        make=told(
            "1 > D 2\n2 < 8 2\n3 > 5 3\n3.1 < 5 3\n60 > A 1 141=Y\n60.1 < A 1\n61 > D 2\n"
            "62 < 8 2"
        ),
    ),
    P(
        code="RESET_TWICE",
        side="BUY",
        make=told(
            "1 > D 2\n2 < 8 2\n3 > 5 3\n3.1 < 5 3\n60 > A 1 141=Y\n60.1 < A 1 141=Y\n"
            "60.2 > A 1 141=Y\n60.3 < A 1 141=Y\n61 > D 2\n62 < 8 2"
        ),
    ),
    P(
        code="RESET_UNASKED",
        side="SELL",
        make=told(
            "1 > D 2\n2 < 8 2\n3 > 5 3\n3.1 < 5 3\n60 > A 4\n60.1 < A 1 141=Y\n61 > D 2\n"
            "62 < 8 2"
        ),
    ),
    P(
        code="RESET_BAD_SEQ",
        side="BUY",
        make=told(
            "1 > D 2\n2 < 8 2\n3 > 5 3\n3.1 < 5 3\n60 > A 4 141=Y\n60.1 < A 1 141=Y\n61 > D 5\n"
            "62 < 8 2"
        ),
    ),
    # Numbers -------------------------------------------------------------------------------
    P(code="SEQ_TOO_LOW", name="text only", side="BUY", make=stale_store),
    P(
        code="SEQ_TOO_LOW",
        side="BUY",
        make=told(
            "1 > D 2\n2 > D 3\n3 > D 4\n4 > 5 5\n4.1 < 5 2\n60 > A 3\n"
            "60.1 < 5 3 58=MsgSeqNum_too_low,_expecting_6_but_received_3"
        ),
    ),
    P(
        code="STORE_REWOUND",
        side="BUY",
        make=told(
            "1 > D 2\n2 > D 3\n3 > D 4\n4 > 5 5\n4.1 < 5 2\n60 > A 3\n60.1 < A 3\n61 > D 4\n"
            "62 > D 5\n63 < 8 4"
        ),
    ),
    P(
        code="DUPLICATE_NOT_FLAGGED",
        side="BUY",
        make=told("1 > D 2\n2 > D 3\n3 > D 3 11=OTHER\n4 > D 4\n5 < 8 2"),
    ),
    P(
        code="SEQ_SKIPPED",
        side="BUY",
        make=played(buy=peer(skip=[5])),
        keepers=("BUY",),
        styles=("quickfix", "prefixed"),
    ),
    P(
        code="MANUAL_SEQ_EDIT",
        side="BUY",
        make=told(
            "1 > D 2\n2 < 8 2\n3 > 5 3\n3.1 < 5 3\n60 > A 104\n60.1 < A 4\n"
            "60.2 < 2 5 7=4 16=0\n"
            "60.3 > 4 4 dup 123=Y 36=105\n61 > D 105"
        ),
        keepers=("BUY",),
        styles=("quickfix", "prefixed"),
    ),
    P(
        code="REPLAY_NOT_FLAGGED",
        side="BUY",
        make=played(buy=peer(no_poss_dup=[5]), drop=(4, 5), logout=False),
        keepers=("BUY", "SELL"),
    ),
    P(
        code="POSSDUP_NO_ORIG",
        side="BUY",
        make=told(
            "1 > D 2\n2 > D 3 lost\n3 > D 4\n3.1 < 2 2 7=3 16=3\n3.2 > D 3 43=Y\n9 > D 5"
        ),
    ),
    P(
        code="ORIG_AFTER_SENDING",
        side="BUY",
        make=told(
            "1 > D 2\n2 > D 3 lost\n3 > D 4\n3.1 < 2 2 7=3 16=3\n"
            "3.2 > D 3 43=Y 122=20260105-09:00:09.000\n9 > D 5"
        ),
    ),
    P(
        code="NEXT_EXPECTED_MISMATCH",
        side="BUY",
        make=told(
            "0 > A 1 789=1\n0.1 < A 1 789=2\n1 > D 2\n2 < 8 2\n3 > 5 3\n3.1 < 5 3\n"
            "60 > A 4 789=7\n60.1 < 5 4 58=NextExpectedMsgSeqNum_too_high",
            logon=False,
        ),
        also=("LOGON_REFUSED",),
    ),
    P(
        code="MESSAGE_LOST",
        side="SELL",
        keepers=("SELL",),
        styles=("quickfix", "prefixed"),  # only its own log shows what came
        make=told(
            "1 > D 2\n2 > D 3 lost\n2.5 > 5 4\n2.6 < 5 2\n60 > A 5\n60.1 < A 3\n61 > D 6\n"
            "62 < 8 4\n70 > 5 7\n70.1 < 5 5\n80 > A 8\n80.1 < A 6"
        ),
        also=("LOGOUT_DURING_GAP",),
    ),
    P(
        code="MESSAGE_LOST",
        name="reset in the place of a replay",
        side="BUY",
        make=told(
            "1 > D 2\n2 > D 3 lost\n3 > D 4\n3.1 < 2 2 7=3 16=0\n3.2 > 4 5 36=6\n9 > D 6"
        ),
    ),
    P(
        code="LOGOUT_DURING_GAP",
        side="SELL",
        keepers=("SELL",),
        make=told("1 > D 2\n2 > D 3 lost\n3 > D 4\n3.1 < 5 2 58=MsgSeqNum_too_high\n3.2 > 5 5"),
    ),
    # Connections ---------------------------------------------------------------------------
    P(
        code="SECOND_LOGON",
        side="BUY",
        make=told("1 > D 2\n2 < 8 2\n3 > A 3\n4 > D 4\n4.5 < 8 3"),
    ),
    P(
        code="LOGON_REFUSED",
        side="",
        make=told("0 > A 1\n0.1 < 5 1 58=Invalid_password", logon=False),
    ),
    P(
        code="RECONNECT_HAMMER",
        side="BUY",
        make=told(
            "\n".join(
                f"{n * 0.5} > A {n + 1}\n{n * 0.5 + 0.1} < 5 {n + 1} 58=No" for n in range(12)
            ),
            logon=False,
        ),
        also=("LOGON_REFUSED",),
    ),
    P(
        code="MSG_BEFORE_LOGON",
        side="BUY",
        make=told("0 > A 1\n0.05 > D 2\n0.1 < A 1\n1 > D 3\n2 < 8 2", logon=False),
    ),
    P(
        code="LOGON_UNANSWERED",
        side="",
        make=told(
            LOGON_LOGOUT + "60 > A 4\n70 > A 5\n70.1 < A 4\n71 > D 6\n72 < 8 5", logon=False
        ),
    ),
    P(
        code="LOGOUT_UNANSWERED",
        side="SELL",
        make=told(
            "1 > D 2\n2 < 8 2\n3 > 5 3\n5 < 8 3\n20 < 8 4\n40 < 0 5\n69 < 0 6\n80 < 8 7\n"
            "90 > A 4\n90.1 < A 8\n91 > D 5\n92 < 8 9"
        ),
    ),
    P(
        code="LOGOUT_UNANSWERED",
        name="line cut",
        side="",
        make=told(
            "1 > D 2\n2 < 8 2\n3 > 5 3 lost\n60 > A 4\n60.1 < A 3\n60.2 < 2 4 7=3 16=0\n"
            "60.3 > 4 3 dup 123=Y 36=5\n61 > D 5\n62 < 8 5"
        ),
        keepers=("BUY",),
    ),
    P(
        code="MSG_AFTER_LOGOUT",
        side="BUY",
        make=told("1 > D 2\n2 < 8 2\n3 > 5 3\n3.5 > D 4\n4 < 5 3"),
    ),
    P(
        code="ENDED_WITHOUT_LOGOUT",
        side="",
        make=told(
            "1 > D 2\n2 < 8 2\n70 > A 3\n70.1 < A 3\n71 > D 4\n72 < 8 4\n73 > 5 5\n73.1 < 5 5"
        ),
        also=("HEARTBEAT_MISSING",),
    ),
    P(
        code="OUTSIDE_WINDOW",
        side="BUY",
        make=told(LOGON_LOGOUT, logon=False),
        options={"schedule": Schedule(start="10:00:00", end="17:00:00")},
    ),
    # Time ----------------------------------------------------------------------------------
    P(
        code="HEARTBEAT_LATE",
        side="SELL",
        make=played(sell=peer(slow_heartbeats=1.0), orders=2, sell_orders=1, after=200),
    ),
    P(
        code="HEARTBEAT_MISSING",
        side="",
        make=played(sell=peer(silent=[4]), orders=2, sell_orders=2, after=200, logout=False),
    ),
    P(
        code="TESTREQ_UNANSWERED",
        side="SELL",
        make=told(
            "1 > D 2\n2 > 1 3 112=ARE-YOU-THERE\n5 < 8 2\n20 > D 4\n28 < 0 3\n40 > D 5\n"
            "55 < 0 4\n65 > D 6\n80 < 0 5\n90 > 5 7\n90.1 < 5 6"
        ),
    ),
    P(
        code="CLOCK_SKEW",
        side="SELL",
        make=played(sell=peer(clock_offset_seconds=75.0), orders=8, sell_orders=8),
        keepers=("BUY",),
        styles=("quickfix", "prefixed"),
    ),
    P(
        code="CLOCK_SKEW",
        name="no log times",
        side="",
        make=played(sell=peer(clock_offset_seconds=75.0), orders=8, sell_orders=8),
        keepers=("BUY",),
        styles=("raw",),
    ),
    P(
        code="ONE_SIDE_ROLLED",
        side="BUY",
        make=told(
            "1 > D 2\n2 < 8 2\n3 > 5 3\n3.1 < 5 3\n86000 > A 1\n"
            "86000.1 < 5 4 58=MsgSeqNum_too_low,_expecting_4_but_received_1"
        ),
    ),
    # Bytes ---------------------------------------------------------------------------------
    P(code="CHECKSUM_BAD", side="BUY", make=played(buy=peer(bad_check_sum=[4]))),
    P(code="BODYLENGTH_BAD", side="BUY", make=played(buy=peer(bad_body_length=[4]))),
    P(
        code="GARBLED",
        side="",
        make=lambda: truncated(),
        styles=("quickfix", "prefixed"),
    ),
    P(
        code="SECRET_IN_LOG",
        side="",
        make=told(LOGON_LOGOUT.replace("> A 1", "> A 1 553=me 554=secret"), logon=False),
    ),
    P(
        code="SESSION_REJECT",
        side="",
        make=told(
            "1 > D 2\n1.1 < 3 2 45=2 371=55 372=D 373=1 58=Required_tag_missing\n2 > D 3"
        ),
    ),
    P(
        code="DIRECTION_INFERRED",
        side="",
        make=told(LOGON_LOGOUT, logon=False),
        styles=("raw",),
    ),
    # The same troubles as simulated sessions have them --------------------------------------
    simulated(
        "GAP_NOT_REQUESTED", "SELL", sell=peer(request_never=1.0), drop=(4,), keepers=("SELL",)
    ),
    simulated(
        "RESEND_BAD_BEGIN",
        "SELL",
        sell=peer(request_bad_begin=1.0),
        drop=(4, 5),
        keepers=("SELL",),
    ),
    simulated("RESEND_INVALID", "SELL", sell=peer(request_from_zero=1.0), drop=(4,)),
    simulated(
        "RESEND_UNANSWERED", "BUY", buy=peer(resend_unanswered=1.0), drop=(4,), after=150
    ),
    simulated(
        "RESEND_INCOMPLETE", "BUY", buy=peer(resend_incomplete=1.0), drop=(4, 5, 6), after=150
    ),
    simulated(
        "RESEND_UNJUSTIFIED",
        "SELL",
        sell=peer(request_unjustified=[3]),
        keepers=("SELL",),
        styles=("quickfix", "prefixed"),
    ),
    simulated("REPLAY_INTERLEAVED", "BUY", buy=peer(replay_interleaved=[5]), drop=(4, 5, 6)),
    simulated(
        "LOGOUT_DURING_GAP",
        "SELL",
        sell=peer(logout_on_gap=1.0),
        drop=(4,),
        keepers=("SELL",),
        logout=False,
    ),
    replying("GAPFILL_BAD_SEQ", peer(gap_fill_bad_seq=1.0)),
    replying("GAPFILL_BAD_NEWSEQ", peer(gap_fill_short=1.0), name="short"),
    replying("GAPFILL_BAD_NEWSEQ", peer(gap_fill_long=1.0), name="long"),
    replying("NEWSEQ_ABSURD", peer(gap_fill_absurd=1.0)),
    simulated(
        "POSSDUP_NO_ORIG", "BUY", buy=peer(no_orig_sending_time=[4]), drop=(4, 5), logout=False
    ),
    simulated(
        "ORIG_AFTER_SENDING", "BUY", buy=peer(orig_after_sending=[4]), drop=(4, 5), logout=False
    ),
    simulated("DUPLICATE_NOT_FLAGGED", "BUY", buy=peer(repeat=[4]), logout=False),
    simulated(
        "DUPLICATE_NOT_FLAGGED", "BUY", buy=peer(number_reused=[4]), logout=False, name="reused"
    ),
    simulated("TESTREQ_UNANSWERED", "SELL", sell=peer(test_request_unanswered=1.0), probe=True),
    simulated("SECOND_LOGON", "BUY", buy=peer(second_logon=[3]), logout=False),
    simulated("MSG_BEFORE_LOGON", "SELL", sell=peer(request_before_logon=1.0)),
    simulated("LOGON_REFUSED", "", sell=peer(refuse_logon=[1]), refused=True),
    simulated("RESET_UNASKED", "SELL", sell=peer(reset_unasked=[1]), logout=False),
    simulated(
        "NEXT_EXPECTED_MISMATCH",
        "SELL",
        sell=peer(bad_next_expected=[1]),
        next_expected=True,
        logout=False,
    ),
    simulated("GARBLED", "BUY", buy=peer(garble=[4])),
)


def truncated() -> Logs:
    """The last line was not written to its end."""
    logs = script(LOGON_LOGOUT)
    for lines in logs.values():
        lines[2] = lines[2]._replace(data=lines[2].data[:60])
    return logs


CONTROLS: tuple[Plant, ...] = tuple(
    Plant(code="", side="", name=name, make=make, styles=options.get("styles", STYLES))
    for name, make, options in (
        ("no trouble", played(), {}),
        ("recovered gap", played(drop=(4, 5)), {}),
        ("gap at logon", after_cut(), {}),
        ("141=Y at logon", reset_on_logon, {}),
        ("141=Y in session", reset_in_session(), {}),
        ("admin gap fill", told(
            "1 > D 2\n2 > 0 3 lost\n3 > D 4\n3.1 < 2 2 7=3 16=0\n3.2 > 4 3 dup 123=Y 36=4\n"
            "3.3 > D 4 dup\n4 > D 5\n5 > 5 6\n5.1 < 5 3"), {}),
        ("weekly reset", told(
            "1 > D 2\n2 < 8 2\n3 > 5 3\n3.1 < 5 3\n600000 > A 1\n600000.1 < A 1\n"
            "600001 > D 2\n600002 < 8 2\n600003 > 5 3\n600003.1 < 5 3"), {}),
        ("chunked recovery", chunked, {}),
        ("local time", local_time, {"styles": ("quickfix", "prefixed")}),
        ("mutual gap", double_gap, {}),
        ("789 recovery", next_expected(), {}),
        ("heartbeats filtered", no_heartbeats, {"styles": ("quickfix", "prefixed")}),
        ("masked password", masked, {"styles": ("quickfix", "prefixed")}),
        ("replay behind a Logout", told(
            "1 > D 2\n2 > D 3 lost\n3 > 5 4\n3.1 < 2 2 7=3 16=0\n3.2 > D 3 dup\n"
            "3.3 > 4 4 dup 123=Y 36=5\n3.4 < 5 3"), {}),
        ("reset over nothing", told("1 > D 2\n2 > 4 3 36=10\n3 > D 10\n4 < 8 2"), {}),
        ("fill asked again in time", told(
            "1 > D 2\n2 > 0 3 lost\n3 > D 4\n3.1 < 2 2 7=3 16=3\n3.2 > 4 3 dup 123=Y 36=4 "
            "lost\n35 < 2 3 7=3 16=3\n35.1 > 4 3 dup 123=Y 36=4\n36 > D 5"), {}),
        ("one late answer to patient requests", told(
            "1 > D 2\n2 > 0 3 lost\n3 > D 4\n3.1 < 2 2 7=3 16=3\n25 < 2 3 7=3 16=3\n"
            "26 > D 5\n50 < 2 4 7=3 16=3\n51 > D 6\n70 > 4 3 dup 123=Y 36=4\n71 > D 7"), {}),
        ("chance cut", after_cut(link=LinkFaults(jitter_seconds=0.05)), {}),
    )
)  # fmt: skip
