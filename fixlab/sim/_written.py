"""Bytes and rows tell the same, and what is written says what it must."""

from __future__ import annotations

import re

from fixlab import times
from fixlab.session.core import Output
from fixlab.session.transitions import SessionState, Transition, TransitionKind
from fixlab.sim._rows import RowChecks
from fixlab.sim._watch import Watch
from fixlab.sim.endpoint import Endpoint
from fixlab.wire.tags import (
    ADMIN_TYPES,
    LOGON,
    REJECT,
    RESEND_REQUEST,
)

_S, _K = SessionState, TransitionKind
_WRITES = frozenset({_K.SENT, _K.RESENT, _K.FILL_SENT})
_HEAD = re.compile(rb"8=([^\x01]+)\x019=([0-9]+)\x01(?=35=([^\x01]+)\x01)")
_NUMBER = re.compile(rb"\x0134=([0-9]+)\x01")
_TIME = re.compile(rb"\x0152=([^\x01]+)\x01")
_TRAILER = 7  # bytes of "10=nnn|"
# Fields in which a replay differs from the message it repeats (RSP-01, RSP-10, HDR-11).
_MAY_CHANGE = (b"9=", b"10=", b"52=", b"369=")
_REPLAY_ADDS = (*_MAY_CHANGE, b"43=Y", b"122=")


class ByteChecks(RowChecks):
    """Messages, as a session writes them."""

    def _check_bytes(self, end: Endpoint, watch: Watch, output: Output, now: int) -> None:
        """Bytes and rows tell the same, and the header says what it must."""
        data, position = output.data, 0
        config = end.session.config
        begin_string = config.begin_string.encode()
        stamp = times.format_utc(now, config.sending_time_digits)
        for row in output.transitions:
            if row.kind not in _WRITES:
                continue
            head = _HEAD.match(data, position)
            if head is None:
                self._fail("bytes", end, row, "no message was written for this row")
            stop = head.end() + int(head[2]) + _TRAILER
            raw = data[position:stop]
            position = stop
            if (
                raw[-_TRAILER:] != b"10=%03d\x01" % (sum(raw[:-_TRAILER]) & 0xFF)
                or head[1] != begin_string
                or head[3].decode("latin-1") != row.msg_type
            ):
                self._fail("bytes", end, row, f"written was {raw!r}")
            self._check_header(end, watch, row, raw, stamp)
            watch.written += 1
        if position != len(data):
            self._fail("bytes", end, None, f"written without a row: {data[position:]!r}")

    def _check_header(
        self, end: Endpoint, watch: Watch, row: Transition, raw: bytes, stamp: bytes
    ) -> None:
        config = end.session.config
        number, sent = _NUMBER.search(raw), _TIME.search(raw)
        wrong = (
            number is None
            or int(number[1]) != row.msg_seq_num
            or sent is None
            or sent[1] != stamp
            or b"\x0149=%b\x01" % config.sender_comp_id.encode() not in raw
            or b"\x0156=%b\x01" % config.target_comp_id.encode() not in raw
            or (b"\x0143=Y\x01" in raw) != (row.kind is not _K.SENT)
        )
        if wrong:
            self._fail("bytes", end, row, f"written was {raw!r}")
        assert row.msg_seq_num is not None, "checked above"
        if row.kind is _K.SENT:
            if row.msg_type == RESEND_REQUEST:
                self._check_request(end, row, raw)
            # LGN-21: an acceptor has counted the Logon that it answers.
            due = b"\x01789=%d\x01" % row.next_in
            if row.msg_type == LOGON and b"\x01789=" in raw and due not in raw:
                self._fail("bytes", end, row, f"written was {raw!r}")
            if row.msg_type not in ADMIN_TYPES or row.msg_type == REJECT:
                watch.originals[row.msg_seq_num] = raw
        elif row.kind is _K.FILL_SENT:
            assert row.end_seq_no is not None, "checked with the row"
            if (
                b"\x01123=Y\x01" not in raw
                or b"\x0136=%d\x01" % (row.end_seq_no + 1) not in raw
            ):
                self._fail("replays", end, row, f"written was {raw!r}")
        else:
            self._check_replayed(end, watch, row, raw)

    def _check_request(self, end: Endpoint, row: Transition, raw: bytes) -> None:
        old = end.session.config.begin_string in ("FIX.4.0", "FIX.4.1")
        stop = row.end_seq_no or (999_999 if old else 0)
        if row.begin_seq_no is None or (
            b"\x017=%d\x01" % row.begin_seq_no not in raw or b"\x0116=%d\x01" % stop not in raw
        ):
            self._fail("requests", end, row, f"written was {raw!r}")

    def _check_replayed(self, end: Endpoint, watch: Watch, row: Transition, raw: bytes) -> None:
        """RSP-01, RSP-10: as it was first sent, but for what tells that it comes again."""
        assert row.msg_seq_num is not None, "checked with the row"
        original = watch.originals.get(row.msg_seq_num)
        if original is None:
            return  # it was queued, and leaves for the first time
        before, again = set(original.split(b"\x01")), set(raw.split(b"\x01"))
        gone = [f for f in before - again if not f.startswith(_MAY_CHANGE)]
        added = [f for f in again - before if not f.startswith(_REPLAY_ADDS)]
        sent = _TIME.search(original)
        assert sent is not None, "checked when it was first written"
        if gone or added or b"122=" + sent[1] not in again:
            self._fail("replays", end, row, f"first sent was {original!r}, now {raw!r}")
