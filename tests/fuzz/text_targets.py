"""Files and settings that people bring: dictionaries, `.cfg` files, schedules."""

from __future__ import annotations

import random
import re
from contextlib import suppress
from functools import cache
from pathlib import Path

from fixlab.dictionary import Dictionary, validate
from fixlab.errors import ConfigError
from fixlab.session.cfg_keys import ALL_KEYS
from fixlab.session.config import SessionConfig
from fixlab.session.schedule import DAYS, Schedule
from fixlab.wire.message import Message
from tests.dictionary.published import SMALL, published_path
from tests.fuzz.fuzzing import NUMBERS, TOKENS, Case, Part, Played, bend_with, plain
from tests.fuzz.streams import samples
from tests.session.script import NOW
from tests.session.test_cfg import ACCEPTOR, INITIATOR

# Dictionaries -----------------------------------------------------------------------------

_XML = (
    b'<component name="Parties" required="Y"/>',
    b'<group name="NoPartyIDs" required="Y"><field name="PartyID" required="Y"/></group>',
    b'<group name="NoPartyIDs" required="N"><component name="Parties"/></group>',
    b'<field name="Side" required="Y"/>',
    b'<component name="Loop" required="N"/>',
    b'<component name="Loop"><component name="Loop" required="Y"/></component>',
    b'<component name="C1"><component name="C2"/></component><component name="C2"/>',
    b'<field number="448" name="X" type="INT"/>',
    b'<field number="99999999999" name="Y" type="INT"/>',
    b'<value enum="1"/>',
    b'<message name="Z" msgtype="Z" msgcat="admin"></message>',
    b'<!DOCTYPE fix [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>',
    b"&b;&b;&b;",
    b'<!DOCTYPE fix SYSTEM "file:///etc/passwd">',
    b'<!DOCTYPE fix [<!ATTLIST field name CDATA "xxxxxxxxxxxxxxxxxxxxxxxx">]>',
    b'<!DOCTYPE fix [<!ENTITY % p SYSTEM "http://127.0.0.1:1/"> %p;]>',
    b'<?xml version="1.0" encoding="UTF-16"?>',
    b'<?xml version="1.0" encoding="utf-7"?>',
    b'<?xml version="1.0" encoding="idna"?>',
    b'<?xml version="1.0" encoding="punycode"?>',
    b'<?xml version="1.0" encoding="x-no-such"?>',
    b'<?xml version="1.1"?>',
    b"<![CDATA[x]]>",
    b"<!-- -->",
    b"<group>",
    b"</group>",
    b"<component>",
    b"</component>",
    b"</fields>",
    b"<fix>",
    b"\xef\xbb\xbf",
    b"&#0;",
    b"&#x1F600;",
    b' required="Y"',
    b' name="Parties"',
    b' major="5"',
    b' type="FIXT"',
    b' servicepack="2"',
    *NUMBERS,
)


@cache
def _dictionaries() -> tuple[bytes, ...]:
    small = SMALL.encode()
    nested = b"".join(
        b'<component name="N%d">%b</component>' % (n, b'<component name="N%d"/>' % (n + 1) * 8)
        for n in range(12)
    )
    deep = b"<group name='NoPartyIDs'>" * 40 + b"</group>" * 40
    return (
        small,
        small.replace(b"</components>", nested + b'<component name="N12"/></components>'),
        small.replace(b'<field name="Side" required="N"/>', deep),
        small.replace(b'"FIX"', b'"FIXT"').replace(
            b'major="4" minor="4"', b'major="1" minor="1"'
        ),
        small.decode().encode("utf-16"),
    )


class DictionaryTarget:
    """Any file as a dictionary: read or refused; what was read can be used."""

    name = "dictionary"
    bytes_max = 64 << 20
    bound = "5,000,000 fields resolved at most; files here have up to 300 KB"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0

    def make(self, chance: random.Random) -> Case:
        if chance.random() < 0.01:
            return (published_path(chance.choice(("FIX.4.0", "FIXT.1.1"))).read_bytes(),)
        return (chance.choice(_dictionaries()),)

    bend = bend_with((*TOKENS[:12], *_XML, *_XML))

    def play(self, case: Case) -> Played:
        content = b"".join(part for part in case if isinstance(part, bytes))
        # A name of its own each time: a file is read once until its time or size changes.
        self._number += 1
        path = self._folder / f"d{self._number}.xml"
        path.write_bytes(content)
        try:
            made = Dictionary.from_quickfix_xml(path)
        finally:
            path.unlink()
        features = {made.version, f"{len(made.messages)}"}
        for raw in samples()[::97]:
            fault = validate(Message.from_wire(raw), made)
            features.add("good" if fault is None else f"{fault.rule} {plain(fault.text)}")
        repr(made)
        return Played(frozenset(features))


# Settings files ---------------------------------------------------------------------------

_SECRET = "hunter2-S3CRET"
_VALUES = (
    *("Y", "N", "y", "yes", "0", "1", "-1", "30", "99999999999", "1.5", "1e5", "nan", "inf"),
    *("00:00:00", "24:00:00", "25:61:61", "FIX.4.0", "FIX.4.2", "FIX.4.4", "FIXT.1.1"),
    *("FIX.5.0SP2", "9", "Monday", "Mo", "Xx", "UTC", "Europe/London", "0.0000000001"),
    *("../etc", "/dev/null", "Mon,Tue", ",,,", "$HOME", "${X", "$(Y)", "\\t", f"554={_SECRET}"),
    *(
        "553=user",
        "98=0",
        "=",
        "a=b=c",
        "\u0661\u0662",
        "x" * 5_000,
        "SECONDS",
        "NANOS",
        "\x00",
    ),
    *("initiator", "acceptor", "", " ", "\u00e9", "09:00:00 America/New_York", "8=x", "141=Y"),
)
_KEYS = sorted(ALL_KEYS)
_LINES = (
    *(f"{key}={value}\n".encode() for key in _KEYS for value in ("Y", "N", "1", "x")),
    *(f"{value}\n".encode() for value in _VALUES),
    f"LogonTag=554={_SECRET}\n".encode(),
    f"LogonTag1=925={_SECRET}\n".encode(),
    f"SSLCertificatePassword={_SECRET}\n".encode(),
    b"[SESSION]\n", b"[DEFAULT]\n", b"[OTHER]\n", b"[", b"]", b"#", b"=", b"\r", b"\n\n",
    b"\xff\xfe", b"\xef\xbb\xbf", b"\x00",
)  # fmt: skip


class CfgTarget:
    """Any text as a settings file: sessions or `ConfigError`, and no secret is told."""

    name = "cfg"
    bytes_max = 24 << 20
    bound = "1 MiB of text, its sessions and the lines that say what has no effect"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "venue.cfg"

    def make(self, chance: random.Random) -> Case:
        sections = []
        for _ in range(chance.choice((1, 1, 2))):
            settings = dict(chance.choice((INITIATOR, ACCEPTOR)))
            for _ in range(chance.choice((0, 1, 2, 5))):
                settings[chance.choice(_KEYS)] = chance.choice(_VALUES)
            if chance.random() < 0.3:
                settings["LogonTag"] = f"554={_SECRET}"
            lines = "".join(f"{key}={value}\n" for key, value in settings.items())
            sections.append(f"[SESSION]\n{lines}")
        if chance.random() < 0.3:
            sections.insert(0, "[DEFAULT]\nHeartBtInt=30\n")
        profile = chance.choice(("spec", "quickfix", "quickfixj", "quickfixn", "artio"))
        return (("profile", profile, chance.random() < 0.3), "".join(sections).encode())

    bend = bend_with(_LINES)

    def play(self, case: Case) -> Played:
        given = [part for part in case if isinstance(part, tuple)]
        _, profile, with_environment = given[0] if given else ("profile", "spec", False)
        content = b"".join(part for part in case if isinstance(part, bytes))
        self._path.write_bytes(content)
        environment = {"HOME": "/x", "Y": "1"} if with_environment else None
        # Only where it stands behind its own key is it known to be one.
        whole = all(
            re.match(rb"\s*(LogonTag\d*\s*=\s*(554|925)=|SSLCertificatePassword\s*=)", line)
            for line in re.split(rb"[\r\n]", content)
            if _SECRET.encode() in line
        )
        features, refused = set[str](), None
        try:
            found = SessionConfig.from_cfg(
                self._path, profile=str(profile), environment=environment
            )
        except ConfigError as error:
            refused = error
        if refused is not None:
            assert not whole or _SECRET not in str(refused), "a secret is told"
            raise refused
        for session in found:
            told = f"{session!r} {session.config!r}"
            assert not whole or _SECRET not in told, "a secret is told"
            features |= {plain(line) for line in session.ignored}
            features.add(f"{session.role} {session.config.begin_string} {session.tls is None}")
        return Played(frozenset(features))


# Schedules --------------------------------------------------------------------------------

_TEXTS = (
    *("00:00:00", "23:59:59", "24:00:00", "9:00:00", "09:00", "09:00:00 ", "-1:00:00"),
    *("\u0660\u0669:00:00", "", "x", "12:00:00\n", "02:30:00", "08:00:00", "17:00:00"),
)
_ZONES = (
    *("UTC", "Europe/London", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "Etc/GMT+12"),
    *("Antarctica/Troll", "Africa/Casablanca", "../../etc/passwd", "/etc/passwd", "posix", ""),
    *("Europe", "europe/london", "UTC\x00", "localtime", "\ud800", "x" * 5_000, "right/UTC"),
)
_TIMES = (0, NOW, 1_774_747_800 * 10**9, 253_402_300_799 * 10**9, -1, 1 << 63, 1 << 70)


class ScheduleTarget:
    """Any strings as a schedule: refused, or in order at any time of the years it is for."""

    name = "schedule"
    bytes_max = 8 << 20
    bound = "one window at a time, and a zone's table"

    def make(self, chance: random.Random) -> Case:
        settings: dict[str, object] = {
            "start": chance.choice(_TEXTS),
            "end": chance.choice(_TEXTS),
            "time_zone": chance.choice(_ZONES),
        }
        if chance.random() < 0.7:
            settings |= {"start": "08:00:00", "end": chance.choice(("17:00:00", "02:30:00"))}
        if chance.random() < 0.3:
            settings |= {"start_day": _day(chance), "end_day": _day(chance)}
        if chance.random() < 0.2:
            settings["weekdays"] = (_day(chance), _day(chance))
        times = [chance.choice(_TIMES) + chance.randrange(-(10**15), 10**17) for _ in range(3)]
        return (*settings.items(), ("at", *times))

    def bend(self, part: Part, chance: random.Random) -> Part:
        assert isinstance(part, tuple)
        if part[0] == "at":
            return (
                "at",
                *(chance.choice(_TIMES) + chance.choice((-1, 0, 1)) for _ in part[1:]),
            )
        pool = _ZONES if part[0] == "time_zone" else (*_TEXTS, *DAYS, None, 1, ("Monday", "x"))
        return (part[0], chance.choice(pool))

    def play(self, case: Case) -> Played:
        settings = {part[0]: part[1] for part in case if part[0] != "at" and len(part) > 1}
        times = [time for part in case if part[0] == "at" for time in part[1:]]
        made = Schedule(**{"start": "00:00:00", "end": "00:00:00", **settings})  # type: ignore[arg-type]
        features = {f"{made.start_day is None} {made.weekdays is None} {made.time_zone[:9]}"}
        for time in times:
            with suppress(ConfigError):  # outside the years it is for
                opens, window = made.next_open(time), made.window(time)
                assert opens > time
                assert made.is_open(time) == (window is not None)
                again = made.window(opens)
                assert again is not None
                assert again[0] == opens
                if window is not None:
                    assert window[0] <= time < window[1] <= opens
                    assert made.same_session(time, window[0])
                features.add(f"open {window is not None}")
        return Played(frozenset(features))


def _day(chance: random.Random) -> str:
    day = chance.choice(DAYS)
    return day[: chance.choice((0, 1, 2, 3, 9))] if chance.random() < 0.5 else day
