"""Versions, options and profiles against each other: what differs, and what must hold anyway.

More scenarios than there is time for here: `python -m tests.session.hunt 20000`.
"""

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixlab.errors import ConfigError
from fixlab.session.profiles import PROFILES
from fixlab.session.transitions import Role
from fixlab.stores.memory import MemoryStore
from fixlab.wire.tags import ADMIN_TYPES
from tests.session.duel import Duel, Scenario, dictionary, draw, play
from tests.session.pair import Op
from tests.session.script import ACCEPTOR, INITIATOR, T0, Bench, bench, config

VERSIONS = {
    "FIX.4.0": {"begin_string": "FIX.4.0"},
    "FIX.4.1": {"begin_string": "FIX.4.1"},
    "FIX.4.2": {"begin_string": "FIX.4.2"},
    "FIX.4.3": {"begin_string": "FIX.4.3"},
    "FIX.4.4": {"begin_string": "FIX.4.4"},
    "FIX.5.0": {"begin_string": "FIXT.1.1", "default_appl_ver_id": "FIX.5.0"},
    "FIX.5.0SP1": {"begin_string": "FIXT.1.1", "default_appl_ver_id": "FIX.5.0SP1"},
    "FIX.5.0SP2": {"begin_string": "FIXT.1.1", "default_appl_ver_id": "FIX.5.0SP2"},
}
NAMES = tuple(VERSIONS)
OLD = NAMES[:2]
FIXT = NAMES[5:]
PAIRS = [(one, two) for one in PROFILES for two in PROFILES]

every_version = pytest.mark.parametrize("version", NAMES)

# Both sides miss orders of the other, one of them also in the middle, and lose the connection.
TROUBLE: tuple[Op, ...] = (
    ("send", 0, 2),
    ("flow",),
    ("lose", 0, 1),
    ("lose", 1, 2),
    ("send", 0, 3),
    ("send", 1, 4),
    ("cut",),
    ("send", 1, 2),
    ("send", 0, 1),
    ("connect",),
    ("flow",),
    ("lose", 1, 1),
    ("send", 1, 3),
    ("flow",),
    ("skip", 0, 3),
    ("send", 0, 1),
    ("flow",),
)


def at(version: str, **more: Any) -> dict[str, Any]:
    """The settings of a version, and more."""
    return {**VERSIONS[version], **more}


# Any of them at once -----------------------------------------------------------------------


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**48))
def test_whatever_both_ends_are_set_to_they_agree_and_lose_nothing_unsaid(seed: int) -> None:
    # A seed, not a schedule, for speed: `tests.session.hunt` reduces one that fails.
    play(draw(random.Random(seed)))


@pytest.mark.parametrize(("mine", "yours"), PAIRS, ids="-".join)
@every_version
def test_spec_and_every_profile_recover_from_every_other(
    version: str, mine: str, yours: str
) -> None:
    duel = play(Scenario(at(version), {"profile": mine}, {"profile": yours}, TROUBLE))
    assert duel.resets == 0
    assert duel.lost == ({}, {})
    # Each order once and in order, with the one that a healing sends at its end.
    assert duel.ends[0].got == list(range(1, 11))
    assert duel.ends[1].got == list(range(1, 9))
    # RRQ-04: three gaps a side at the most, and no request beyond what they need.
    assert max(end.requests for end in duel.ends) <= 6


@pytest.mark.parametrize("chunk", [1, 2, 3, 4, 5])
@every_version
def test_rrq_03_parts_of_any_length_bring_all(version: str, chunk: int) -> None:
    duel = play(Scenario(at(version, resend_chunk_max=chunk), ops=TROUBLE))
    assert duel.ends[0].got == list(range(1, 11))
    assert duel.lost == ({}, {})


@pytest.mark.parametrize(
    "options",
    [
        {"next_expected": True},
        {"last_processed": True},
        {"resend_range": "exact"},
        {"early_messages": "drop"},
        {"early_messages": "drop", "resend_timeout_seconds": None},
        {"resend_timeout_seconds": None},
        {"redundant_requests": True},
        {"gap_fill_types": ADMIN_TYPES - {"3"}},
        {"test_session": True},
        {"sender_sub_id": "DESK", "target_sub_id": "FLOOR"},
        {"logon_fields": ((95, "3"), (96, "abc"))},
        {"username": "joe", "password": "x"},
    ],
    ids=str,
)
@pytest.mark.parametrize("sides", ["both", "mine", "yours"])
@every_version
def test_each_option_on_either_side_or_both_loses_nothing(
    version: str, sides: str, options: dict[str, object]
) -> None:
    if sides != "both" and {"next_expected", "test_session", "username"} & set(options):
        return  # agreed upon by both sides or refused, as tests of their own show
    own: dict[str, dict[str, Any]] = {"both": at(version), "mine": {}, "yours": {}}
    own[sides].update(options)
    scenario = Scenario(own["both"], own["mine"], own["yours"], TROUBLE)
    if _lacks(version, options):
        with pytest.raises(ConfigError):
            Duel(scenario)
        return
    duel = play(scenario)
    assert duel.ends[0].got == list(range(1, 11))
    assert duel.ends[1].got == list(range(1, 9))
    assert duel.lost == ({}, {})


def _lacks(version: str, options: dict[str, object]) -> bool:
    """Whether a version does not have the fields that an option writes."""
    first = {
        "next_expected": "FIX.4.4",
        "last_processed": "FIX.4.2",
        "test_session": "FIX.4.3",
        "username": "FIX.4.3",
    }
    return any(
        name in options and NAMES.index(version) < NAMES.index(since)
        for name, since in first.items()
    )


@pytest.mark.parametrize(
    "options", [{"persist_messages": False}, {"gap_fill_types": ADMIN_TYPES | {"D"}}], ids=str
)
@every_version
def test_rsp_09_rsp_11_what_is_not_resent_is_all_that_is_lost(
    version: str, options: dict[str, object]
) -> None:
    duel = play(Scenario(at(version), {}, options, TROUBLE))
    lost = duel.lost[1]
    assert lost, "the schedule loses some of them on the way"
    assert set(lost.values()) == {"withheld"}
    assert sorted([*duel.ends[0].got, *lost]) == list(range(1, 11))
    # The other direction is not concerned.
    assert duel.ends[1].got == list(range(1, 9))
    assert duel.lost[0] == {}


# What a profile loses, or delays ------------------------------------------------------------


@pytest.mark.parametrize("profile", ["quickfix", "quickfixn"])
def test_rsp_12_uncounted_requests_of_both_sides_in_step_trail_by_one(profile: str) -> None:
    # What that habit costs with exact ranges: each request is itself a number that the other
    # side answers and does not count, so it shows as the next hole. Nothing is lost, and no
    # more than one request a side leaves in each interval.
    ops: tuple[Op, ...] = (("skip", 1, 3), ("send", 0, 4), ("cut",), ("connect",), ("flow",))
    both = {"profile": profile, "resend_range": "exact"}
    duel = Duel(Scenario(both, ops=ops))
    duel.connect()
    for op in ops:
        duel.apply(op)
    before = [end.requests for end in duel.ends]
    duel.wait(30 * 20 + 1)
    asked = [end.requests - was for end, was in zip(duel.ends, before, strict=True)]
    assert all(0 < count <= 20 for count in asked)
    assert duel.ends[1].got == [1, 2, 3, 4]
    # One message that the other side does not answer in kind, and it is over.
    duel.wait(7)
    duel.send(0)
    duel.flow()
    duel.wait(120)
    before = [end.requests for end in duel.ends]
    duel.wait(120)
    assert [end.requests for end in duel.ends] == before
    assert duel.settled()


@pytest.mark.parametrize("profile", PROFILES)
def test_rsp_12_requests_that_cross_are_both_answered_whatever_the_profile(
    profile: str,
) -> None:
    ops: tuple[Op, ...] = (("lose", 0, 1), ("lose", 1, 1), ("send", 0, 2), ("send", 1, 2))
    duel = play(Scenario({"profile": profile}, ops=ops))
    assert duel.ends[0].got == [1, 2, 3]
    assert duel.ends[1].got == [1, 2, 3]
    assert max(end.requests for end in duel.ends) <= 3


def test_seq_07_dropped_early_messages_all_come_again_but_their_test_requests_do_not() -> None:
    # "drop" loses no order, but an early TestRequest is never answered: the peer fills over it.
    made = bench(early_messages="drop", resend_timeout_seconds=None)
    made.receive("35=D|34=4|11=C|", "35=1|34=5|112=T|")
    assert made.delivered == []
    again = "43=Y|122=20260105-09:00:00|"
    made.receive(
        f"35=D|34=2|{again}11=A|", f"35=D|34=3|{again}11=B|", f"35=D|34=4|{again}11=C|"
    )
    assert made.delivered == [2, 3, 4]
    made.receive(f"35=4|34=5|{again}123=Y|36=6|")
    assert made.sent == []
    assert made.session.gap is None
    assert made.counters == (6, 3)


def test_sqr_16_two_more_messages_show_that_an_answer_stopped_where_no_time_out_does() -> None:
    made = bench(early_messages="drop", resend_timeout_seconds=None)
    made.receive("35=D|34=3|11=B|")
    again = "43=Y|122=20260105-09:00:00|"
    made.receive(f"35=D|34=2|{again}11=A|")
    made.tick(10_000)  # no time-out: nothing but what silence demands
    assert made.session.gap is not None
    assert not any(line.startswith("35=2|") for line in made.sent)
    made.receive("35=0|34=4|")
    assert made.sent == []
    made.receive("35=0|34=5|")
    assert made.sent == [f"35=2|34={made.session.next_out - 1}|7=3|16=0|"]


# Found by such scenarios ----------------------------------------------------------------------


@every_version
def test_lgn_03_what_comes_in_place_of_the_logon_answer_is_not_lost(version: str) -> None:
    # The Logon answer is lost and what the acceptor had queued comes first, by 789 or by haste.
    made = Bench(INITIATOR, **at(version))
    made.connected()
    made.receive("35=D|34=1|11=A|")
    assert made.rows[0] == "REJECTED LGN-03"
    assert made.counters == (1, 3)
    made.disconnected()
    made.connected()
    made.receive(made.logon_text(3))
    assert [line.split("|7=")[0] for line in made.sent] == ["35=2|34=4"]
    made.receive(f"35=D|34=1|43=Y|122={T0}|11=A|")
    assert made.delivered == [1]


def test_rsp_15_an_order_sent_during_a_replay_leaves_though_its_type_is_not_resent() -> None:
    made = bench(gap_fill_types=ADMIN_TYPES | {"D"}, replay_batch_max=1)
    made.send("35=D|11=A|")
    made.send("35=D|11=B|")
    made.receive("35=2|34=2|7=2|16=0|")
    assert made.send("35=D|11=C|") == ["QUEUED RSP-15 3/5"]
    made.tick()
    assert [line[:12] for line in made.sent] == ["35=4|34=2|43", "35=D|34=4|43"]
    # Asked for again it is as stale as the others.
    made.receive("35=2|34=3|7=4|16=4|")
    assert made.sent[0].startswith("35=4|34=4|")


def test_sch_08_an_order_sent_during_the_logon_leaves_though_its_type_is_not_resent() -> None:
    made = Bench(INITIATOR, gap_fill_types=ADMIN_TYPES | {"D"})
    made.connected()
    made.send("35=D|11=A|")
    made.receive(made.logon_text())
    assert made.sent[0].startswith("35=D|34=2|43=Y|")


def test_rsp_09_an_order_that_waited_for_a_connection_and_is_not_resent_is_told() -> None:
    made = Bench(INITIATOR, gap_fill_types=ADMIN_TYPES | {"D"})
    made.send("35=D|11=A|")
    made.send("35=D|11=B|")
    made.active()
    made.receive("35=2|34=2|7=1|16=0|")
    assert made.sent[0].startswith("35=4|34=1|")
    assert made.events == ["Dropped 1-2"]


@pytest.mark.parametrize("role", [INITIATOR, ACCEPTOR])
def test_sch_04_a_queued_order_counts_as_queued_until_it_was_resent(role: Role) -> None:
    made = Bench(role, reset_on_disconnect=True)
    made.send("35=D|11=A|")
    made.send("35=D|11=B|")
    made.send("35=D|11=C|")
    made.active()
    made.receive(f"35=2|34={made.session.next_in}|7=1|16=2|")
    assert [line[:9] for line in made.sent] == ["35=D|34=1", "35=D|34=2"]
    made.disconnected()
    assert made.events == ["Ended DSC-03", "Dropped 3-3"]
    made.active()
    made.disconnected()
    assert made.events == ["Ended DSC-03"]


def test_lgn_19_a_reset_that_a_crash_cut_short_is_known_though_nothing_is_persisted() -> None:
    store = MemoryStore(next_out=9, next_in=7)
    made = Bench(INITIATOR, store=store, persist_messages=False)
    made.reset()
    made.connected()
    assert "|141=Y|" in made.sent[0]
    store.commit()
    again = Bench(INITIATOR, store=store, persist_messages=False)
    again.connected()
    assert again.sent == ["35=A|34=1|98=0|108=30|141=Y|"]


def test_lgn_20_a_reset_that_the_peer_may_not_have_learned_of_is_made_again() -> None:
    made = bench(ACCEPTOR)
    made.reset()
    made.receive(f"35=0|34=2|112={made.pending_test_id()}|")
    made.disconnected()  # before the Logon with 141=Y was answered
    made.connected()
    made.receive(made.logon_text(4))
    assert "|141=Y|" in made.sent[0]
    made.disconnected()  # and that answer was lost, too
    made.connected()
    made.receive(made.logon_text(5))
    assert made.rows[0] == "RESET_BOTH LGN-17"
    assert made.sent == ["35=A|34=1|98=0|108=30|141=Y|"]
    # Once the peer speaks under the new numbers it has learned of it.
    made.receive("35=0|34=2|")
    made.disconnected()
    made.connected()
    made.receive(made.logon_text(5))
    assert "HELD LGN-10" in made.rows
    assert "141=Y" not in made.sent[0]


# Versions (section 2) ------------------------------------------------------------------------


@every_version
def test_rrq_02_to_the_end_is_999999_up_to_4_1_and_0_after(version: str) -> None:
    made = bench(**at(version))
    made.receive("35=D|34=3|11=B|")
    end = 999_999 if version in OLD else 0
    assert made.sent == [f"35=2|34=2|7=2|16={end}|"]


@every_version
def test_rsp_06_both_ends_to_infinity_are_understood_up_to_4_2(version: str) -> None:
    for end in (0, 999_999):
        made = bench(**at(version))
        made.send()
        made.send()
        made.receive(f"35=2|34=2|7=2|16={end}|")
        assert [line.partition("|43=")[0] for line in made.sent] == ["35=D|34=2", "35=D|34=3"]
    # Below BeginSeqNo(7) only what stands for infinity is a valid end.
    made = bench(**at(version), next_in=3, next_out=1_000_005)
    made.receive(f"35=2|34={made.session.next_in}|7=1000001|16=999999|")
    rejected = version not in NAMES[:3]
    assert made.sent[0].startswith("35=3|" if rejected else "35=4|")


@every_version
def test_hdr_05_sending_time_has_whole_seconds_up_to_4_1_and_milliseconds_after(
    version: str,
) -> None:
    made = bench(**at(version))
    made.wait(0.25)
    made.send()
    digits = b"" if version in OLD else b".250"
    assert b"\x0152=20260105-09:00:00" + digits + b"\x01" in made.output.data
    # A fraction that the version lacks is no SendingTime.
    made.receive("35=D|34=2|52=20260105-09:00:00.000|11=A|")
    assert made.delivered == ([] if version in OLD else [2])


@pytest.mark.parametrize("digits", range(10))
@every_version
def test_hdr_05_the_agreed_precision_holds_in_every_version(version: str, digits: int) -> None:
    made = bench(**at(version, timestamp_digits=digits))
    made.wait(0.123456789)
    made.send()
    fraction = f".{'123456789'[:digits]}" if digits else ""
    assert f"\x0152=20260105-09:00:00{fraction}\x01".encode() in made.output.data
    made.receive("35=D|34=2|11=A|")
    assert made.delivered == [2]


# A rule, a message that breaks it, and what the Reject says from 4.2 on: RefTagID(371),
# RefMsgType(372), SessionRejectReason(373), and the first version with that reason.
REJECTS = [
    ("HBT-10", "35=1|34=2|", 112, "1", 1, "FIX.4.2"),
    ("RSP-07", "35=2|34=2|7=0|16=0|", 7, "2", 5, "FIX.4.2"),
    ("RSP-07", "35=2|34=2|7=x|16=0|", 7, "2", 6, "FIX.4.2"),
    ("SQR-13", "35=4|34=2|123=Y|36=x|", 36, "4", 6, "FIX.4.2"),
    # As its dictionary finds them.
    ("REJ-04", "35=1|34=2|3999=x|112=a|", 3999, "1", 0, "FIX.4.2"),
    ("REJ-11", "35=1|34=2|112=a|112=b|", 112, "1", 13, "FIX.4.3"),
    ("REJ-10", "35=1|34=2|112=a|50=DESK|", 50, "1", 14, "FIX.4.3"),
]


@pytest.mark.parametrize(
    ("rule", "text", "tag", "kind", "reason", "since"),
    REJECTS,
    ids=[f"{rule}-{reason}" for rule, _, _, _, reason, _ in REJECTS],
)
@every_version
def test_rej_03_the_shape_of_a_reject_is_that_of_its_version(
    version: str, rule: str, text: str, tag: int, kind: str, reason: int, since: str
) -> None:
    settings = at(version)
    if rule.startswith("REJ"):
        settings["dictionary"] = dictionary(
            str(settings["begin_string"]), settings.get("default_appl_ver_id")
        )
    made = bench(**settings)
    made.receive(text)
    assert made.rows[0] == f"REJECTED {rule}"
    reject = made.sent[0]
    assert reject.startswith("35=3|34=2|45=2|58=")
    shape = reject.partition("|58=")[2].partition("|")[2]
    if version in OLD:
        assert shape == ""
        return
    code = f"373={reason}|" if NAMES.index(version) >= NAMES.index(since) else ""
    assert shape == f"371={tag}|372={kind}|{code}"


@every_version
def test_rej_23_business_rejects_begin_with_4_2(version: str) -> None:
    made = bench(**at(version, supported_types=frozenset({"8"})))
    made.receive("35=D|34=2|11=A|")
    assert made.sent[0].startswith("35=3|" if version in OLD else "35=j|")
    assert ("|380=3|" in made.sent[0]) == (version not in OLD)


@every_version
def test_lgn_25_only_fixt_carries_default_appl_ver_id_and_demands_it(version: str) -> None:
    made = Bench(INITIATOR, **at(version))
    made.connected()
    code = {"FIX.5.0": "7", "FIX.5.0SP1": "8", "FIX.5.0SP2": "9"}.get(version)
    assert made.sent[0].endswith(f"108=30|1137={code}|" if code else "108=30|")
    answer = "35=A|34=1|98=0|108=30|"
    made.receive(answer)
    assert (made.state == "ACTIVE") == (version not in FIXT)
    if version not in FIXT:
        with pytest.raises(ConfigError, match="default_appl_ver_id"):
            config(**at(version, default_appl_ver_id="FIX.5.0"))


@pytest.mark.parametrize("theirs", ["2", "6", "7", "8", "9"])
@pytest.mark.parametrize("version", FIXT)
def test_lgn_25_the_two_sides_may_default_to_different_applications(
    version: str, theirs: str
) -> None:
    made = Bench(ACCEPTOR, **at(version))
    made.connected()
    made.receive(f"35=A|34=1|98=0|108=30|1137={theirs}|")
    assert made.state == "ACTIVE"


@every_version
def test_lgn_17_there_is_no_141_in_4_0(version: str) -> None:
    if version == "FIX.4.0":
        with pytest.raises(ConfigError, match="141"):
            config(**at(version, reset_on_logon=True))
    else:
        made = Bench(INITIATOR, **at(version, reset_on_logon=True), next_in=5, next_out=5)
        made.connected()
        assert made.sent[0].startswith("35=A|34=1|98=0|108=30|141=Y|")
    made = Bench(ACCEPTOR, **at(version), next_in=1, next_out=5)
    made.connected()
    made.receive(made.logon_text(1, "141=Y|"))
    # A peer of 4.0 that writes it has written a field without a meaning.
    assert made.counters == ((2, 6) if version == "FIX.4.0" else (2, 2))


@every_version
def test_lgn_21_there_is_789_from_4_4_on(version: str) -> None:
    if NAMES.index(version) < NAMES.index("FIX.4.4"):
        with pytest.raises(ConfigError, match="789"):
            config(**at(version, next_expected=True))
        made = Bench(ACCEPTOR, **at(version))
        made.connected()
        made.receive(made.logon_text(1, "789=77|"))  # an unknown field, not a number too high
        assert made.state == "ACTIVE"
        return
    made = Bench(INITIATOR, **at(version, next_expected=True))
    made.connected()
    assert "|789=1|" in made.sent[0]


@every_version
def test_hdr_11_there_is_369_from_4_2_on(version: str) -> None:
    if version in OLD:
        with pytest.raises(ConfigError, match="369"):
            config(**at(version, last_processed=True))
        return
    made = bench(**at(version, last_processed=True))
    made.receive("35=1|34=2|112=T|")
    assert made.sent == ["35=0|34=2|369=2|112=T|"]


@every_version
def test_lgo_09_session_status_belongs_to_fixt(version: str) -> None:
    made = bench(**at(version))
    made.receive("35=5|34=2|")
    assert ("|1409=4|" in made.sent[0]) == (version in FIXT)


@every_version
def test_lgn_26_username_and_password_begin_with_4_3(version: str) -> None:
    if NAMES.index(version) < NAMES.index("FIX.4.3"):
        with pytest.raises(ConfigError, match=r"4\.3"):
            config(**at(version, username="joe"))
        return
    made = Bench(INITIATOR, **at(version, username="joe", password="x"))
    made.connected()
    assert "|553=joe|554=x|" in made.sent[0]
