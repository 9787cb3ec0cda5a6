"""Sessions made for callers nobody configured: templates, approval, and the bounds on both."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixlab.errors import ConfigError, ConnectError, StoreError
from fixlab.net.acceptor import Acceptor, Caller, template
from fixlab.net.initiator import Initiator
from fixlab.session.config import BEGIN_STRINGS, SessionConfig
from fixlab.session.events import Received
from fixlab.session.transitions import SessionState
from fixlab.stores.memory import MemoryStore
from fixlab.wire.message import Message
from tests.net.peers import BUY, SELL, ids, logon_bytes, order, raw_client, run, wire


def fund(name: str, version: str = "FIX.4.4", **settings: Any) -> SessionConfig:
    return SessionConfig(
        sender_comp_id=name, target_comp_id="VENUE", begin_string=version, **settings
    )


def caller(config: SessionConfig, rest: str = "") -> Caller:
    logon = Message.from_wire(wire(config, "A", 1, f"98=0|108=30|{rest}"))
    names = config.begin_string, config.sender_comp_id, config.target_comp_id
    return Caller(*names, "127.0.0.1:1", None, logon)


# Templates ------------------------------------------------------------------------------


@pytest.mark.parametrize("version", BEGIN_STRINGS)
def test_lgn_06_a_template_makes_a_session_for_whoever_fits(version: str) -> None:
    settings: dict[str, Any] = (
        {"default_appl_ver_id": "FIX.5.0SP1"} if version == "FIXT.1.1" else {}
    )

    async def story() -> None:
        async with Acceptor(approve=template(sender_comp_id="VENUE")) as venue:
            async with Initiator(fund("F1", version, **settings), port=venue.port) as one:
                await one.send(order(1))
                (made,) = venue.sessions.values()
                assert made.id == f"{version}:VENUE->F1"
                assert ids([await made.next_event(Received)]) == ["ORD-1"]
                assert made.session.config.default_appl_ver_id == (
                    "8" if version == "FIXT.1.1" else None
                )
                assert made.caller is not None
                assert made.caller.address.startswith("127.0.0.1:")
            # It stays, with its numbers.
            store = MemoryStore(next_out=one.session.next_out, next_in=one.session.next_in)
            async with Initiator(fund("F1", version, **settings), port=venue.port, store=store):
                assert list(venue.sessions.values()) == [made]
                assert made.session.next_in == 5

    run(story())


@given(
    pattern=st.text("AB-*", max_size=6),
    name=st.text("AB-", min_size=1, max_size=6),
)
def test_a_star_stands_for_any_text_and_nothing_else_is_special(
    pattern: str, name: str
) -> None:
    def fits(pattern: str, name: str) -> bool:
        if not pattern:
            return not name
        if pattern[0] == "*":
            return any(fits(pattern[1:], name[i:]) for i in range(len(name) + 1))
        return bool(name) and name[0] == pattern[0] and fits(pattern[1:], name[1:])

    made = template(target_comp_id=pattern)(caller(fund(name)))
    assert (made is not None) == fits(pattern, name)
    assert made is None or made == fund(name).mirrored()


def test_a_dot_in_a_pattern_is_a_dot() -> None:
    assert template(target_comp_id="F.1")(caller(fund("Fx1"))) is None
    assert template(begin_string="FIX.4.*")(caller(fund("F", "FIX.4.2"))) is not None
    assert template(begin_string="FIX.4.*")(caller(fund("F", "FIXT.1.1"))) is None


def test_a_template_that_can_make_nothing_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match=r"begin_string must be \* or fit one of FIX\.4\.0, "):
        template(begin_string="FIX.9.*")
    with pytest.raises(ConfigError, match=r"no session can be made of this template: .*heart"):
        template(heartbeat_seconds=-1)
    with pytest.raises(ConfigError, match=r"password needs FIX\.4\.3"):
        template(begin_string="FIX.4.2", password="x")
    with pytest.raises(ConfigError, match="no_such_setting"):
        template(no_such_setting=1)


# Approval -------------------------------------------------------------------------------


def test_lgn_06_who_is_not_approved_is_closed_without_a_word() -> None:
    asked: list[Caller] = []
    any_fund = template(sender_comp_id="VENUE")

    def approve(caller: Caller) -> SessionConfig | None:
        asked.append(caller)
        return any_fund(caller) if caller.logon.get(553) == "ann" else None

    async def story() -> None:
        async with Acceptor(SELL, approve=approve) as venue:
            with pytest.raises(ConnectError, match="check BeginString"):
                await Initiator(fund("F1"), port=venue.port).connect()
            (refused,) = venue.refused
            assert refused.rule == "LGN-06"
            assert refused.reason == (
                "not approved: BeginString 'FIX.4.4', SenderCompID 'F1', TargetCompID 'VENUE'"
            )
            assert refused.address == asked[0].address
            ann = fund("F1", username="ann", password="hush")
            async with Initiator(ann, port=venue.port), Initiator(BUY, port=venue.port):
                assert set(venue.sessions) == {SELL.session_id, "FIX.4.4:VENUE->F1"}
            assert len(asked) == 2  # never about the session that is configured
            assert asked[1][:3] == ("FIX.4.4", "F1", "VENUE")
            assert "hush" not in repr(asked[1])

    run(story())


def test_lgn_02_nobody_is_asked_about_a_first_message_that_is_no_logon() -> None:
    async def story() -> None:
        async with Acceptor(approve=template()) as venue, raw_client(venue.port) as peer:
            peer.writer.write(wire(BUY, "0", 1))
            assert await peer.closed() == b""
            assert "first message not a Logon but a Heartbeat" in venue.refused[0].reason
            assert not venue.sessions

    run(story())


def test_a_hook_that_raises_refuses_the_caller_and_is_reported() -> None:
    def approve(_: Caller) -> SessionConfig | None:
        raise RuntimeError("the directory of clients is down")

    async def story() -> None:
        async with Acceptor(SELL, approve=approve) as venue:
            with pytest.raises(ConnectError):
                await Initiator(fund("F1"), port=venue.port).connect()
            assert "the directory of clients is down" in venue.refused[0].reason
            async with Initiator(BUY, port=venue.port) as buy:
                assert buy.state is SessionState.ACTIVE

    run(story(), reports=1)


def test_an_approval_for_somebody_else_is_refused() -> None:
    async def story() -> None:
        async with Acceptor(approve=lambda _: SELL) as venue:
            with pytest.raises(ConnectError):
                await Initiator(fund("F1"), port=venue.port).connect()
            assert "gave FIX.4.4:SELL->BUY, which is not the caller's" in (
                venue.refused[0].reason
            )
            assert not venue.sessions

    run(story())


def test_lgn_06_a_caller_whose_session_would_have_anothers_name_is_refused() -> None:
    one, other = (
        SessionConfig(sender_comp_id=sender, target_comp_id=target)
        for sender, target in (("C", "A->B"), ("B->C", "A"))
    )
    assert one.mirrored().session_id == other.mirrored().session_id

    async def story() -> None:
        async with (
            Acceptor(approve=template()) as venue,
            Initiator(one, port=venue.port) as first,
        ):
            with pytest.raises(ConnectError):
                await Initiator(other, port=venue.port).connect()
            assert "another session is called FIX.4.4:A->B->C" in venue.refused[0].reason
            assert first.state is SessionState.ACTIVE
            assert len(venue.sessions) == 1

    run(story())
    with pytest.raises(ConfigError, match="each session may be configured once"):
        Acceptor([one.mirrored(), other.mirrored()])


def test_names_that_no_session_can_have_are_a_strangers_fault_and_kept_short() -> None:
    async def story() -> None:
        async with Acceptor(approve=template()) as venue, raw_client(venue.port) as peer:
            odd = logon_bytes(fund("Z" * 5_000)).replace(b"Z", b"\xe9")
            total = sum(odd[: odd.rindex(b"10=")]) % 256
            peer.writer.write(odd[:-7] + b"10=%03d\x01" % total)
            assert await peer.closed() == b""
            (refused,) = venue.refused
            assert "target_comp_id must be" in refused.reason
            assert len(refused.reason) <= 400
            assert refused.reason.isprintable()

    run(story())


def test_stores_of_made_sessions_are_made_kept_and_closed() -> None:
    opened: dict[str, MemoryStore] = {}
    closed: list[str] = []

    class Kept(MemoryStore):
        __slots__ = ("name",)

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name
            opened[name] = self

        def close(self) -> None:
            closed.append(self.name)
            super().close()

    def make(config: SessionConfig) -> MemoryStore:
        if config.target_comp_id == "F2":
            raise StoreError("F2.sqlite: is in use")
        return Kept(config.target_comp_id)

    async def story() -> None:
        async with Acceptor(store=make, approve=template()) as venue:
            async with Initiator(fund("F1"), port=venue.port):
                assert list(opened) == ["F1"]
            with pytest.raises(ConnectError):
                await Initiator(fund("F2"), port=venue.port).connect()
            assert "F2.sqlite: is in use" in venue.refused[0].reason
            # Dropped before it used a number: it leaves nothing behind.
            async with raw_client(venue.port) as peer:
                peer.writer.write(wire(fund("F3"), "A", 1, "43=Y|98=0|108=30|"))
                assert await peer.closed() == b""
            assert closed == ["F3"]
            assert list(venue.sessions) == ["FIX.4.4:VENUE->F1"]
        assert closed == ["F3", "F1"]

    run(story(), reports=1)


# A hook that refuses a Logon --------------------------------------------------------------


def test_lgn_26_admit_refuses_a_logon_in_its_words() -> None:
    asked: list[Caller] = []

    def admit(caller: Caller) -> str | None:
        asked.append(caller)
        return None if caller.logon.get(554) == "right" else "unknown user or password"

    def who(password: str) -> SessionConfig:
        return fund("F1", username="ann", password=password)

    async def story() -> None:
        async with Acceptor(approve=template(), admit=admit) as venue:
            store = MemoryStore()
            wrong = Initiator(who("wrong"), port=venue.port, store=store)
            with pytest.raises(ConnectError, match="Logon refused: unknown user or password"):
                await wrong.connect()
            # Its Logon was counted and the Logout too, so that it can go on from there.
            assert (store.peek_out(), store.current_in()) == (2, 2)
            right = Initiator(who("right"), port=venue.port, store=store)
            async with right:
                assert right.state is SessionState.ACTIVE
                assert (right.session.next_out, right.session.next_in) == (3, 3)
        assert [caller.sender_comp_id for caller in asked] == ["F1", "F1"]
        assert asked[0].address != asked[1].address
        assert "wrong" not in repr(asked)

    run(story())


@pytest.mark.parametrize("answer", [RuntimeError("the directory is down"), True])
def test_lgn_26_an_admit_that_fails_lets_nobody_in_and_is_reported(answer: object) -> None:
    def admit(_: Caller) -> str | None:
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[return-value]

    async def story() -> None:
        async with Acceptor(SELL, admit=admit) as venue:
            with pytest.raises(ConnectError, match="Logon cannot be checked at the moment"):
                await Initiator(BUY, port=venue.port).connect()
            (sell,) = venue.sessions.values()
            assert not sell.began

    run(story(), reports=1)


# Bounds ---------------------------------------------------------------------------------


def test_the_sessions_made_are_bounded_and_those_that_never_began_make_room() -> None:
    async def story() -> None:
        async with Acceptor(approve=template(), sessions_max=2) as venue:

            async def refused_logon(name: str) -> None:
                async with raw_client(venue.port) as peer:
                    peer.writer.write(wire(fund(name), "A", 1, "98=7|108=30|"))
                    assert [(await peer.read()).msg_type for _ in range(2)] == ["3", "5"]

            await refused_logon("BAD-1")  # a number was used, so its session is remembered
            assert list(venue.sessions) == ["FIX.4.4:VENUE->BAD-1"]
            async with Initiator(fund("F1"), port=venue.port):
                pass
            for session in venue.sessions.values():
                await session.wait_until(lambda s: s.state is SessionState.DISCONNECTED)
            async with Initiator(fund("F2"), port=venue.port):
                assert set(venue.sessions) == {"FIX.4.4:VENUE->F1", "FIX.4.4:VENUE->F2"}
                with pytest.raises(ConnectError):
                    await Initiator(fund("F3"), port=venue.port).connect()
                assert "no room: 2 sessions were made" in venue.refused[0].reason

    run(story())


def test_settings_that_cannot_work_are_refused() -> None:
    async def slow(_: Caller) -> None:
        await asyncio.sleep(0)

    with pytest.raises(ConfigError, match="at least one SessionConfig, or `approve`"):
        Acceptor()
    with pytest.raises(ConfigError, match="one store cannot serve many sessions"):
        Acceptor(SELL, approve=template(), store=MemoryStore())
    with pytest.raises(ConfigError, match="approve must be a plain function"):
        Acceptor(approve=slow)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="sessions_max must be at least 1"):
        Acceptor(approve=template(), sessions_max=0)
    with pytest.raises(ConfigError, match="anonymous_max must be at least 1"):
        Acceptor(SELL, anonymous_max=0)
