"""The session panel on a loopback, without an event loop: each action shows at once."""

from __future__ import annotations

import re
from io import BytesIO

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.image import imread

from fixlab import panels
from fixlab.errors import ConfigError, StateError
from fixlab.panels._session import SessionPanel
from fixlab.plots import style
from fixlab.rules import RULES
from fixlab.session.config import SessionConfig
from fixlab.session.transitions import SessionState
from fixlab.sim.loopback import Loopback
from fixlab.wire.message import Message
from fixlab.wire.tags import ADMIN_TYPES
from tests.dictionary.published import published
from tests.panels.controls import button, enabled, image, shown, status


def panel_on(lab: Loopback) -> SessionPanel:
    return panels.session(lab)


@pytest.fixture
def lab() -> Loopback:
    return Loopback(seed=7)


def test_a_click_on_each_button_of_the_story_recovers_a_lost_order(lab: Loopback) -> None:
    panel = panel_on(lab)
    for name in ("connect & log on", "lose next", "send order", "send order"):
        button(panel, name).click()
    kinds = list(lab.journal.to_frame()["kind"])
    assert "GAP_OPENED" in kinds
    assert "GAP_CLOSED" in kinds
    assert [message[11] for message in lab.acceptor.received] == ["ORD-1", "ORD-2"]
    assert "GAP_CLOSED" in shown(panel)
    assert shown(panel).count("in step") == 2
    assert status(panel).endswith("BUY sent MsgSeqNum 3.</div>")


def test_press_does_what_a_click_does_and_shows_the_status_line(lab: Loopback) -> None:
    panel = panel_on(lab)
    assert repr(panel.press("connect")) == "BUY is connected and logged on."
    sent = panel.press("send order")
    assert (sent.ok, sent.result, repr(sent)) == (True, 2, "BUY sent MsgSeqNum 2.")


def test_orders_are_numbered_and_stamped_by_the_virtual_clock(lab: Loopback) -> None:
    panel = panel_on(lab)
    panel.press("connect")
    panel.press("send order")
    (order,) = lab.acceptor.received
    assert (order.msg_type, order[11], order[55], order[44]) == ("D", "ORD-1", "ACME", "10.25")
    assert order[60].startswith("20260105-09:00:01.")


def test_each_action_lets_a_second_pass_but_losing_does_not(lab: Loopback) -> None:
    panel = panel_on(lab)
    panel.press("connect")
    before = lab.clock.now()
    panel.press("lose next", 3)
    assert lab.clock.now() == before
    panel.press("send order")
    assert lab.clock.now() == before + 1_000_000_000
    panel.press("advance", 5)
    assert lab.clock.now() == before + 6_000_000_000


def test_a_lost_message_shows_as_ahead_and_then_as_a_gap(lab: Loopback) -> None:
    panel = panel_on(lab)
    panel.press("connect")
    panel.press("lose next", 2)
    assert "BUY</b> initiator <b>ACTIVE</b> · loses its next 2 messages" in shown(panel)
    panel.press("send order")
    panel.press("send order")
    assert "2 ahead: lost, or still on the way" in shown(panel)
    lab.initiator.send(Message("D", {11: "X", 55: "ACME"}))
    while lab.acceptor.session.gap is None:
        lab.run(seconds=0.001)
    panel.refresh()
    assert "missing 2-3, 1 held" in shown(panel)
    assert button(panel, "reset").disabled is False  # the initiator itself misses nothing
    panel.drive("acceptor")
    assert "a gap is open" in button(panel, "reset").tooltip


def test_numbers_behind_are_called_out() -> None:
    lab = Loopback(seed=1)
    panel = panel_on(lab)
    panel.press("connect")
    panel.press("send order")
    lab.cut()
    lab.initiator.session.store.reset()
    lab.initiator.session.connected(lab.clock.now())
    panel.refresh()
    assert "SELL expects more than BUY has sent" in shown(panel)


def test_skip_cut_reset_and_log_out(lab: Loopback) -> None:
    panel = panel_on(lab)
    panel.press("connect")
    panel.press("skip numbers", 3)
    assert lab.initiator.session.next_out == 5
    panel.press("send order")
    assert lab.acceptor.session.next_in == 6
    panel.press("cut")
    assert lab.initiator.session.state is SessionState.DISCONNECTED
    panel.press("connect")
    panel.press("reset")
    assert lab.initiator.session.next_out < 5
    panel.press("log out")
    assert lab.acceptor.session.state is SessionState.DISCONNECTED
    assert "RESET_BOTH" in shown(panel)


def test_test_request_is_answered(lab: Loopback) -> None:
    panel = panel_on(lab)
    panel.press("connect")
    panel.press("send TestRequest")
    answered = lab.journal.tail(1).iloc[0]
    assert (answered["kind"], answered["msg_type"]) == ("ACCEPTED", "0")
    assert "TestRequest(1)" in shown(panel)
    assert "Heartbeat(0)" in shown(panel)


def test_the_other_end_can_be_driven(lab: Loopback) -> None:
    panel = panel_on(lab)
    panel.press("connect")
    panel.drive("acceptor")
    assert repr(panel.press("send order")) == "SELL sent MsgSeqNum 2."
    assert lab.initiator.received[0][11] == "ORD-1"


def test_the_staircase_shows_the_end_that_is_not_driven_until_told_otherwise(
    lab: Loopback,
) -> None:
    panel = panel_on(lab)
    for name in ("connect", "lose next", "send order", "send order"):
        panel.press(name)
    of_acceptor = image(panel)
    assert of_acceptor.startswith(b"\x89PNG")
    panel.drive("acceptor")
    of_initiator = image(panel)
    assert of_initiator != of_acceptor
    panel.watch("acceptor")
    assert image(panel) == of_acceptor


def test_a_message_of_ones_own(lab: Loopback) -> None:
    panel = panel_on(lab)
    panel.press("connect")
    panel.press("send message", "35=B|148=Hello|33=1|58=World|")
    assert lab.acceptor.received[0][148] == "Hello"


def test_buttons_that_make_no_sense_are_off_and_say_why(lab: Loopback) -> None:
    panel = panel_on(lab)
    off = {"log out", "send TestRequest", "cut"}
    assert enabled(panel) == set(panel.buttons) - off
    assert button(panel, "cut").tooltip.startswith("Not now: BUY has no connection. Breaks ")
    panel.press("connect")
    assert enabled(panel) == set(panel.buttons) - {"connect & log on"}
    refused = panel.press("connect")
    assert refused.ok is False
    assert "BUY is connected already, it is ACTIVE" in status(panel)


def test_every_tooltip_is_a_sentence_that_names_rules_of_the_catalogue(lab: Loopback) -> None:
    panel = panel_on(lab)
    for name in panel.buttons:
        ids = re.findall(r"[A-Z]{3}-[0-9]{2}", button(panel, name).tooltip)
        assert ids, name
        assert all(rule in RULES for rule in ids), name


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("send message", "nonsense", "MessageError: not a FIX message"),
        ("send message", "35=A|98=0|108=30|", "MessageError: Logon belongs to the session"),
        ("send TestRequest", None, "StateError: send TestRequest: BUY is not logged on"),
        ("log out", None, "StateError: log out: BUY is not logged on"),
    ],
)
def test_what_goes_wrong_stands_in_the_status_line(
    lab: Loopback, name: str, value: str | None, said: str
) -> None:
    panel = panel_on(lab)
    pressed = panel.press(name, value)
    assert pressed.ok is False
    assert said in repr(pressed)
    assert f"Error: {said}" in status(panel)
    assert "fixlab-error" in status(panel)
    assert type(panel.error).__name__ == said.partition(":")[0]
    assert panel.press("connect").ok
    assert panel.error is None
    assert "fixlab-error" not in status(panel)


def test_an_error_of_the_library_itself_does_not_escape(lab: Loopback) -> None:
    panel = panel_on(lab)

    def broken() -> None:
        raise ZeroDivisionError("<b>boom</b>")

    lab.initiator.connect = broken  # type: ignore[method-assign]
    button(panel, "connect & log on").click()
    assert "ZeroDivisionError: &lt;b&gt;boom&lt;/b&gt;" in status(panel)


def test_an_error_in_drawing_stands_in_the_status_line(lab: Loopback) -> None:
    panel = panel_on(lab)
    lab.journal.tail = lambda n=10: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    panel.refresh()
    assert "ZeroDivisionError" in status(panel)


def test_a_logon_that_fails_is_told_with_its_rule(lab: Loopback) -> None:
    panel = panel_on(lab)
    panel.press("lose next", 1)
    assert panel.press("connect").ok is False
    assert isinstance(panel.error, StateError)
    assert "LGN-28" in status(panel)
    assert "TIMED_OUT" in shown(panel)


def test_hostile_text_is_escaped_everywhere(lab: Loopback) -> None:
    panel = panel_on(lab)
    panel.press("connect")
    lab.acceptor.logout("<script>alert(1)</script>")
    lab.run(seconds=1)
    panel.refresh()
    bundle = panel._repr_mimebundle_()
    for text in (shown(panel), bundle["text/html"]):
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
        assert "<script" not in text
    panel.press("send message", "<script>35=D</script>")
    assert "<script" not in status(panel)


def test_hostile_comp_ids_are_escaped() -> None:
    config = SessionConfig(sender_comp_id="<img src=x>", target_comp_id='"><i>')
    panel = panel_on(Loopback(config=config))
    panel.press("connect")
    assert "<img" not in shown(panel)
    assert '"><i>' not in shown(panel)


def test_secrets_are_masked(lab: Loopback) -> None:
    panel = panel_on(lab)
    pressed = panel.press("send message", "hello|554=topsecret|")
    assert "topsecret" not in status(panel)
    assert "topsecret" not in repr(pressed)
    panel.press("connect")
    lab.acceptor.logout("wrong 554=topsecret")
    lab.run(seconds=1)
    panel.refresh()
    assert "554=***" in shown(panel)
    assert "topsecret" not in shown(panel) + panel._repr_mimebundle_()["text/html"]


def test_the_rule_of_a_transition_carries_its_title(lab: Loopback) -> None:
    panel = panel_on(lab)
    panel.press("connect")
    title = RULES["LGN-05"].title
    assert f'<abbr title="{title}">LGN-05</abbr>' in shown(panel)


def test_a_bounded_number_of_transitions_is_shown(lab: Loopback) -> None:
    panel = panel_on(lab)
    panel.press("connect")
    for number in range(20):
        lab.initiator.send(Message("D", {11: f"A-{number}"}))
    panel.refresh()
    assert shown(panel).count('class="fx-kind"') == 12
    assert panel._repr_mimebundle_()["text/html"].count('class="fx-kind"') == 12


def test_the_forms_without_a_kernel_are_the_same_in_every_run() -> None:
    def forms() -> tuple[str, str]:
        panel = panel_on(Loopback(seed=3))
        for name in ("connect", "lose next", "send order", "send order"):
            panel.press(name)
        bundle = panel._repr_mimebundle_()
        assert "application/vnd.jupyter.widget-view+json" in bundle
        assert bundle["text/plain"] == repr(panel)
        return bundle["text/plain"], bundle["text/html"]

    text, html = forms()
    assert (text, html) == forms()
    assert text == (
        "<Panel BUY initiator ACTIVE, NextNumIn 3, NextNumOut 4; "
        "SELL acceptor ACTIVE, NextNumIn 4, NextNumOut 3>"
    )
    assert "GAP_CLOSED" in html
    assert "in step" in html


def test_an_empty_panel_says_what_to_do(lab: Loopback) -> None:
    panel = panel_on(lab)
    assert "No transitions yet: connect first." in shown(panel)
    assert "Start with connect" in status(panel)
    assert image(panel).startswith(b"\x89PNG")


def test_a_closed_panel_does_nothing_more(lab: Loopback) -> None:
    panel = panel_on(lab)
    panel.close()
    assert enabled(panel) == set()
    assert panel.press("connect").ok is False
    assert lab.initiator.session.state is SessionState.DISCONNECTED
    assert "this panel is closed" in status(panel)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("fly", None, "no single button 'fly'; the buttons are: connect & log on, "),
        ("send", None, "no single button 'send'"),
        ("", None, "no single button ''"),
        ("cut", 3, "the button 'cut' takes no value, found 3"),
        ("lose next", 0, "takes a number from 1 to 1000, found 0"),
        ("lose next", 10**6, "takes a number from 1 to 1000, found 1000000"),
        ("advance", "soon", "takes a number from 0 to 86400, found 'soon'"),
    ],
)
def test_a_press_that_means_nothing_raises(
    lab: Loopback, name: str, value: object, said: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        panel_on(lab).press(name, value)


def test_what_cannot_be_driven_is_refused_with_what_it_lacks(lab: Loopback) -> None:
    with pytest.raises(ConfigError, match="str has no session, journal, send, test_request"):
        panels.session("FIX.4.4:BUY->SELL")
    with pytest.raises(ConfigError, match="has both ends already"):
        panels.session(lab, peer=lab)
    with pytest.raises(ConfigError, match="no 'bank' in sight, only: initiator, acceptor"):
        panel_on(lab).drive("bank")


def test_nothing_of_a_long_storys_figure_is_cut_off(lab: Loopback) -> None:
    panel = panel_on(lab)
    panel.press("connect")
    short = _pixels(panel)
    for name in (
        "lose", "send order", "send order", "skip", "send order", "cut", "connect", "reset",
        "send order", "cut", "connect", "log out", "connect", "log out",
    ):  # fmt: skip
        assert panel.press(name).ok, status(panel)
    long = _pixels(panel)
    assert len(long) > len(short)
    for pixels in (short, long):
        opaque = pixels[:, :, 3] > 0
        edges = (opaque[:2], opaque[-2:], opaque[:, :2], opaque[:, -2:])
        assert not any(edge.any() for edge in edges), "something reaches the picture's edge"


def _pixels(panel: SessionPanel) -> npt.NDArray[np.float32]:
    """Rows, columns and RGBA of the staircase."""
    return np.asarray(imread(BytesIO(image(panel)), format="png"), np.float32)


def row_of(panel: SessionPanel, text: str) -> str:
    """The newest row of the table with `text` in it, as HTML."""
    rows: list[str] = re.findall(r"<tr.*?</tr>", shown(panel))
    return next(row for row in rows if text in row)


def test_sch_04_orders_that_wait_and_that_a_reset_drops_say_so(lab: Loopback) -> None:
    panel = panel_on(lab)
    panel.press("connect")
    panel.press("cut")
    panel.press("send order")
    panel.press("send order")
    waiting = row_of(panel, "QUEUED")
    assert style.HELD in waiting
    assert "has its number and leaves later by replay" in waiting
    panel.press("reset")
    panel.press("connect")
    dropped = row_of(panel, "SCH-04")
    assert style.MISSING in dropped
    assert "numbers 2-3 · queued, dropped by the reset · will never be sent" in dropped
    assert shown(panel).count("will never be sent") == 1


def test_rsp_09_a_gap_fill_over_stored_orders_says_that_they_never_leave() -> None:
    config = SessionConfig(
        sender_comp_id="BUY", target_comp_id="SELL", gap_fill_types=ADMIN_TYPES | {"D"}
    )
    panel = panel_on(Loopback(seed=7, config=config))
    panel.press("connect")
    panel.press("cut")
    panel.press("send order")
    panel.press("send order")
    panel.press("connect")
    passed = row_of(panel, "FILL_SENT")
    assert style.MISSING in passed
    assert passed.count("stored 2-3 will never be sent") == 1
    assert shown(panel).count("never be sent") == 1


def test_a_warning_is_coloured_and_says_that_the_message_was_processed() -> None:
    config = SessionConfig(
        sender_comp_id="BUY",
        target_comp_id="SELL",
        dictionary=published("FIX.4.4"),
        validation="warn",
    )
    panel = panel_on(Loopback(seed=7, config=config))
    panel.press("connect")
    panel.press("send message", "35=D|11=A|54=Z|")
    warned = row_of(panel, "WARNED")
    assert style.ERROR in warned
    assert "processed all the same" in warned
    assert style.ERROR not in row_of(panel, ">ACCEPTED<")
