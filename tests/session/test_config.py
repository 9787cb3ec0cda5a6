"""SessionConfig: refuses what cannot work, says why, and never shows a password."""

from dataclasses import FrozenInstanceError

import pytest

from fixlab.errors import ConfigError
from fixlab.session.config import APPL_VER_IDS, BEGIN_STRINGS, SessionConfig


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
        ({"heartbeat_seconds": 1.5}, "heartbeat_seconds must be whole seconds, found 1.5"),
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
