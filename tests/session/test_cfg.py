"""SessionConfig.from_cfg: QuickFIX's keys in, sessions out; what cannot work says where."""

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixlab.dictionary.checks import Checks
from fixlab.errors import ConfigError
from fixlab.session.cfg_file import BYTES_MAX
from fixlab.session.cfg_keys import ALL_KEYS
from fixlab.session.config import CfgSession, SessionConfig
from fixlab.session.schedule import Schedule
from fixlab.session.transitions import Role
from fixlab.wire.tags import ADMIN_TYPES

INITIATOR = {
    "ConnectionType": "initiator",
    "BeginString": "FIX.4.4",
    "SenderCompID": "LAB",
    "TargetCompID": "VENUE",
    "NonStopSession": "Y",
    "HeartBtInt": "30",
    "SocketConnectHost": "127.0.0.1",
    "SocketConnectPort": "9880",
}
ACCEPTOR = {
    "ConnectionType": "acceptor",
    "BeginString": "FIX.4.4",
    "SenderCompID": "VENUE",
    "TargetCompID": "LAB",
    "NonStopSession": "Y",
    "SocketAcceptPort": "9880",
}
DICTIONARY = """<fix type="{kind}" major="{major}" minor="{minor}" servicepack="{pack}">
 <header>{header}</header>
 <messages><message name="{name}" msgtype="{code}" msgcat="{category}">
  <field name="Text" required="N"/></message></messages>
 <trailer>{trailer}</trailer>
 <components/>
 <fields>
  <field number="8" name="BeginString" type="STRING"/>
  <field number="10" name="CheckSum" type="STRING"/>
  <field number="58" name="Text" type="STRING"/>
 </fields>
</fix>"""
OUTER = {
    "header": '<field name="BeginString" required="Y"/>',
    "trailer": '<field name="CheckSum" required="Y"/>',
    "name": "Logout",
    "code": "5",
    "category": "admin",
}
INNER = {"header": "", "trailer": "", "name": "News", "code": "B", "category": "app"}


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "venue.cfg"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def section(keys: dict[str, str]) -> str:
    return "[SESSION]\n" + "".join(f"{key}={value}\n" for key, value in keys.items())


def one(
    folder: Path, base: dict[str, str], profile: str = "spec", **keys: str | None
) -> CfgSession:
    """The session of `base` with some keys added, changed, or left out (None)."""
    given_ = {key: value for key, value in (base | keys).items() if value is not None}
    (found,) = SessionConfig.from_cfg(write(folder, section(given_)), profile=profile)
    return found


def refused(folder: Path, base: dict[str, str], **keys: str | None) -> str:
    with pytest.raises(ConfigError) as caught:
        one(folder, base, "spec", **keys)
    return str(caught.value)


# The file ---------------------------------------------------------------------------------


def test_sections_override_default_and_come_in_order(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "Stray=1\n# a comment\n[DEFAULT]\nConnectionType=initiator\nHeartBtInt=30\n"
        "NonStopSession=Y\nSocketConnectHost=10.0.0.1\nSenderCompID = LAB \n\n"
        "[session]\nBeginString=FIX.4.2\nTargetCompID=ONE\nSocketConnectPort=1\n"
        "  # indented comment\nno equals sign\nheartbtint=20\n"
        "[OTHER]\nHeartBtInt=99\n"
        "[SESSION]\nBeginString=FIX.4.4\nTargetCompID=A=B\nSocketConnectPort=2\n",
    )
    first, second = SessionConfig.from_cfg(path)
    assert (first.config.session_id, first.port) == ("FIX.4.2:LAB->ONE", 1)
    assert (second.config.session_id, second.port) == ("FIX.4.4:LAB->A=B", 2)
    assert first.config.heartbeat_seconds == 20  # keys are the same in any case
    assert second.config.heartbeat_seconds == 30
    assert first.host == second.host == "10.0.0.1"
    assert first.ignored == (
        "Stray (line 1): stands before the first section",
        "line 15: not Key=Value",
        "[OTHER] (line 17): neither [DEFAULT] nor [SESSION]",
    )


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_a_byte_order_mark_make_no_difference(
    tmp_path: Path, newline: str, bom: bytes
) -> None:
    text = section(INITIATOR).replace("\n", newline)
    (found,) = SessionConfig.from_cfg(write(tmp_path, bom + text.encode()))
    assert found.config == SessionConfig(sender_comp_id="LAB", target_comp_id="VENUE")


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_file_is_utf_8_or_latin_1(tmp_path: Path, encoding: str) -> None:
    text = section(INITIATOR | {"LogonTag": "58=Zürich"})
    (found,) = SessionConfig.from_cfg(write(tmp_path, text.encode(encoding)))
    assert found.config.logon_fields == ((58, "Zürich"),)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    for data, message in (
        (b"", "found no .SESSION., expected at least one"),
        ("[SESSION]".encode("utf-16"), "found UTF-16, expected UTF-8"),
        (b"#" * (BYTES_MAX + 1), f"longer than {BYTES_MAX} bytes"),
        (b"[DEFAULT]\n[DEFAULT]\n[SESSION]\n", "line 2: found a second .DEFAULT."),
    ):
        with pytest.raises(ConfigError, match=message):
            SessionConfig.from_cfg(write(tmp_path, data))
    with pytest.raises(ConfigError, match=r"absent.cfg: cannot be read"):
        SessionConfig.from_cfg(tmp_path / "absent.cfg")
    with pytest.raises(ConfigError, match="cannot be read"):
        SessionConfig.from_cfg(tmp_path)


def test_variables_are_replaced_only_from_an_environment(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        section(
            INITIATOR
            | {
                "SenderCompID": "$ME",
                "TargetCompID": "${PEER}-$(ENV)",
                "LogonTag": r"58=a\$b\\c",
            }
        ),
    )
    (plain,) = SessionConfig.from_cfg(path)
    assert plain.config.sender_comp_id == "$ME"
    assert plain.config.logon_fields == ((58, r"a\$b\\c"),)
    (found,) = SessionConfig.from_cfg(path, environment={"ME": "A", "PEER": "B", "ENV": "UAT"})
    assert (found.config.sender_comp_id, found.config.target_comp_id) == ("A", "B-UAT")
    assert found.config.logon_fields == ((58, r"a$b\c"),)
    with pytest.raises(ConfigError, match=r"line 4, \[SESSION\] SenderCompID: .*'ME'"):
        SessionConfig.from_cfg(path, environment={})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # What the C++ engine makes of them.
        ("$ME/x", "A/x"),
        ("$ME.$ME_2;", "A.TWO;"),
        ("$(ME", "A"),
        ("${ME}}", "A}"),
        ("$ ", "$"),
        ("a\\", "a\\"),
        (r"\q\$ME", "q$ME"),
    ],
)
def test_variables_are_found_as_the_engine_finds_them(
    tmp_path: Path, value: str, expected: str
) -> None:
    path = write(tmp_path, section(INITIATOR | {"SenderSubID": value}))
    (found,) = SessionConfig.from_cfg(path, environment={"ME": "A", "ME_2": "TWO"})
    assert found.config.sender_sub_id == expected


@pytest.mark.parametrize(("value", "name"), [("$ME-z", "ME-z"), ("$(M E)", "M E"), ("$()", "")])
def test_a_variable_that_is_not_set_is_named(tmp_path: Path, value: str, name: str) -> None:
    path = write(tmp_path, section(INITIATOR | {"SenderSubID": value}))
    with pytest.raises(ConfigError, match=f"found the variable '{name}', which the environ"):
        SessionConfig.from_cfg(path, environment={"ME": "A"})


# Keys -------------------------------------------------------------------------------------

# Key and value -> setting and value, for a FIX.4.4 initiator.
MAPPED: list[tuple[dict[str, str], dict[str, object]]] = [
    ({"HeartBtInt": "0"}, {"heartbeat_seconds": 0}),
    ({"LogonTimeout": "7"}, {"logon_timeout_seconds": 7}),
    ({"LogoutTimeout": "3"}, {"logout_timeout_seconds": 3}),
    ({"TestRequestDelayMultiplier": "0.5"}, {"test_request_factor": 1.5}),
    ({"HeartBeatTimeoutMultiplier": "1.5"}, {"silence_limit_factor": 2.5}),
    ({"DisableHeartBeatCheck": "Y"}, {"check_silence": False}),
    ({"DisableHeartBeatCheck": "N"}, {"check_silence": True}),
    ({"SendLogoutBeforeDisconnectFromTimeout": "N"}, {"logout_on_silence": False}),
    ({"MaxLatency": "60"}, {"sending_time_tolerance_seconds": 60}),
    ({"CheckLatency": "N"}, {"sending_time_tolerance_seconds": None}),
    ({"CheckLatency": "Y"}, {"sending_time_tolerance_seconds": 120}),
    ({"ResetOnLogon": "Y"}, {"reset_on_logon": True}),
    ({"ResetOnLogout": "y"}, {"reset_on_logout": True}),
    ({"ResetOnDisconnect": "Y"}, {"reset_on_disconnect": True}),
    ({"PersistMessages": "N"}, {"persist_messages": False}),
    ({"SendRedundantResendRequests": "Y"}, {"redundant_requests": True}),
    ({"ResendRequestChunkSize": "100"}, {"resend_chunk_max": 100}),
    ({"MaxMessagesInResendRequest": "50"}, {"resend_chunk_max": 50}),
    ({"ResendRequestChunkSize": "0"}, {"resend_chunk_max": None}),
    ({"ClosedResendInterval": "Y"}, {"resend_range": "exact"}),
    ({"EnableNextExpectedMsgSeqNum": "Y"}, {"next_expected": True}),
    ({"SendNextExpectedMsgSeqNum": "Y"}, {"next_expected": True}),
    ({"EnableLastMsgSeqNumProcessed": "Y"}, {"last_processed": True}),
    ({"RequiresOrigSendingTime": "N"}, {"poss_dup_check": "never"}),
    ({"ResendSessionLevelRejects": "Y"}, {"gap_fill_types": ADMIN_TYPES - {"3"}}),
    ({"TimestampPrecision": "6"}, {"timestamp_digits": 6}),
    ({"TimeStampPrecision": "NANOS"}, {"timestamp_digits": 9}),
    ({"MillisecondsInTimeStamp": "N"}, {"timestamp_digits": 0}),
    (
        {"MillisecondsInTimeStamp": "N", "TimestampPrecision": "MICROS"},
        {"timestamp_digits": 6},
    ),
    ({"ValidateLengthAndChecksum": "N"}, {"check_length_and_checksum": False}),
    (
        {"ValidateChecksum": "N"},
        {"check_length_and_checksum": True, "check_checksum": False},
    ),
    ({"RejectGarbledMessage": "Y"}, {"reject_garbled": True}),
    ({"AllowPosDup": "Y"}, {"allow_poss_dup": True}),
    ({"ValidateSequenceNumbers": "N"}, {"check_sequence_numbers": False}),
    ({"RejectMessageOnUnhandledException": "Y"}, {"reject_on_handler_error": True}),
    ({"DisconnectOnError": "Y"}, {"disconnect_on_handler_error": True}),
    ({"CheckCompID": "N"}, {"check_comp_id": False}),
    ({"ValidateIncomingMessage": "N"}, {"validation": "off"}),
    ({"RejectInvalidMessage": "N"}, {"validation": "warn"}),
    ({"ValidateFieldsOutOfOrder": "N"}, {"checks": Checks(fields_out_of_order=False)}),
    ({"ValidateFieldsHaveValues": "N"}, {"checks": Checks(fields_have_values=False)}),
    ({"ValidateUserDefinedFields": "Y"}, {"checks": Checks(user_defined_fields=True)}),
    ({"AllowUnknownMsgFields": "Y"}, {"checks": Checks(allow_unknown_fields=True)}),
    ({"AllowUnknownEnumValues": "Y"}, {"checks": Checks(allow_unknown_enum_values=True)}),
    ({"ValidateUnorderedGroupFields": "N"}, {"checks": Checks(allow_unordered_groups=True)}),
    ({"FirstFieldInGroupIsDelimiter": "Y"}, {"checks": Checks(first_field_is_delimiter=True)}),
    ({"SenderSubID": "S", "TargetSubID": "T"}, {"sender_sub_id": "S", "target_sub_id": "T"}),
    ({"SenderLocationID": "L"}, {"sender_location_id": "L"}),
    ({"TargetLocationID": "M"}, {"target_location_id": "M"}),
    ({"SenderSubID": ""}, {"sender_sub_id": None}),
    ({"SessionQualifier": "Q"}, {"session_qualifier": "Q"}),
    ({"LogonTag": "553=me", "LogonTag1": "554=a=b"}, {"username": "me", "password": "a=b"}),
    (
        {"LogonTag10": "58=c", "LogonTag2": "58=b", "LogonTag": "9001=a"},
        {"logon_fields": ((9001, "a"), (58, "b"), (58, "c"))},
    ),
    ({"LogonTag": "464=Y"}, {"test_session": True}),
    ({"TestMessageIndicator": "Y"}, {"test_session": True}),
    ({"TestMessageIndicator": "N"}, {"test_session": False}),
    ({"TestMessageIndicator": "N", "LogonTag": "464=N"}, {"test_session": False}),
    # Some venues want them before FIX.4.3, which has no such fields.
    (
        {"BeginString": "FIX.4.2", "LogonTag": "554=x"},
        {"logon_fields": ((554, "x"),), "password": None},
    ),
    (
        {"BeginString": "FIXT.1.1", "DefaultApplVerID": "FIX.5.0SP1"},
        {"default_appl_ver_id": "8"},
    ),
]


@pytest.mark.parametrize(("keys", "expected"), MAPPED)
def test_a_key_sets_its_setting(
    tmp_path: Path, keys: dict[str, str], expected: dict[str, object]
) -> None:
    found = one(tmp_path, INITIATOR, **keys)
    assert {name: getattr(found.config, name) for name in expected} == expected
    assert found.ignored == ()


def test_what_no_key_says_is_as_in_the_profile(tmp_path: Path) -> None:
    assert one(tmp_path, INITIATOR).config == SessionConfig(
        sender_comp_id="LAB", target_comp_id="VENUE"
    )
    engine = one(tmp_path, INITIATOR, profile="quickfixj").config
    assert engine == SessionConfig(
        sender_comp_id="LAB",
        target_comp_id="VENUE",
        profile="quickfixj",
        # The engine's default, where fixlab's own is lenient.
        checks=Checks(user_defined_fields=True),
    )
    assert (engine.test_request_factor, engine.logout_timeout_seconds) == (1.5, 2.0)
    with pytest.raises(ConfigError, match="profile must be one of"):
        one(tmp_path, INITIATOR, profile="quickfix2")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            {"StartTime": "08:00:00", "EndTime": "17:00:00"},
            Schedule(start="08:00:00", end="17:00:00"),
        ),
        (
            {"StartTime": "00:00:00", "EndTime": "00:00:00", "TimeZone": "Europe/London"},
            Schedule(start="00:00:00", end="00:00:00", time_zone="Europe/London"),
        ),
        (
            {
                "StartTime": "08:00:00 America/New_York",
                "EndTime": "17:00:00  America/New_York",
                "Weekdays": "Mon, tue,Friday",
            },
            Schedule(
                start="08:00:00",
                end="17:00:00",
                weekdays=("Monday", "Tuesday", "Friday"),
                time_zone="America/New_York",
            ),
        ),
        (
            {
                "StartTime": "22:00:00",
                "EndTime": "21:00:00",
                "StartDay": "su",
                "EndDay": "Friday",
            },
            Schedule(start="22:00:00", end="21:00:00", start_day="Sunday", end_day="Friday"),
        ),
    ],
)
def test_sch_01_the_times_make_a_schedule(
    tmp_path: Path, keys: dict[str, str], expected: Schedule
) -> None:
    found = one(tmp_path, INITIATOR, NonStopSession=None, **keys)
    assert found.config.schedule == expected
    assert found.ignored == ()


def test_an_initiator_knows_where_to_connect(tmp_path: Path) -> None:
    found = one(
        tmp_path,
        INITIATOR,
        SocketConnectHost1="backup",
        SocketConnectPort1="9881",
        SocketConnectHost2="third",
        SocketConnectPort2="9882",
        SocketConnectHost4="behind a hole",
        SocketConnectPort4="9884",
        ReconnectInterval="5",
        SocketConnectTimeout="2.5",
        FileStorePath="store",
        FileLogPath="/var/log/fix",
        RedactFieldsInLogs="1402, 554",
    )
    assert found.role is Role.INITIATOR
    assert (found.host, found.port) == ("127.0.0.1", 9880)
    assert found.more_hosts == (("backup", 9881), ("third", 9882))
    assert (found.reconnect_seconds, found.connect_seconds) == (5.0, 2.5)
    assert (found.store_path, found.log_path) == (Path("store"), Path("/var/log/fix"))
    assert found.secret_tags == (1402, 554)
    assert [line.split(" ")[0] for line in found.ignored] == [
        "SocketConnectHost4",
        "SocketConnectPort4",
    ]
    plain = one(tmp_path, INITIATOR)
    assert (plain.reconnect_seconds, plain.connect_seconds) == (30.0, None)
    assert (plain.tls, plain.store_path, plain.secret_tags) == (None, None, ())


@pytest.mark.parametrize("key", ["SocketAcceptHost", "SocketAcceptAddress"])
def test_an_acceptor_knows_where_to_listen(tmp_path: Path, key: str) -> None:
    found = one(tmp_path, ACCEPTOR, **{key: "127.0.0.1"})
    assert (found.role, found.host, found.port) == (Role.ACCEPTOR, "127.0.0.1", 9880)
    assert found.config.heartbeat_seconds == 30
    plain = one(tmp_path, ACCEPTOR, AcceptorTemplate="Y", TargetCompID="*")
    assert (plain.host, plain.template, found.template) == (None, True, False)


def test_tls_01_each_engine_says_tls_in_its_own_keys(tmp_path: Path) -> None:
    (tmp_path / "me.pem").write_text("")
    cpp = one(
        tmp_path,
        INITIATOR,
        ClientCertificateFile="me.pem",
        ClientCertificateKeyFile="me.key",
        ServerCertificateFile="other.pem",
        CertificationAuthoritiesFile="ca.pem",
        CertificateVerifyLevel="0",
        SSLProtocol="TLSv1_2 TLSv1_3",
    )
    assert cpp.tls is not None
    assert (cpp.tls.certificate, cpp.tls.private_key) == (tmp_path / "me.pem", Path("me.key"))
    assert (cpp.tls.authorities, cpp.tls.verify) == (Path("ca.pem"), False)
    assert cpp.tls.protocols == ("TLSv1_2", "TLSv1_3")
    assert cpp.ignored == (
        "ServerCertificateFile (line 12): known, without effect here: of no use to an "
        "initiator",
        "SSLProtocol (line 15): known, without effect here: TLS 1.2 and later are taken",
    )
    net = one(
        tmp_path,
        ACCEPTOR,
        SSLEnable="Y",
        SSLCertificate="me.pem",
        SSLCertificatePassword="hunter2",
        SSLRequireClientCertificate="Y",
        SSLCACertificate="ca.pem",
    ).tls
    assert net is not None
    assert (net.certificate, net.client_certificate, net.verify) == (
        tmp_path / "me.pem",
        True,
        True,
    )
    assert net.password == "hunter2"
    assert "hunter2" not in repr(net)
    java = one(
        tmp_path, INITIATOR, SocketUseSSL="Y", UseSNI="Y", SNIHostName="v", SocketKeyStore="k"
    )
    assert java.tls is not None
    assert java.tls.server_name == "v"
    assert java.ignored == (
        "SocketKeyStore (line 13): known, not applied: a Java key store; export it as PEM",
    )
    off = one(tmp_path, INITIATOR, SSLEnable="N", SSLCertificate="me.pem")
    assert off.tls is None
    assert off.ignored == ("SSLCertificate (line 11): known, without effect here: TLS is off",)


def test_keys_without_effect_are_listed_and_never_fail(tmp_path: Path) -> None:
    found = one(
        tmp_path,
        ACCEPTOR,
        ReconnectInterval="5",
        SocketConnectHost="h",
        DefaultApplVerID="9",
        TimeZone="Mars",
        JdbcURL="jdbc:x",
        SLF4JLogEventCategory="x",
        UseLocalTime="Y",
        Password="hunter2",
        LogonTag="98=0",
    )
    assert found.ignored == (
        "ReconnectInterval (line 8): known, without effect here: of no use to an acceptor",
        "SocketConnectHost (line 9): known, without effect here: of no use to an acceptor",
        "DefaultApplVerID (line 10): known, without effect here: only FIXT.1.1 has it",
        "TimeZone (line 11): known, without effect here: NonStopSession=Y has no times",
        "JdbcURL (line 12): known, not applied: a database store or log of that engine",
        "SLF4JLogEventCategory (line 13): known, not applied: a log of that engine",
        "UseLocalTime (line 14): known, not applied: times are those of TimeZone, UTC without "
        "it",
        "Password (line 15): unknown",
        "LogonTag (line 16): known, without effect here: EncryptMethod(98) is always 0",
    )


@pytest.mark.parametrize(
    ("version", "key"),
    [
        ("FIX.4.2", "EnableNextExpectedMsgSeqNum"),
        ("FIX.4.1", "EnableLastMsgSeqNumProcessed"),
        ("FIX.4.0", "MillisecondsInTimeStamp"),
        ("FIX.4.2", "TestMessageIndicator"),
    ],
)
def test_what_a_version_lacks_has_no_effect_in_it(
    tmp_path: Path, version: str, key: str
) -> None:
    found = one(tmp_path, INITIATOR, BeginString=version, **{key: "Y"})
    assert len(found.ignored) == 1
    assert found.ignored[0].startswith(
        f"{key} (line 10): known, without effect here: {version}"
    )


@pytest.mark.parametrize(
    ("base", "keys", "line"),
    [
        (INITIATOR, {"CheckLatency": "N", "MaxLatency": "60"}, "MaxLatency .*CheckLatency=N"),
        (
            INITIATOR,
            {"ValidateIncomingMessage": "N", "RejectInvalidMessage": "N"},
            "RejectInvalidMessage .*ValidateIncomingMessage=N",
        ),
        (ACCEPTOR, {"SocketConnectTimeout": "5"}, "SocketConnectTimeout .*an acceptor"),
        (
            INITIATOR,
            {"SSLEnable": "Y", "NeedClientAuth": "Y"},
            "NeedClientAuth .*an initiator",
        ),
        (ACCEPTOR, {"SSLEnable": "Y", "SSLServerName": "v"}, "SSLServerName .*an acceptor"),
        (
            INITIATOR,
            {
                "SSLEnable": "Y",
                "SSLValidateCertificates": "Y",
                "CertificateVerifyLevel": "0",
            },
            "CertificateVerifyLevel .*SSLValidateCertificates decides",
        ),
    ],
)
def test_a_value_that_nothing_uses_is_listed(
    tmp_path: Path, base: dict[str, str], keys: dict[str, str], line: str
) -> None:
    found = one(tmp_path, base, **keys)
    assert len(found.ignored) == 1
    assert re.match(line, found.ignored[0])


# A key, a value that asks for what fixlab does, another one, and why that has no effect.
SETTLED = [
    ("RefreshOnLogon", "Y", "N", "reads its store"),
    ("SocketReuseAddress", "Y", "N", "can always be used again"),
    ("SocketNodelay", "Y", "N", "always leaves at once"),
    ("SocketTcpNoDelay", "Y", "N", "always leaves at once"),
    ("LogMessageWhenSessionNotFound", "Y", "N", "always shows the message"),
    ("IgnorePossDupResendRequests", "Y", "N", "the profile decides"),
    ("PreserveMessageFieldsOrder", "Y", "N", "the profile decides"),
    ("Encoding", "ISO-8859-1", "UTF-8", "ISO-8859-1"),
    ("Encoding", "latin1", "US-ASCII", "ISO-8859-1"),
    ("Encoding", "iso_8859-1:1987", "Windows-1252", "ISO-8859-1"),
    ("SocketConnectProtocol", "tcp", "VM_PIPE", "TCP"),
]


@pytest.mark.parametrize(("key", "same", "other", "reason"), SETTLED)
def test_a_key_that_asks_for_what_is_done_anyway_is_taken(
    tmp_path: Path, key: str, same: str, other: str, reason: str
) -> None:
    assert one(tmp_path, INITIATOR, **{key: same}).ignored == ()
    assert one(tmp_path, INITIATOR, **{key: same}).config == one(tmp_path, INITIATOR).config
    (line,) = one(tmp_path, INITIATOR, **{key: other}).ignored
    assert line.startswith(f"{key} (line 10): known, without effect here: ")
    assert reason in line


def test_seq_14_which_of_these_is_done_anyway_depends_on_the_profile(tmp_path: Path) -> None:
    for key in ("IgnorePossDupResendRequests", "PreserveMessageFieldsOrder"):
        assert one(tmp_path, INITIATOR, profile="quickfix", **{key: "N"}).ignored == ()
        assert len(one(tmp_path, INITIATOR, profile="quickfix", **{key: "Y"}).ignored) == 1


def test_an_acceptor_knows_whom_to_let_in_and_how_safely_to_store(tmp_path: Path) -> None:
    found = one(
        tmp_path,
        ACCEPTOR,
        AllowedRemoteAddresses="10.0.0.0/8, ::1,fund.example",
        FileStoreSync="Y",
        FileStorePath="store",
        SocketAcceptProtocol="TCP",
    )
    assert found.allowed_addresses == ("10.0.0.0/8", "::1", "fund.example")
    assert found.store_durability == "power"
    assert found.ignored == ()
    plain = one(tmp_path, ACCEPTOR, FileStoreSync="N", FileStorePath="store")
    assert (plain.allowed_addresses, plain.store_durability) == ((), "process")
    (line,) = one(tmp_path, ACCEPTOR, FileStoreSync="Y").ignored
    assert "there is no FileStorePath" in line
    buy = one(tmp_path, INITIATOR, AllowedRemoteAddresses="::1", SocketAcceptProtocol="TCP")
    assert [line.partition(" of no use")[2] for line in buy.ignored] == [" to an initiator"] * 2


BROKEN = {
    "a key": {"HeartBtInt": "abc"},
    "a missing key": {"SocketConnectHost": ""},
    "a setting": {"MaxLatency": "0"},
    "a dictionary": {"DataDictionary": "none.xml"},
    "the same identity": {"TargetCompID": "ONE"},
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_session_that_cannot_work_is_left_out_when_the_file_asks_for_it(
    tmp_path: Path, what: str
) -> None:
    good, bad = INITIATOR | {"TargetCompID": "ONE"}, INITIATOR | BROKEN[what]
    text = section(good) + section(bad) + section(INITIATOR | {"TargetCompID": "TWO"})
    with pytest.raises(ConfigError) as caught:
        SessionConfig.from_cfg(write(tmp_path, text))
    asked = "[DEFAULT]\nContinueInitializationOnError=y\n" + text
    found = SessionConfig.from_cfg(write(tmp_path, asked))
    assert [one.config.target_comp_id for one in found] == ["ONE", "TWO"]
    for one_ in found:
        (line,) = one_.ignored
        assert "line 12, [SESSION]" in line
        assert line.endswith("; left out: ContinueInitializationOnError=Y")
        # Nothing else than without the key, but for the lines, which are two further down.
        assert re.sub(r"line \d+", "", str(caught.value)) in re.sub(r"line \d+", "", line)


def test_where_no_session_can_work_the_first_error_is_told(tmp_path: Path) -> None:
    bad = INITIATOR | {"ContinueInitializationOnError": "Y", "HeartBtInt": "abc"}
    text = section(bad) + section(bad | {"HeartBtInt": "x"})
    with pytest.raises(ConfigError, match="found 'abc', expected a whole number"):
        SessionConfig.from_cfg(write(tmp_path, text))


def test_hdr_13_two_keys_for_a_test_session_agree(tmp_path: Path) -> None:
    message = refused(tmp_path, INITIATOR, TestMessageIndicator="Y", LogonTag="464=N")
    assert "LogonTag" in message
    assert "TestMessageIndicator" in message


def test_lgn_25_a_dictionary_of_another_version_than_the_session_is_refused(
    tmp_path: Path,
) -> None:
    dictionaries(tmp_path)
    fixt = INITIATOR | {"BeginString": "FIXT.1.1", "DefaultApplVerID": "FIX.5.0SP2"}
    files = {"TransportDataDictionary": "FIXT11.xml", "AppDataDictionary": "FIX50.xml"}
    message = refused(tmp_path, fixt, **files)
    assert "DefaultApplVerID" in message
    assert "AppDataDictionary" in message


@pytest.mark.parametrize("key", ALL_KEYS)
def test_no_known_key_is_called_unknown(tmp_path: Path, key: str) -> None:
    try:
        found = one(tmp_path, INITIATOR, **{key: "Y"})
    except ConfigError as error:
        assert key in str(error)  # noqa: PT017
    else:
        assert not any("unknown" in line for line in found.ignored)


# Dictionaries -----------------------------------------------------------------------------


def dictionaries(folder: Path) -> None:
    def write_one(name: str, kind: str, version: str, parts: dict[str, str]) -> None:
        numbers = dict(zip(("major", "minor", "pack"), version, strict=True))
        text = DICTIONARY.format(kind=kind, **numbers, **parts)
        (folder / name).write_text(text)

    write_one("FIX44.xml", "FIX", "440", OUTER)
    write_one("FIXT11.xml", "FIXT", "110", OUTER)
    write_one("FIX50SP2.xml", "FIX", "502", INNER)
    write_one("FIX50.xml", "FIX", "500", INNER)


def test_a_dictionary_beside_the_file_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dictionaries(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    found = one(tmp_path, INITIATOR, DataDictionary="FIX44.xml").config.dictionary
    assert found is not None
    assert found.version == "FIX.4.4"
    # Else the working directory's, as QuickFIX has it.
    monkeypatch.chdir(tmp_path)
    assert one(elsewhere, INITIATOR, DataDictionary="FIX44.xml").config.dictionary is not None
    off = one(tmp_path, INITIATOR, DataDictionary="none.xml", UseDataDictionary="N")
    assert off.config.dictionary is None
    assert off.ignored == (
        "DataDictionary (line 10): known, without effect here: UseDataDictionary=N",
    )


def test_a_dictionary_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    dictionaries(tmp_path)
    message = refused(tmp_path, INITIATOR, DataDictionary="none.xml")
    assert "DataDictionary (line 10, [SESSION]): found 'none.xml', expected a file" in message
    (tmp_path / "broken.xml").write_text("<fix>")
    message = refused(tmp_path, INITIATOR, DataDictionary="broken.xml")
    assert "DataDictionary (line 10, [SESSION])" in message
    assert "broken.xml" in message
    fixt = INITIATOR | {"BeginString": "FIXT.1.1", "DefaultApplVerID": "9"}
    message = refused(tmp_path, fixt, TransportDataDictionary="FIXT11.xml")
    assert "AppDataDictionary is missing; FIXT.1.1 needs both" in message
    message = refused(tmp_path, fixt, AppDataDictionary="FIX50SP2.xml")
    assert "TransportDataDictionary is missing" in message


@pytest.mark.parametrize("code", ["9", "FIX.5.0SP2"])
@pytest.mark.parametrize("key", ["AppDataDictionary", "AppDataDictionary.FIX.5.0SP2"])
def test_lgn_25_a_fixt_session_has_a_dictionary_for_each_version(
    tmp_path: Path, key: str, code: str
) -> None:
    dictionaries(tmp_path)
    keys = {
        "BeginString": "FIXT.1.1",
        "DefaultApplVerID": code,
        "DataDictionary": "FIX44.xml",
        "TransportDataDictionary": "FIXT11.xml",
        "AppDataDictionary.FIX.5.0": "FIX50.xml",
        key: "FIX50SP2.xml",
    }
    found = one(tmp_path, INITIATOR | keys)
    dictionary = found.config.dictionary
    assert dictionary is not None
    assert (dictionary.version, dictionary.application_version) == ("FIXT.1.1", "FIX.5.0SP2")
    assert sorted(dictionary.applications) == ["7", "9"]
    assert [line.split(" ")[0] for line in found.ignored] == ["DataDictionary"]


# Errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "key"),
    [(INITIATOR, key) for key in INITIATOR]
    + [(ACCEPTOR, key) for key in ACCEPTOR]
    + [(INITIATOR | {"BeginString": "FIXT.1.1"}, "DefaultApplVerID")],
)
@pytest.mark.parametrize("value", [None, ""])
def test_a_mandatory_key_that_is_missing_is_named(
    tmp_path: Path, base: dict[str, str], key: str, value: str | None
) -> None:
    message = refused(tmp_path, base, **{key: value})
    assert "venue.cfg, line 1, [SESSION]" in message
    missing = "StartTime" if key == "NonStopSession" and value is None else key
    assert missing in message
    assert "expected" in message


BAD: list[tuple[dict[str, str], dict[str, str | None], str]] = [
    (
        INITIATOR,
        {"HeartBtInt": "abc"},
        "HeartBtInt (line 7, [SESSION]): found 'abc', expected a whole number from 0",
    ),
    (INITIATOR, {"HeartBtInt": "9" * 5000}, "HeartBtInt (line 7, [SESSION]): found '999"),
    (INITIATOR, {"ResetOnLogon": "maybe"}, "found 'maybe', expected Y or N"),
    (INITIATOR, {"MaxLatency": "-1"}, "found '-1', expected a number"),
    (
        INITIATOR,
        {"MaxLatency": "0"},
        "MaxLatency (line 10, [SESSION]): sending_time_tolerance_seconds must be positive",
    ),
    (INITIATOR, {"SocketConnectPort": "65536"}, "expected a port from 1 to 65535"),
    (INITIATOR, {"ConnectionType": "both"}, "found 'both', expected initiator or acceptor"),
    (
        INITIATOR,
        {"BeginString": "FIX.5.0"},
        "BeginString (line 3, [SESSION]): begin_string must",
    ),
    (INITIATOR, {"TimestampPrecision": "HOURS"}, "expected 0 to 9, SECONDS, MILLIS, MICROS"),
    (INITIATOR, {"RedactFieldsInLogs": "554,x"}, "expected tags such as 1402,554"),
    (ACCEPTOR, {"SessionQualifier": "Q"}, "expected none: only initiators may have it"),
    (INITIATOR, {"StartTime": "08:00:00"}, "expected none, for NonStopSession=Y"),
    (INITIATOR, {"NonStopSession": "N"}, "StartTime is missing"),
    (
        INITIATOR,
        {"NonStopSession": None, "StartTime": "8:00", "EndTime": "17:00:00"},
        "StartTime (line 9, [SESSION]): start must be a time of day HH:MM:SS, found '8:00'",
    ),
    (
        INITIATOR,
        {
            "NonStopSession": None,
            "StartTime": "08:00:00",
            "EndTime": "17:00:00",
            "StartDay": "Mon",
        },
        "StartDay (line 11, [SESSION]): a weekly schedule needs start_day and end_day",
    ),
    (
        INITIATOR,
        {
            "NonStopSession": None,
            "StartTime": "08:00:00",
            "EndTime": "17:00:00",
            "TimeZone": "Mars",
        },
        "TimeZone (line 11, [SESSION]): time_zone must be an IANA name",
    ),
    (
        INITIATOR,
        {
            "NonStopSession": None,
            "StartTime": "08:00:00 Europe/London",
            "EndTime": "17:00:00 Europe/Paris",
        },
        "expected the zone of StartTime, Europe/London",
    ),
    (
        INITIATOR,
        {
            "NonStopSession": None,
            "StartTime": "08:00:00",
            "EndTime": "17:00:00",
            "LogonTime": "07:59:59",
        },
        "LogonTime (line 11, [SESSION]): found '07:59:59', expected a time within",
    ),
    (
        INITIATOR,
        {
            "NonStopSession": None,
            "StartTime": "08:00:00",
            "EndTime": "17:00:00",
            "StartDay": "Mon",
            "EndDay": "Fri",
            "LogoutDay": "Sat",
            "LogoutTime": "12:00:00",
        },
        "LogoutTime (line 14, [SESSION]): found '12:00:00', expected a time within",
    ),
    (
        INITIATOR,
        {"ValidateChecksum": "N", "RejectGarbledMessage": "Y"},
        "ValidateChecksum (line 10, [SESSION]), RejectGarbledMessage (line 11, [SESSION]): "
        "reject_garbled needs check_checksum=True",
    ),
    (
        INITIATOR,
        {"ValidateLengthAndChecksum": "N", "RejectGarbledMessage": "Y"},
        "reject_garbled needs check_length_and_checksum=True",
    ),
    (
        INITIATOR,
        {"SocketConnectTimeout": "0"},
        "SocketConnectTimeout (line 10, [SESSION]): found '0', expected a number of seconds",
    ),
    (INITIATOR, {"ContinueInitializationOnError": "?"}, "found '?', expected Y or N"),
    (INITIATOR, {"LogonTag": "141=Y"}, "LogonTag (line 10, [SESSION]): logon_fields may not"),
]


@pytest.mark.parametrize(("base", "keys", "expected"), BAD)
def test_a_value_that_cannot_work_says_where_and_what_was_expected(
    tmp_path: Path, base: dict[str, str], keys: dict[str, str | None], expected: str
) -> None:
    message = refused(tmp_path, base, **keys)
    assert message.startswith(f"{tmp_path}/venue.cfg, line 1, [SESSION] ")
    assert expected in message
    assert len(message) < 500


def test_logon_times_within_the_session_are_fine(tmp_path: Path) -> None:
    found = one(
        tmp_path,
        INITIATOR,
        NonStopSession=None,
        StartTime="22:00:00",
        EndTime="06:00:00",
        LogonTime="23:00:00",
        LogoutTime="05:00:00",
    )
    assert [line.split(" ")[0] for line in found.ignored] == ["LogonTime", "LogoutTime"]


def test_the_c_engine_wants_a_heartbeat(tmp_path: Path) -> None:
    calm = one(tmp_path, INITIATOR, profile="quickfixn", HeartBtInt="0")
    assert calm.config.heartbeat_seconds == 0
    with pytest.raises(ConfigError, match="expected a whole number from 1"):
        one(tmp_path, INITIATOR, profile="quickfix", HeartBtInt="0")


def test_an_identity_comes_once(tmp_path: Path) -> None:
    twice = section(INITIATOR | {"SenderSubID": "A"}) + section(
        INITIATOR | {"SenderSubID": "B"}
    )
    path = write(tmp_path, twice)
    with pytest.raises(ConfigError, match=r"line 11.*the session of line 1 has the same"):
        SessionConfig.from_cfg(path)
    # The Java and .NET engines tell them apart.
    assert len(SessionConfig.from_cfg(path, profile="quickfixj")) == 2
    qualified = section(INITIATOR) + section(INITIATOR | {"SessionQualifier": "Q"})
    assert len(SessionConfig.from_cfg(write(tmp_path, qualified))) == 2


@pytest.mark.parametrize(
    "keys",
    [
        {"LogonTag": "554=hunter2\u20ac"},
        {"LogonTag": "554:hunter2"},
        {"LogonTag": "554=hunter2ü"},
        {"LogonTag": "553=hunter2ü"},
        {"LogonTag": "925=hunter2", "LogonTag1": "141=Y"},
        {"LogonTag": "554=hunter2", "HeartBtInt": "x"},
        {"LogonTag": "554=hunter2", "MaxLatency": "0"},
        {"SenderCompID": "", "LogonTag": "554=hunter2"},
    ],
)
def test_lgn_26_no_error_tells_a_secret(tmp_path: Path, keys: dict[str, str]) -> None:
    assert "hunter2" not in refused(tmp_path, INITIATOR, **keys)


def test_lgn_26_no_repr_tells_a_secret(tmp_path: Path) -> None:
    keys = {"LogonTag": "554=hunter2", "LogonTag1": "95=7", "LogonTag2": "96=hunter2"}
    for version in ("FIX.4.2", "FIX.4.4"):
        found = one(tmp_path, INITIATOR, BeginString=version, **keys)
        assert "hunter2" not in repr(found)
        assert "(96, '***')" in repr(found.config)
        assert "(95, '7')" in repr(found.config)
        assert (96, "hunter2") in found.config.logon_fields


# Any file ---------------------------------------------------------------------------------


def read_any(data: bytes, environment: dict[str, str] | None = None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            SessionConfig.from_cfg(write(Path(folder), data), environment=environment)
        except ConfigError as error:
            assert "venue.cfg" in str(error)  # noqa: PT017


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_sessions_or_a_config_error(data: bytes) -> None:
    read_any(data)
    read_any(section(INITIATOR).encode() + data, {})


KEYS = st.one_of(
    st.sampled_from(ALL_KEYS),
    st.sampled_from(["LogonTag1", "SocketConnectHost1", "AppDataDictionary.FIX.4.4"]),
    st.text(max_size=8),
)
VALUES = st.one_of(
    st.sampled_from(["Y", "N", "0", "1", "0.5", "08:00:00", "Mon", "Fri", "9", "FIX.4.0"]),
    st.sampled_from(["FIXT.1.1", "acceptor", "554=x", "a,b", ".", "/", "\0", "x" * 5000]),
    st.text(max_size=12),
)


@settings(max_examples=150, deadline=None)
@given(
    base=st.sampled_from([INITIATOR, ACCEPTOR]),
    keys=st.dictionaries(KEYS, VALUES, max_size=6),
    dropped=st.booleans(),
)
def test_any_keys_are_sessions_or_a_config_error(
    base: dict[str, str], keys: dict[str, str], dropped: bool
) -> None:
    merged = base | keys
    if dropped:
        merged.pop("NonStopSession", None)
    read_any(section(merged).encode("utf-8", "surrogatepass"))


# All of it --------------------------------------------------------------------------------

DESK = r"""
# Sessions of the trading desk.
[DEFAULT]
FileStorePath=/var/fix/store
FileLogPath=/var/fix/log
ConnectionType=initiator
ReconnectInterval=15
SenderCompID=DESK
HeartBtInt=20
StartTime=07:00:00
EndTime=18:30:00
Weekdays=Mon,Tue,Wed,Thu,Fri
TimeZone=Europe/London
ResetOnLogout=Y
UseDataDictionary=Y
ValidateUserDefinedFields=N
CheckLatency=Y
MaxLatency=45
SocketTcpNoDelay=Y
ScreenLogShowEvents=N

[SESSION]
BeginString=FIX.4.2
TargetCompID=BROKER
TargetSubID=ALGO
SocketConnectHost=fix.broker.example
SocketConnectPort=10042
SocketConnectHost1=dr.broker.example
SocketConnectPort1=10042
LogonTag=95=6
LogonTag1=96=geheim
EnableNextExpectedMsgSeqNum=Y
ResendRequestChunkSize=2500

[SESSION]
BeginString=FIXT.1.1
DefaultApplVerID=FIX.5.0SP2
TargetCompID=EXCHANGE
SocketConnectHost=10.1.2.3
SocketConnectPort=10050
SSLEnable=Y
SSLServerName=gw.exchange.example
TransportDataDictionary=spec/FIXT11.xml
AppDataDictionary=spec/FIX50SP2.xml
AppDataDictionary.FIX.5.0=spec/FIX50.xml
LogonTag=553=desk1
LogonTag1=554=$(EXCHANGE_PASSWORD)
EnableNextExpectedMsgSeqNum=Y
TimeStampPrecision=MICROS
ClosedResendInterval=Y
AllowUnknownMsgFields=Y
DeskColour=green

[SESSION]
ConnectionType=acceptor
BeginString=FIX.4.4
SenderCompID=DESK
TargetCompID=INTERNAL
SocketAcceptPort=5001
PersistMessages=N
DataDictionary=spec/FIX44.xml
HeartBeatTimeoutMultiplier=2.0
"""


def test_the_file_of_a_desk(tmp_path: Path) -> None:
    (tmp_path / "spec").mkdir()
    dictionaries(tmp_path / "spec")
    broker, exchange, internal = SessionConfig.from_cfg(
        write(tmp_path, DESK), profile="quickfixj", environment={"EXCHANGE_PASSWORD": "geheim"}
    )
    times = Schedule(
        start="07:00:00",
        end="18:30:00",
        weekdays=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
        time_zone="Europe/London",
    )
    common = {
        "sender_comp_id": "DESK",
        "profile": "quickfixj",
        "heartbeat_seconds": 20,
        "schedule": times,
        "reset_on_logout": True,
        "sending_time_tolerance_seconds": 45.0,
    }
    assert broker.config == SessionConfig(
        **common,  # type: ignore[arg-type]
        begin_string="FIX.4.2",
        target_comp_id="BROKER",
        target_sub_id="ALGO",
        logon_fields=((95, "6"), (96, "geheim")),
        resend_chunk_max=2500,
    )
    assert (broker.host, broker.more_hosts) == (
        "fix.broker.example",
        (("dr.broker.example", 10042),),
    )
    assert broker.reconnect_seconds == 15.0
    assert broker.store_path == Path("/var/fix/store")
    assert broker.ignored == (
        "ScreenLogShowEvents (line 20): known, not applied: fixlab's journal takes the place "
        "of its log",
        "EnableNextExpectedMsgSeqNum (line 32): known, without effect here: FIX.4.2 lacks "
        "field 789",
    )
    assert exchange.config == SessionConfig(
        **common,  # type: ignore[arg-type]
        begin_string="FIXT.1.1",
        default_appl_ver_id="9",
        target_comp_id="EXCHANGE",
        username="desk1",
        password="geheim",
        next_expected=True,
        timestamp_digits=6,
        resend_range="exact",
        dictionary=exchange.config.dictionary,
        checks=Checks(allow_unknown_fields=True),
    )
    assert exchange.config.dictionary is not None
    assert exchange.config.dictionary.application_version == "FIX.5.0SP2"
    assert sorted(exchange.config.dictionary.applications) == ["7", "9"]
    assert exchange.tls is not None
    assert exchange.tls.server_name == "gw.exchange.example"
    assert "DeskColour (line 52): unknown" in exchange.ignored
    assert internal.config == SessionConfig(
        **common,  # type: ignore[arg-type]
        begin_string="FIX.4.4",
        target_comp_id="INTERNAL",
        persist_messages=False,
        silence_limit_factor=3.0,
        dictionary=internal.config.dictionary,
    )
    assert internal.config.dictionary is not None
    assert (internal.role, internal.port) == (Role.ACCEPTOR, 5001)
    assert all("geheim" not in repr(found) for found in (broker, exchange, internal))
