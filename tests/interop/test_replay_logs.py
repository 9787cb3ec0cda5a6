"""Logs that a real QuickFIX and fixlab keep of one session: replayed, and laid side by side."""

from pathlib import Path

import fixlab as fx
from tests.interop.peer import Engine, Spec, until
from tests.net.peers import run

ORDERS = 30
ORDER = {21: 1, 55: "ACME", 54: 1, 60: "20260105-09:00:00", 38: 100, 40: 1}


def test_a_recovered_session_has_no_deviation_and_loses_nothing(tmp_path: Path) -> None:
    spec = Spec("FIX.4.4", "LOGS", ("UseDataDictionary=N",))
    engine = Engine("acceptor", tmp_path / "quickfix", [spec])
    config = fx.SessionConfig(sender_comp_id="LOGS", target_comp_id="QF")
    (peer,) = engine.peers.values()

    async def story() -> None:
        async with fx.Initiator(config, port=engine.port, log_path=tmp_path / "fixlab") as lab:
            for n in range(ORDERS):
                if n == 10:
                    lab.lose_next(2)  # QuickFIX asks for them again
                await lab.send(fx.Message("D", {11: f"ORD-{n}", **ORDER}))
            await peer.send(ORDERS, "QF")
            await until(lambda: len(peer.orders) == ORDERS, "all orders of fixlab")
            await lab.wait_until(lambda session: session.gap is None, timeout_seconds=10)

    engine.start()
    try:
        run(story())
    finally:
        engine.stop()

    ours, theirs = fx.read_log(tmp_path / "fixlab"), fx.read_log(tmp_path / "quickfix" / "log")
    both = fx.reconcile(ours, theirs)
    assert set(both.table["fate"].astype(str)) == {"arrived"}
    assert abs(both.clock.offset_ms) < 50  # one machine, one clock
    assert len(fx.replay(theirs, profile="quickfix")) == 0
    assert len(fx.replay(ours, side="QF", profile="quickfix")) == 0
    # What never left was numbered and stored, and left when it was asked for.
    assert len(fx.replay(ours)) == 0
    assert len(fx.replay(theirs, side="LOGS")) == 0
