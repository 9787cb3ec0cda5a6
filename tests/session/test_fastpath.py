"""What is learnt of the bodies of usual messages makes finding them faster, and no more."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixlab.session import fastpath
from fixlab.session.config import SessionConfig
from fixlab.session.fastpath import Find, usual_messages

CONFIG = SessionConfig(sender_comp_id="ME", target_comp_id="YOU")
BODY = 7  # where a body that is not known by heart stands
# Few of them, so that bodies repeat, begin alike and hold what the quick way must not take.
FIELDS = st.sampled_from(
    [b"11=A", b"11=B\xff", b"1=10=000", b"58=x", b"=", b"11=", b"95=1", b"96=a", b"43=Y"]
)
BODIES = st.lists(FIELDS, max_size=4).map(lambda fields: b"".join(f + b"\x01" for f in fields))


def message(body: bytes, end: bytes = b"10=000\x01") -> bytes:
    """A usual message but for its numbers, which are for the session to compare."""
    return (
        b"8=FIX.4.4\x019=1\x0135=D\x0134=2\x0149=YOU\x0152=20260105-09:00:00\x0156=ME\x01"
        + (body + end)
    )


def finder(monkeypatch: pytest.MonkeyPatch, **limits: int) -> Find:
    for name, value in limits.items():
        monkeypatch.setattr(fastpath, f"_{name.upper()}", value)
    return usual_messages(CONFIG)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(BODIES, st.sampled_from([b"10=000\x01", b"10=000", b""])), max_size=9)
)
def test_what_was_learnt_changes_nothing_that_is_found(
    messages: list[tuple[bytes, bytes]],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        find = finder(patch, learn_after=1, bodies_max=4)
        for body, end in messages:
            # The same again, now that it may be known; and in one go with what it may be.
            for data in (message(body, end), message(body) + message(body, end)):
                fresh = usual_messages(CONFIG)(data)
                assert [(*f[:BODY], *f[BODY + 1 :]) for f in find(data)] == [
                    (*f[:BODY], *f[BODY + 1 :]) for f in fresh
                ]


def test_a_body_that_is_met_often_is_learnt() -> None:
    find = usual_messages(CONFIG)
    raw = message(b"11=A\x0158=x\x01")
    for _ in range(fastpath._LEARN_AFTER):
        assert find(raw)[0][BODY] == b"11=A\x0158=x\x01"
    assert find(raw)[0][BODY] == b""
    assert find(message(b"11=B\x0158=y\x01"))[0][BODY] == b""
    assert find(message(b"11=A\x01"))[0][BODY] == b"11=A\x01"


def test_so_many_bodies_are_learnt_and_none_of_too_many_fields(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    find = finder(monkeypatch, learn_after=1, bodies_max=2, body_fields_max=3)
    bodies = [b"%d=x\x01" % tag * count for tag, count in ((1, 4), (2, 3), (3, 1), (4, 1))]
    for body in bodies:
        find(message(body))
    known = [find(message(body))[0][BODY] == b"" for body in bodies]
    assert known == [False, True, True, False]
