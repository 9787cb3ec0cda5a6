"""Logs that a real QuickFIX and fixlab keep of one session, read and laid side by side."""

from pathlib import Path

import pandas as pd

import fixlab as fx
from tests.interop.engine import order_fields
from tests.interop.peer import Engine, Spec, until
from tests.net.peers import run

ORDERS = 30


def test_both_sides_logs_of_one_session_tell_the_same(tmp_path: Path) -> None:
    spec = Spec("FIX.4.4", "LOGS", ("UseDataDictionary=N",))
    engine = Engine("acceptor", tmp_path / "quickfix", [spec])
    config = fx.SessionConfig(sender_comp_id="LOGS", target_comp_id="QF")
    (peer,) = engine.peers.values()

    async def story() -> None:
        async with fx.Initiator(config, port=engine.port, log_path=tmp_path / "fixlab") as lab:
            for n in range(ORDERS):
                if n == 10:
                    lab.lose_next(2)  # QuickFIX asks for them again
                await lab.send(fx.Message("D", {11: f"ORD-{n}", **order_fields("FIX.4.4")}))
            await peer.send(ORDERS, "QF")
            await until(lambda: len(peer.orders) == ORDERS, "all orders of fixlab")
            await lab.wait_until(lambda session: session.gap is None, timeout_seconds=10)

    engine.start()
    try:
        run(story())
    finally:
        engine.stop()

    theirs, ours = fx.read_log(tmp_path / "quickfix" / "log"), fx.read_log(tmp_path / "fixlab")
    for log in (theirs, ours):
        assert log.frame["valid"].all()
        assert set(log.frame["direction_from"].astype(str)) == {"file_name"}
        assert set(log.frame["time_from"].astype(str)) == {"log"}
        assert log.files["text_lines"].sum() > 0  # events
    for sender, there, here in (("LOGS", "in", "out"), ("QF", "out", "in")):
        arrived, left = of(theirs, sender, there), of(ours, sender, here)
        pd.testing.assert_frame_equal(arrived, left)
    asked = ours.frame[ours.frame["msg_type"] == "2"]
    assert len(asked) == 1
    assert int(ours.frame["poss_dup"].sum()) >= 2


def of(log: fx.Log, sender: str, direction: str) -> pd.DataFrame:
    """What one side's messages were, in the order of the log."""
    frame = log.frame
    rows = frame[(frame["sender"] == sender) & (frame["direction"] == direction)]
    columns = [
        "msg_seq_num",
        "sending_time",
        "poss_dup",
        "body_length",
        "check_sum",
        "new_seq_no",
    ]
    chosen = rows[columns].assign(msg_type=rows["msg_type"].astype(str))
    return chosen.reset_index(drop=True)
