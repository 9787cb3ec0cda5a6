"""facts: what each version of FIX calls its fields, messages and values."""

import subprocess
import sys
from pathlib import Path

import pytest

import fixlab
from fixlab import facts
from fixlab.errors import ConfigError
from fixlab.wire.tags import HEADER_TAGS, LENGTH_TO_DATA, MSG_TYPE_NAMES, TRAILER_TAGS
from tests.tools.make_facts import TABLE, checked, make_table, note


def test_the_packaged_table_is_what_the_script_makes() -> None:
    assert TABLE.read_text(encoding="ascii") == make_table(), "run tests/tools/make_facts.py"
    assert TABLE.parent == Path(fixlab.__file__).parent


@pytest.mark.parametrize(
    ("tag", "version", "name"),
    [
        (54, None, "Side"),
        (54, "FIX.4.0", "Side"),
        (22, "FIX.4.2", "IDSource"),
        (22, "FIX.4.3", "SecurityIDSource"),
        (22, None, "SecurityIDSource"),
        (22, "FIXT.1.1", "SecurityIDSource"),  # by what it carries
        (35, "FIX.5.0SP2", "MsgType"),
        (1137, "FIXT.1.1", "DefaultApplVerID"),
        (1137, "FIX.5.0", "DefaultApplVerID"),  # by the transport
        (1137, "FIX.4.4", None),
        (553, "FIX.4.2", None),
        (553, "FIX.4.3", "Username"),
        (5001, None, None),
        (0, None, None),
        (-1, None, None),
        (10**12, None, None),
    ],
)
def test_field_names(tag: int, version: str | None, name: str | None) -> None:
    assert facts.field_name(tag, version) == name


def test_tags_by_any_name_a_field_ever_had() -> None:
    assert facts.field_tag("Side") == 54
    assert facts.field_tag("IDSource") == facts.field_tag("SecurityIDSource") == 22
    assert facts.field_tag("side") is None
    assert facts.field_tag("") is None
    assert facts.field_tag("!D") is None


@pytest.mark.parametrize(
    ("msg_type", "version", "name"),
    [
        ("D", None, "NewOrderSingle"),
        ("d", None, "SecurityDefinition"),
        ("J", "FIX.4.2", "Allocation"),
        ("J", None, "AllocationInstruction"),
        ("AE", "FIX.4.2", None),
        ("A", "FIX.5.0SP2", "Logon"),
        ("D", "FIXT.1.1", "NewOrderSingle"),
        ("U1", None, None),
        ("", None, None),
        ("54", None, None),
    ],
)
def test_message_names(msg_type: str, version: str | None, name: str | None) -> None:
    assert facts.message_name(msg_type, version) == name


@pytest.mark.parametrize(
    ("tag", "value", "version", "name"),
    [
        (54, "1", None, "BUY"),
        (373, "17", "FIX.4.3", "NON"),
        (373, "17", None, "NON_DATA_VALUE_INCLUDES_FIELD_DELIMITER"),
        (373, "17", "FIX.4.2", None),
        (98, "0", "FIXT.1.1", "NONE_OTHER"),
        (54, "BUY", None, None),
        (54, "", None, None),
        (58, "x", None, None),
        (5001, "1", None, None),
    ],
)
def test_enum_names(tag: int, value: str, version: str | None, name: str | None) -> None:
    assert facts.enum_name(tag, value, version) == name


def test_hdr_06_types_that_a_version_defines() -> None:
    assert facts.is_defined_type("D", "FIX.4.0")
    assert facts.is_defined_type("D", "FIXT.1.1")
    assert facts.is_defined_type("0", "FIX.5.0SP1")
    assert facts.is_defined_type("j", "FIX.4.2")
    assert not facts.is_defined_type("j", "FIX.4.1")
    assert not facts.is_defined_type("zz", "FIX.4.4")
    assert not facts.is_defined_type("U1", "FIX.4.4")


@pytest.mark.parametrize("version", ["FIX.4.5", "FIX.5.0.SP2", "4.4", ""])
def test_an_unknown_version_is_refused_in_words(version: str) -> None:
    for ask in (
        lambda: facts.field_name(54, version),
        lambda: facts.message_name("D", version),
        lambda: facts.enum_name(54, "1", version),
        lambda: facts.is_defined_type("D", version),
    ):
        with pytest.raises(ConfigError, match=r"FIX\.4\.4.*found"):
            ask()


def test_it_agrees_with_what_the_wire_layer_has_written_out() -> None:
    for msg_type, name in MSG_TYPE_NAMES.items():
        assert facts.message_name(msg_type) == name
    for tag in HEADER_TAGS | TRAILER_TAGS | LENGTH_TO_DATA.keys():
        assert facts.field_name(tag), tag


def test_every_line_of_the_table_can_be_read() -> None:
    tags = [tag for tag in range(1, 60_000) if facts.field_name(tag)]
    assert len(tags) == 6066
    for tag in tags:
        name = facts.field_name(tag)
        assert name is not None
        assert facts.field_tag(name) == tag


@pytest.mark.parametrize("bad", ["a b", "", "a/b", "a=b", "é"])
def test_the_script_refuses_names_that_the_table_cannot_hold(bad: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        note({}, "1", bad, 0)
    if bad in ("", "a=b"):
        with pytest.raises(ValueError, match="no value"):
            checked(bad)


def test_importing_it_reads_nothing() -> None:
    code = "from fixlab import facts; import sys; sys.exit(facts._lines.cache_info().currsize)"
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert done.returncode == 0
