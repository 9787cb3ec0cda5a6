"""SessionConfig: refuses what cannot work, says why, and never shows a password."""

from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixlab.dictionary import Dictionary
from fixlab.errors import ConfigError
from fixlab.session.config import APPL_VER_IDS, BEGIN_STRINGS, FROM_PROFILE, SessionConfig
from fixlab.session.session import Session
from fixlab.session.transitions import Role
from fixlab.stores.sqlite import SQLiteStore
from fixlab.wire.tags import ADMIN_TYPES


def config(**settings: object) -> SessionConfig:
    base: dict[str, object] = {"sender_comp_id": "BUY", "target_comp_id": "SELL"}
    return SessionConfig(**(base | settings))  # type: ignore[arg-type]


def test_the_id_names_version_and_both_sides() -> None:
    assert config().session_id == "FIX.4.4:BUY->SELL"
    assert config(begin_string="FIX.4.2").session_id == "FIX.4.2:BUY->SELL"


def test_mirrored_swaps_the_sides_and_keeps_the_rest() -> None:
    mine = config(heartbeat_seconds=7, password="pw", begin_string="FIXT.1.1")
    theirs = mine.mirrored()
    assert theirs.session_id == "FIXT.1.1:SELL->BUY"
    assert theirs.heartbeat_seconds == 7
    assert theirs.mirrored() == mine


@pytest.mark.parametrize("begin_string", BEGIN_STRINGS)
def test_every_version_has_defaults_that_work(begin_string: str) -> None:
    made = config(begin_string=begin_string)
    digits = 0 if begin_string in ("FIX.4.0", "FIX.4.1") else 3
    assert made.sending_time_digits == digits
    assert made.default_appl_ver_id == ("9" if begin_string == "FIXT.1.1" else None)


@pytest.mark.parametrize(("name", "code"), APPL_VER_IDS.items())
def test_lgn_25_an_application_version_goes_by_name_or_code(name: str, code: str) -> None:
    for given in (name, code):
        made = config(begin_string="FIXT.1.1", default_appl_ver_id=given)
        assert made.default_appl_ver_id == code


def test_timestamp_digits_can_be_chosen() -> None:
    assert config(timestamp_digits=9).sending_time_digits == 9
    assert config(begin_string="FIX.4.0", timestamp_digits=3).sending_time_digits == 3
    assert config(timestamp_digits=0).sending_time_digits == 0


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"sender_comp_id": ""}, "sender_comp_id must be"),
        ({"sender_comp_id": "A\x01B"}, r"sender_comp_id must be .* found 'A\\x01B'"),
        ({"target_comp_id": "Ä"}, "target_comp_id must be"),
        ({"target_comp_id": None}, "target_comp_id must be .* found None"),
        ({"begin_string": "FIX.4.5"}, "begin_string must be one of FIX.4.0, .*'FIX.4.5'"),
        ({"begin_string": "FIX.5.0SP2"}, 'travels as begin_string="FIXT.1.1"'),
        ({"default_appl_ver_id": "9"}, "belongs to FIXT.1.1, not to FIX.4.4"),
        (
            {"begin_string": "FIXT.1.1", "default_appl_ver_id": "FIX.6.0"},
            "default_appl_ver_id must be one of .*'FIX.6.0'",
        ),
        ({"heartbeat_seconds": -1}, "heartbeat_seconds must be .* found -1"),
        ({"heartbeat_seconds": 1.5}, "heartbeat_seconds must be a whole number .*found 1.5"),
        ({"heartbeat_seconds": float("nan")}, "heartbeat_seconds"),
        ({"logon_timeout_seconds": 0}, "logon_timeout_seconds must be a positive number"),
        ({"logon_timeout_seconds": float("inf")}, "logon_timeout_seconds must be"),
        ({"logon_timeout_seconds": float("nan")}, "logon_timeout_seconds must be"),
        ({"logout_timeout_seconds": -2}, "logout_timeout_seconds must be"),
        ({"resend_timeout_seconds": 0}, "resend_timeout_seconds must be"),
        ({"disconnect_wait_seconds": -0.1}, "disconnect_wait_seconds must be"),
        ({"sending_time_tolerance_seconds": 0}, "positive or None, found 0"),
        ({"test_request_factor": 0.9}, "test_request_factor must be at least 1"),
        (
            {"test_request_factor": 2.4},
            "found 2.4 and 2.4",
        ),
        ({"timestamp_digits": 10}, "timestamp_digits must be None or 0 to 9, found 10"),
        ({"resend_range": "all"}, 'must be "open" or "exact", found \'all\''),
        ({"held_max": 0}, "held_max must be at least 1, found 0"),
        ({"replay_batch_max": 0}, "replay_batch_max must be at least 1"),
        ({"replay_repeat_max": -1}, "replay_repeat_max must be at least 1"),
        ({"message_bytes_max": 255}, "message_bytes_max must be 256 to"),
        ({"message_bytes_max": (1 << 30) + 1}, "message_bytes_max must be 256 to"),
        ({"begin_string": "FIX.4.0", "reset_on_logon": True}, "which FIX.4.0 lacks"),
        ({"begin_string": "FIX.4.2", "username": "me"}, "username needs FIX.4.3 or later"),
        ({"username": ""}, "username must be"),
    ],
)
def test_a_setting_that_cannot_work_is_named(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        config(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"heartbeat_seconds": 0},
        {"sending_time_tolerance_seconds": None},
        {"disconnect_wait_seconds": 0},
        {"message_bytes_max": 256},
        {"held_max": 1},
        {"begin_string": "FIX.4.1", "reset_on_logon": True},
        {"begin_string": "FIX.4.3", "username": "me", "password": "pw"},
    ],
)
def test_a_setting_at_its_limit_is_taken(settings: dict[str, object]) -> None:
    made = config(**settings)
    assert {name: getattr(made, name) for name in settings} == settings


@pytest.mark.parametrize("name", [one.name for one in fields(SessionConfig)])
def test_a_setting_of_any_kind_is_named_when_it_has_another(name: str) -> None:
    for value in (object(), (object(),)):
        with pytest.raises(ConfigError, match=f"^{name} must be .*, found "):
            config(**{name: value})


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"reset_on_logon": "N"}, "reset_on_logon must be True or False, found 'N'"),
        ({"next_expected": 0}, "next_expected must be True or False, found 0"),
        ({"test_session": "N"}, "test_session must be True or False, or None, found 'N'"),
        ({"heartbeat_seconds": "30"}, r"heartbeat_seconds must be a whole number.*'30'"),
        ({"heartbeat_seconds": True}, "heartbeat_seconds must be .*found True"),
        ({"held_max": 1.5}, r"held_max must be a whole number \(int\), found 1.5"),
        ({"resend_chunk_max": 2.0}, r"resend_chunk_max must be .*, or None, found 2.0"),
        ({"logon_timeout_seconds": "10"}, "logon_timeout_seconds must be a number, found '10'"),
        ({"logout_timeout_seconds": False}, "logout_timeout_seconds must be a number"),
        ({"sender_sub_id": 5}, "sender_sub_id must be text .*, or None, found 5"),
        ({"heartbeat_range_seconds": 30}, "two whole numbers, .* or None, found 30"),
        ({"heartbeat_range_seconds": (1, 2, 3)}, r"two whole numbers.*found \(1, 2, 3\)"),
        ({"heartbeat_range_seconds": (1, "2")}, "two whole numbers"),
        (
            {"schedule": ("08:00", "17:00")},
            r"schedule must be a Schedule, such as .*, found \(",
        ),
        ({"checks": {}}, r"checks must be Checks\(...\), found {}"),
        ({"supported_types": "D"}, "supported_types must be a set of texts, .*found 'D'"),
        ({"gap_fill_types": [0, 1]}, r"gap_fill_types must be a set of texts, found \[0, 1\]"),
        ({"dictionary": "FIX44.xml"}, "Dictionary.from_quickfix_xml.*found 'FIX44.xml'"),
        ({"logon_fields": "a=b"}, "logon_fields must be pairs of tag and value"),
        ({"logon_fields": (1000, "u")}, "logon_fields must be pairs of tag and value"),
        ({"logon_fields": {"1000": "u"}}, "logon_fields: a tag must be a positive int"),
        ({"logon_fields": {1000: ""}}, "logon_fields: tag 1000 has no value"),
        ({"test_req_id": "A\x01B"}, "test_req_id must be printable ASCII or None"),
        ({"profile": ["spec"]}, "profile must be one of spec"),
        ({"begin_string": 4.4}, "begin_string must be text .*found 4.4"),
        ({"held_max": "x" * 1000}, r"found 'x{59}\.\.\.$"),
        ({"held_max": FROM_PROFILE}, "held_max must be a whole number"),
    ],
)
def test_a_setting_of_another_type_says_what_it_must_be(
    settings: dict[str, object], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        config(**settings)


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("supported_types", ["D", "F", "D"], frozenset({"D", "F"})),
        ("gap_fill_types", {*ADMIN_TYPES, "D"}, ADMIN_TYPES | {"D"}),
        ("heartbeat_range_seconds", [10, 60], (10, 60)),
        (
            "logon_fields",
            {1000: "u", 1001: 7, 1002: True},
            ((1000, "u"), (1001, "7"), (1002, "Y")),
        ),
        ("logon_fields", [(1000, "a"), (1000, "b")], ((1000, "a"), (1000, "b"))),
        ("heartbeat_seconds", np.int64(7), 7),
        ("logon_timeout_seconds", np.float32(0.5), 0.5),
    ],
)
def test_what_means_the_same_is_kept_as_annotated(
    name: str, given: object, kept: object
) -> None:
    made = getattr(config(**{name: given}), name)
    assert made == kept
    assert type(made) is type(kept)
    hash(config(**{name: given}))  # as any config can be


@pytest.mark.parametrize("name", ["username", "password", "logon_fields"])
def test_lgn_26_a_secret_of_another_type_is_not_shown(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} must be .* found a value of type") as caught:
        config(**{name: {b"hunter2"}})
    assert "hunter2" not in str(caught.value)


def write_dictionary(folder: Path, name: str, version: tuple[str, int, int, int]) -> Path:
    kind, major, minor, pack = version
    outer = "" if version[1] == 5 else '<field name="BeginString" required="Y"/>'
    path = folder / name
    path.write_text(
        f'<fix type="{kind}" major="{major}" minor="{minor}" servicepack="{pack}">'
        f"<header>{outer}</header><messages/><trailer/><components/>"
        '<fields><field number="8" name="BeginString" type="STRING"/></fields></fix>'
    )
    return path


def fixt(folder: Path, *versions: tuple[str, int, int, int]) -> Dictionary:
    transport = write_dictionary(folder, "FIXT11.xml", ("FIXT", 1, 1, 0))
    carried = [write_dictionary(folder, f"{v}.xml", v) for v in versions]
    return Dictionary.from_quickfix_xml(transport, application=carried or None)


FIX50, FIX50SP1, FIX50SP2 = (("FIX", 5, 0, pack) for pack in range(3))


def test_lgn_25_what_fixt_carries_is_the_dictionarys_unless_said(tmp_path: Path) -> None:
    dictionary = fixt(tmp_path, FIX50SP1)
    assert fixt_config(dictionary).default_appl_ver_id == "8"
    assert fixt_config(dictionary, default_appl_ver_id="FIX.5.0SP1") == fixt_config(dictionary)
    # A transport's dictionary says nothing of it.
    assert fixt_config(fixt(tmp_path)).default_appl_ver_id == "9"


def test_lgn_25_a_dictionary_of_another_version_is_refused(tmp_path: Path) -> None:
    says = "dictionary carries FIX.5.0SP1, but default_appl_ver_id is 'FIX.5.0SP2'"
    with pytest.raises(ConfigError, match=says):
        fixt_config(fixt(tmp_path, FIX50SP1), default_appl_ver_id="FIX.5.0SP2")


def test_lgn_25_of_several_dictionaries_the_sessions_own_is_the_default(
    tmp_path: Path,
) -> None:
    made = fixt_config(fixt(tmp_path, FIX50SP2, FIX50), default_appl_ver_id="7")
    assert made.dictionary is not None
    assert made.dictionary.application_version == "FIX.5.0"
    assert sorted(made.dictionary.applications) == ["7", "9"]
    again = replace(made, default_appl_ver_id="9").dictionary
    assert again is not None
    assert again.application_version == "FIX.5.0SP2"


def test_lgn_25_a_dictionary_without_a_transport_is_refused(tmp_path: Path) -> None:
    path = write_dictionary(tmp_path, "FIX44.xml", ("FIX", 4, 4, 0))
    with pytest.raises(ConfigError, match=r'FIX.4.4, .*FIXT11.xml", application='):
        fixt_config(Dictionary.from_quickfix_xml(path))


def fixt_config(dictionary: Dictionary, **settings: object) -> SessionConfig:
    return config(begin_string="FIXT.1.1", dictionary=dictionary, **settings)


STORE = r'store must be a Store, such as SQLiteStore\("session.db"\)'


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("x", Role.INITIATOR), "a session needs a SessionConfig, found 'x'"),
        ((config(), "client"), "role must be Role.INITIATOR or Role.ACCEPTOR, found 'client'"),
        ((config(), Role.INITIATOR, "x.sqlite"), f"{STORE}.*found 'x.sqlite'"),
        ((config(), Role.INITIATOR, SQLiteStore), f"{STORE}.*SQLiteStore'>"),
    ],
)
def test_a_session_says_what_it_is_made_of(arguments: tuple[Any, ...], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Session(*arguments)


def test_a_session_takes_the_name_of_a_role() -> None:
    assert Session(config(), "acceptor").role is Role.ACCEPTOR  # type: ignore[arg-type]


@pytest.mark.parametrize("password", ["hun\x01ter", "hünter", ""])
def test_lgn_26_a_bad_password_is_refused_without_being_shown(password: str) -> None:
    with pytest.raises(ConfigError, match="password must be") as caught:
        config(password=password)
    assert not password or password not in str(caught.value)


def test_lgn_26_a_password_is_never_shown() -> None:
    made = config(username="me", password="hunter2")
    assert "hunter2" not in repr(made)
    assert "hunter2" not in str(made)
    assert made.password == "hunter2"


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        config().heartbeat_seconds = 5  # type: ignore[misc]
