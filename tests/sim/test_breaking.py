"""What a loopback's ends can be made to suffer: dead lines, stalls, broken links and stores."""

import pytest

from fixlab.errors import ConfigError, StateError, StoreError
from fixlab.faults import Faults, LinkFaults, PeerFaults, StoreFaults
from fixlab.session.config import SessionConfig
from fixlab.session.transitions import SessionState
from fixlab.sim.loopback import Loopback
from fixlab.stores.memory import MemoryStore
from fixlab.wire.message import Message

ACTIVE, DISCONNECTED = SessionState.ACTIVE, SessionState.DISCONNECTED


def lab_of(**settings: object) -> Loopback:
    lab = Loopback(check=True, **settings)  # type: ignore[arg-type]  # as given
    lab.logon()
    return lab


def order(name: object) -> Message:
    return Message("D", {11: name})


def states(lab: Loopback) -> tuple[SessionState, SessionState]:
    return lab.initiator.session.state, lab.acceptor.session.state


def delivered(lab: Loopback) -> bool:
    return set(lab.fates()["fate"]) == {"delivered"}


def test_two_ends_may_be_set_up_differently() -> None:
    acceptor = SessionConfig(sender_comp_id="SELL", target_comp_id="BUY", profile="quickfix")
    lab = lab_of(acceptor_config=acceptor)
    assert lab.acceptor.session.config is acceptor
    assert lab.initiator.session.config.profile == "spec"


class TestDeadLine:
    def test_neither_end_is_told_and_both_find_out_by_silence(self) -> None:
        lab = lab_of()
        lab.half_open()
        lab.initiator.send(order(1))
        assert states(lab) == (ACTIVE, ACTIVE)
        lab.run(seconds=100)
        assert states(lab) == (DISCONNECTED, DISCONNECTED)
        rules = lab.journal.to_frame().query("kind == 'TIMED_OUT'")["rule"]
        assert list(rules) == ["HBT-05", "HBT-05", "LGO-12", "LGO-12"]
        lab.heal()
        assert delivered(lab)

    def test_one_end_may_notice_at_once(self) -> None:
        lab = lab_of()
        lab.half_open(noticed_by="acceptor")
        assert states(lab) == (ACTIVE, DISCONNECTED)
        lab.logon()  # the other one's silence limit has to pass first
        assert states(lab) == (ACTIVE, ACTIVE)

    def test_heal_tells_an_end_that_would_never_find_out(self) -> None:
        config = SessionConfig(sender_comp_id="B", target_comp_id="S", heartbeat_seconds=0)
        lab = lab_of(config=config)
        lab.half_open(noticed_by="acceptor")
        with pytest.raises(StateError, match="still has a connection"):
            lab.logon()
        lab.heal()
        assert states(lab) == (ACTIVE, ACTIVE)


class TestStall:
    def test_a_process_that_stands_still_reads_and_sends_nothing_meanwhile(self) -> None:
        lab = lab_of()
        lab.acceptor.stall(20)
        lab.initiator.send(order(1))
        lab.run(seconds=19)
        assert lab.acceptor.received == []
        lab.run(seconds=2)
        assert len(lab.acceptor.received) == 1

    def test_its_peer_takes_it_for_dead_when_it_lasts(self) -> None:
        lab = lab_of()
        lab.acceptor.stall(200)
        lab.run(seconds=100)
        assert states(lab) == (DISCONNECTED, ACTIVE)
        lab.run(seconds=150)
        assert states(lab) == (DISCONNECTED, DISCONNECTED)
        lab.heal()

    @pytest.mark.parametrize("seconds", [-1, 100_000, float("nan")])
    def test_a_time_that_cannot_be(self, seconds: float) -> None:
        with pytest.raises(ConfigError, match="seconds must be 0 to 86400"):
            lab_of().initiator.stall(seconds)


class TestFaults:
    @pytest.mark.parametrize(
        "fault",
        ["delay", "fragment", "coalesce", "stall", "cut", "half_open"],
    )
    def test_whatever_a_link_does_nothing_is_lost_for_good(self, fault: str) -> None:
        faults = Faults(link=LinkFaults(**{fault: [4]}))  # type: ignore[arg-type]
        lab = lab_of(initiator_faults=faults, seed=3)
        for n in range(5):
            lab.initiator.send(order(n))
            lab.run(seconds=1)
        assert [strike.fault for strike in lab.initiator.struck] == [fault]
        lab.run(seconds=100)
        lab.heal()
        assert delivered(lab)

    def test_heal_ends_all_of_them(self) -> None:
        lab = Loopback(
            check=True,
            initiator_faults=Faults(peer=PeerFaults(drop=1.0)),
            acceptor_faults=Faults(store=StoreFaults(full=1.0)),
        )
        with pytest.raises(StateError):
            lab.logon()
        lab.heal()
        lab.initiator.send(order(1))
        lab.run(seconds=1)
        assert delivered(lab)

    def test_a_store_that_fails_as_planned_raises_for_calls_only(self) -> None:
        lab = lab_of(acceptor_faults=Faults(store=StoreFaults(fail=[5, 6])))
        lab.initiator.send(order(1))
        lab.run(seconds=1)  # commit 5 fails: nobody called for it, so nothing is raised
        assert [strike.occasion for strike in lab.acceptor.struck] == [5]
        assert states(lab) == (DISCONNECTED, DISCONNECTED)
        with pytest.raises(StoreError, match="on purpose"):
            lab.acceptor.send(order(2))
        lab.heal()
        assert delivered(lab)

    def test_a_store_that_really_fails_raises_as_ever(self) -> None:
        class Broken(MemoryStore):
            def commit(self) -> None:
                if self.current_in() > 2:
                    raise StoreError("no space left")
                super().commit()

        lab = lab_of(acceptor_store=Broken())
        lab.initiator.send(order(1))
        with pytest.raises(StoreError, match="no space left"):
            lab.run(seconds=1)

    def test_a_slow_store_delays_its_end_and_nothing_else(self) -> None:
        slow = Faults(store=StoreFaults(slow=1.0, slow_seconds=4.0))
        quick, late = lab_of(seed=1), lab_of(seed=1, acceptor_faults=slow)
        assert late.clock.now() > quick.clock.now()
        late.heal()

    def test_faults_by_chance_happen_again_as_exact_ones(self) -> None:
        def play(faults: Faults) -> Loopback:
            lab = lab_of(seed=11, acceptor_faults=faults)
            for n in range(20):
                lab.acceptor.send(order(n))
                lab.run(seconds=1)
            lab.heal()
            return lab

        faults = Faults(peer=PeerFaults(drop=0.2, garble=0.1), link=LinkFaults(delay=0.1))
        one = play(faults)
        again = play(faults.exactly(one.acceptor.struck))
        assert len(one.acceptor.struck) > 3
        assert one.journal.to_frame().equals(again.journal.to_frame())
