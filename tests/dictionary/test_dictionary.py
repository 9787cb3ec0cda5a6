"""Dictionary: names, files that go together, and the second load."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fixlab.dictionary import Dictionary, dictionary, validate
from fixlab.errors import DictionaryError
from fixlab.wire.message import Message
from tests.dictionary.published import published, published_path, small


def test_names_are_its_own_or_the_specifications(tmp_path: Path) -> None:
    path = small(tmp_path, 'description="BUY"', 'description="LONG"')
    own = Dictionary.from_quickfix_xml(path)
    assert own.field_name(11) == "ClOrdID"
    assert own.enum_name(54, "1") == "LONG"
    assert own.enum_name(54, "5") == "SELL_SHORT"  # not its own
    assert own.field_name(55) == "Symbol"
    assert own.field_tag("Symbol") == 55
    assert own.field_tag("ClOrdID") == 11
    assert own.message_name("D") == "NewOrderSingle"
    assert own.message_name("8") == "ExecutionReport"
    assert own.field_name(5001) is own.message_name("zz") is own.enum_name(1, "x") is None
    assert own.field_tag("NoSuchField") is None


def test_names_of_its_own_version_come_first() -> None:
    assert published("FIX.4.2").field_name(22) == "IDSource"
    assert published("FIX.4.4").field_name(22) == "SecurityIDSource"
    assert published("FIX.4.0").field_name(22) == "IDSource"


def test_fixt_joins_transport_and_application() -> None:
    both = published("FIXT.1.1")
    assert (both.version, both.application_version) == ("FIXT.1.1", "FIX.5.0SP2")
    assert both.messages["A"].admin
    assert not both.messages["D"].admin
    assert 1137 in both.messages["A"].required
    assert repr(both) == ("<Dictionary FIXT.1.1 with FIX.5.0SP2: 6028 fields, 164 messages>")
    assert list(both.applications) == ["9"]
    alone = published("FIX.4.4")
    assert (alone.version, alone.application_version) == ("FIX.4.4", "FIX.4.4")
    assert repr(alone) == "<Dictionary FIX.4.4: 912 fields, 93 messages>"


def test_a_transport_alone_knows_the_session_only() -> None:
    alone = Dictionary.from_quickfix_xml(published_path("FIXT.1.1"))
    assert len(alone.messages) == 8
    assert validate(Message("D", {11: "A"}), alone) is None
    missing = validate(Message("1"), alone)
    assert missing is not None
    assert missing.rule == "REJ-05"


def test_files_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    fixt, sp2, fix44 = map(published_path, ("FIXT.1.1", "FIX.5.0SP2", "FIX.4.4"))
    with pytest.raises(DictionaryError, match="application="):
        Dictionary.from_quickfix_xml(sp2)
    with pytest.raises(DictionaryError, match=r"only that of FIXT\.1\.1"):
        Dictionary.from_quickfix_xml(fix44, application=sp2)
    with pytest.raises(DictionaryError, match=r"both for FIX\.5\.0SP2"):
        Dictionary.from_quickfix_xml(fixt, application=[sp2, sp2])
    with pytest.raises(DictionaryError, match=r"is for FIXT\.1\.1; an application"):
        Dictionary.from_quickfix_xml(fixt, application=fixt)


def test_it_does_not_change() -> None:
    own = published("FIX.4.4")
    for mapping in (own.fields, own.messages, own.applications):
        with pytest.raises(TypeError):
            mapping[1] = None  # type: ignore[index]


def test_a_file_is_read_once_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Path] = []
    from fixlab.dictionary import reading

    real = reading.read

    def counted(path: Path) -> reading.Parsed:
        reads.append(path)
        return real(path)

    monkeypatch.setattr(reading, "read", counted)
    path = small(tmp_path)
    first, second = Dictionary.from_quickfix_xml(path), Dictionary.from_quickfix_xml(str(path))
    assert len(reads) == 1
    assert first.fields == second.fields
    small(tmp_path, 'description="BUY"', 'description="LONG"')
    os.utime(path, ns=(1, 1))
    assert Dictionary.from_quickfix_xml(path).enum_name(54, "1") == "LONG"
    assert len(reads) == 2


def test_files_kept_in_memory_are_bounded(tmp_path: Path) -> None:
    for number in range(dictionary._READ_BEFORE_MAX + 5):
        (tmp_path / str(number)).mkdir()
        Dictionary.from_quickfix_xml(small(tmp_path / str(number)))
    assert len(dictionary._read_before) <= dictionary._READ_BEFORE_MAX


def test_settings_can_be_imported_without_an_xml_parser() -> None:
    code = "import sys, fixlab.session.config; sys.exit('pyexpat' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert done.returncode == 0
