"""The same panel on live sessions over TCP, and how it follows a loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest

from fixlab import panels
from fixlab.errors import ConfigError
from fixlab.net.acceptor import AcceptedSession, Acceptor
from fixlab.net.initiator import Initiator
from fixlab.panels import Panel
from fixlab.panels._session import SessionPanel
from fixlab.session.config import SessionConfig
from fixlab.session.transitions import SessionState
from fixlab.sim.loopback import Loopback
from fixlab.wire.message import Message
from tests.net.peers import raw_server, wire
from tests.panels.controls import button, enabled, image, shown, status, walk

VENUE = SessionConfig(sender_comp_id="SELL", target_comp_id="BUY")


class Pair(NamedTuple):
    buy: Initiator
    sell: AcceptedSession


@asynccontextmanager
async def live_pair() -> AsyncIterator[Pair]:
    async with Acceptor(VENUE) as venue:
        buy = Initiator(VENUE.mirrored(), port=venue.port)
        try:
            yield Pair(buy, venue.sessions[VENUE.session_id])
        finally:
            await buy.close()


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not reached():
            await asyncio.sleep(0.02)


def in_step(pair: Pair) -> bool:
    buy, sell = pair.buy.session, pair.sell.session
    return buy.next_out == sell.next_in and sell.next_out == buy.next_in


def on_pair(story: Callable[[Pair], Awaitable[None]]) -> None:
    async def run() -> None:
        async with live_pair() as pair:
            await story(pair)

    asyncio.run(run())


def panel_on(target: object, peer: object | None = None) -> SessionPanel:
    return panels.session(target, peer=peer)


def test_the_story_of_the_loopback_happens_live_with_the_same_presses() -> None:
    async def story(pair: Pair) -> None:
        panel = panel_on(pair.buy, pair.sell)
        for name in ("connect", "lose next", "send order", "send order"):
            assert (await panel.press(name)).ok, status(panel)
        await until(lambda: pair.sell.session.next_in == 4)
        await until(lambda: "GAP_CLOSED" in shown(panel))
        await until(lambda: shown(panel).count("in step") == 2)
        assert status(panel).endswith("BUY sent MsgSeqNum 3.</div>")
        panel.close()

    on_pair(story)


def test_a_click_works_without_waiting_for_it() -> None:
    async def story(pair: Pair) -> None:
        panel = panel_on(pair.buy, pair.sell)
        button(panel, "connect & log on").click()
        await until(lambda: "BUY is connected and logged on." in status(panel))
        button(panel, "cut").click()
        assert pair.buy.session.state is SessionState.DISCONNECTED
        await until(lambda: "BUY is reconnecting" in shown(panel))
        panel.close()

    on_pair(story)


def test_skip_test_request_reset_and_log_out_live() -> None:
    async def story(pair: Pair) -> None:
        panel = panel_on(pair.buy, pair.sell)
        await panel.press("connect")
        for name in ("skip", "send TestRequest"):
            assert (await panel.press(name)).ok, status(panel)
        await until(lambda: in_step(pair))
        assert (await panel.press("reset")).ok, status(panel)
        await pair.buy.wait_until(
            lambda session: session.state is SessionState.ACTIVE and session.next_in < 4
        )
        assert (await panel.press("log out")).ok, status(panel)
        assert pair.buy.session.state is SessionState.DISCONNECTED
        panel.close()

    on_pair(story)


def test_without_the_peer_its_numbers_are_not_visible() -> None:
    async def story(pair: Pair) -> None:
        panel = panel_on(pair.buy)
        await panel.press("connect")
        assert "BUY initiator ACTIVE, NextNumIn 2, NextNumOut 2" in repr(panel)
        await until(lambda: "ACTIVE" in shown(panel))
        assert shown(panel).count("not visible from here") == 4  # two numbers, two verdicts
        assert "advance" not in panel.buttons
        panel.close()

    on_pair(story)


def test_an_acceptors_session_can_be_driven_but_cannot_connect() -> None:
    async def story(pair: Pair) -> None:
        panel = panel_on(pair.sell)
        assert "connect & log on" not in enabled(panel)
        assert "it waits until its peer connects" in button(panel, "connect & log on").tooltip
        await pair.buy.connect()
        await pair.sell.wait_established()
        assert (await panel.press("send order")).ok
        await pair.buy.wait_until(lambda session: session.next_in == 3)
        panel.close()

    on_pair(story)


def test_an_attempt_that_fails_stands_in_the_status_line() -> None:
    async def run() -> None:
        async with Acceptor(VENUE) as venue:
            port = venue.port
        buy = Initiator(VENUE.mirrored(), port=port)
        panel = panel_on(buy)
        pressed = await panel.press("connect")
        assert pressed.ok is False
        assert "ConnectError: " in status(panel)
        assert "connection refused" in status(panel)
        panel.close()
        await buy.close()

    asyncio.run(run())


def test_what_happens_on_its_own_shows_without_a_press() -> None:
    async def story(pair: Pair) -> None:
        panel = panel_on(pair.buy, pair.sell)
        await pair.buy.connect()
        before = image(panel)
        await pair.buy.send(Message("D", {11: "BY-HAND"}))
        await until(lambda: "NewOrderSingle(D)" in shown(panel) and image(panel) != before)
        panel.close()

    on_pair(story)


def test_a_panel_that_is_closed_at_once_shows_the_last_state() -> None:
    async def story(pair: Pair) -> None:
        panel = panel_on(pair.buy, pair.sell)
        await panel.press("connect")
        await pair.buy.send(Message("D", {11: "LAST"}))
        await pair.buy.logout()
        before = image(panel)
        panel.close()
        assert "Logout(5)" in shown(panel)
        assert image(panel) != before
        assert "no longer follows" in status(panel)

    on_pair(story)


def test_the_static_form_of_a_live_panel_has_no_times_or_ports() -> None:
    async def story(pair: Pair) -> None:
        panel = panel_on(pair.buy, pair.sell)
        await panel.press("connect")
        await panel.press("cut")
        html = panel._repr_mimebundle_()["text/html"]
        assert "BUY" in html
        assert "seconds" not in html
        assert "127.0.0.1" not in html
        panel.close()

    on_pair(story)


def test_two_ends_of_one_role_are_refused() -> None:
    async def story(pair: Pair) -> None:
        with pytest.raises(ConfigError, match="are both initiators"):
            panels.session(pair.buy, peer=pair.buy)

    on_pair(story)


def test_without_a_running_loop_a_live_action_says_what_it_needs() -> None:
    buy = Initiator(VENUE.mirrored(), port=9)
    panel = panel_on(buy)
    assert panel.press("connect").ok is False
    assert "needs the event loop in which the panel was built" in status(panel)


# Following a loop ------------------------------------------------------------------------


def changes(panel: Panel) -> list[str]:
    """Grows by one with each value that a widget of the panel takes."""
    seen: list[str] = []
    for widget in walk(panel.widget):
        if widget.has_trait("value"):
            widget.observe(lambda change: seen.append(change["owner"].model_id), "value")
    return seen


def test_many_changes_in_one_turn_are_drawn_as_few() -> None:
    async def run() -> None:
        lab = Loopback(seed=1)
        panel = panel_on(lab)
        panel.press("connect")
        seen = changes(panel)
        for number in range(300):
            lab.initiator.send(Message("D", {11: f"A-{number}"}))
            lab.run(seconds=0.1)
            panel.refresh()
        assert seen == []  # all of it is still to be drawn
        await until(lambda: ">302</td>" in shown(panel))
        assert len(seen) <= 6  # header, table and figure, once or twice each
        panel.close()

    asyncio.run(run())


def test_nothing_is_drawn_when_nothing_changed() -> None:
    async def run() -> None:
        lab = Loopback(seed=1)
        panel = panel_on(lab)
        panel.press("connect")
        await asyncio.sleep(0.5)
        seen = changes(panel)
        await asyncio.sleep(0.7)
        assert seen == []
        lab.run(seconds=1)
        await until(lambda: len(seen) > 0)
        panel.close()

    asyncio.run(run())


def test_closing_ends_the_task() -> None:
    async def run() -> None:
        panel = panel_on(Loopback(seed=1))
        await asyncio.sleep(0.01)  # it has begun to tick
        assert len(asyncio.all_tasks()) == 2
        panel.close()
        await asyncio.sleep(0.01)
        assert len(asyncio.all_tasks()) == 1
        panel.refresh()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(run())


def test_it_follows_no_longer_than_its_live_ends_can_change() -> None:
    async def story(pair: Pair) -> None:
        panel = panel_on(pair.buy)
        await panel.press("connect")
        others = asyncio.all_tasks()
        assert any("_ticking" in repr(task) for task in others)
        await pair.buy.close()
        await until(lambda: "DISCONNECTED" in shown(panel))
        await until(lambda: not any("_ticking" in repr(t) for t in asyncio.all_tasks()))
        assert enabled(panel) == set()
        assert "BUY is closed; make a new one" in button(panel, "send order").tooltip
        assert panel.press("connect").ok is False
        assert "BUY is closed" in status(panel)
        panel.refresh()
        assert not any("_ticking" in repr(task) for task in asyncio.all_tasks())
        panel.close()
        panel.close()

    on_pair(story)


def test_one_closed_end_of_two_is_not_the_end() -> None:
    async def story(pair: Pair) -> None:
        panel = panel_on(pair.buy, pair.sell)
        await panel.press("connect")
        await pair.buy.close()
        await until(lambda: "DISCONNECTED" in shown(panel))
        panel.drive("acceptor")
        assert (await panel.press("send order")).ok
        await until(lambda: "QUEUED" in shown(panel))
        panel.close()

    on_pair(story)


def test_a_reason_that_quotes_a_secret_is_masked_and_escaped() -> None:
    async def run() -> None:
        async with raw_server() as server:
            buy = Initiator(VENUE.mirrored(), port=server.port)
            panel = panel_on(buy)
            connecting = panel.press("connect")
            peer = await server.peers.get()
            await peer.read()
            peer.writer.write(wire(VENUE, "5", 1, "58=no <b>: 554=hunter2|"))
            await connecting
            await until(lambda: "no &lt;b&gt;: 554=***" in shown(panel))
            assert "hunter2" not in shown(panel)
            panel.close()
            await buy.close()

    asyncio.run(run())


def test_a_panel_outlives_its_loop() -> None:
    lab = Loopback(seed=1)

    async def build() -> SessionPanel:
        return panel_on(lab)

    panel = asyncio.run(build())
    assert panel.press("connect").ok
    assert "ACTIVE" in shown(panel)
    panel.close()


def test_a_killed_task_comes_back_with_the_next_action() -> None:
    async def run() -> None:
        lab = Loopback(seed=1)
        panel = panel_on(lab)
        (task,) = asyncio.all_tasks() - {asyncio.current_task()}
        task.cancel()
        await asyncio.sleep(0)
        panel.press("connect")
        lab.initiator.send(Message("D", {11: "LATER"}))
        await until(lambda: "NewOrderSingle(D)" in shown(panel))
        panel.close()

    asyncio.run(run())


def test_a_click_from_another_thread_runs_on_the_panels_loop() -> None:
    async def run() -> None:
        lab = Loopback(seed=1)
        panel = panel_on(lab)
        await asyncio.to_thread(button(panel, "connect & log on").click)
        await until(lambda: lab.initiator.session.state is SessionState.ACTIVE)
        panel.close()

    asyncio.run(run())
