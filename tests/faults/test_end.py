"""FaultyEnd: the three families together, and what struck, in order."""

import pytest

from fixlab.errors import ConfigError, StoreError
from fixlab.faults import (
    Faults,
    FaultyEnd,
    FaultyStore,
    LinkFaults,
    PeerFaults,
    StoreFaults,
    Strike,
)
from fixlab.stores.memory import MemoryStore
from tests.session.script import wire


def test_an_end_without_faults_has_nothing_in_the_way() -> None:
    end = FaultyEnd(Faults(), seed=0, end="BUY")
    store = MemoryStore()
    assert end.store(store) is store
    assert isinstance(end.store(None), MemoryStore)
    assert end.link is None
    assert not any((end.peer.changes_sent, end.peer.changes_received, end.peer.acts))
    end.connected()
    end.heal()
    assert end.struck == ()


def test_strikes_of_all_families_stand_in_their_order() -> None:
    told: list[Strike] = []
    faults = Faults(
        link=LinkFaults(stall=[1]), peer=PeerFaults(repeat=[1]), store=StoreFaults(fail=[2])
    )
    end = FaultyEnd(faults, seed=0, end="BUY", on_strike=told.append)
    store = end.store(None)
    assert isinstance(store, FaultyStore)
    assert end.link is not None
    store.commit()
    end.link.write(end.peer.outgoing(wire("35=D|34=1|11=A|")), 0)
    with pytest.raises(StoreError):
        store.commit()
    names = ["repeat", "stall", "fail"]
    assert [strike.fault for strike in end.struck] == names
    assert tuple(told) == end.struck
    assert faults.exactly(end.struck) == faults
    end.heal()
    store.commit()


def test_ends_draw_for_themselves() -> None:
    def dropped(seed: int, name: str) -> list[int]:
        end = FaultyEnd(Faults(peer=PeerFaults(drop=0.5)), seed=seed, end=name)
        end.peer.outgoing(b"".join(wire(f"35=D|34={n}|11=A|") for n in range(1, 50)))
        return [strike.occasion for strike in end.struck]

    assert dropped(1, "BUY") == dropped(1, "BUY")
    assert dropped(1, "BUY") != dropped(1, "SELL")
    assert dropped(1, "BUY") != dropped(2, "BUY")


def test_what_is_no_plan_and_no_seed_is_said_at_once() -> None:
    with pytest.raises(ConfigError, match=r"faults must be Faults\(...\), found PeerFaults"):
        FaultyEnd(PeerFaults(), seed=0, end="BUY")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="seed must be a whole number, found '1'"):
        FaultyEnd(Faults(), seed="1", end="BUY")  # type: ignore[arg-type]
