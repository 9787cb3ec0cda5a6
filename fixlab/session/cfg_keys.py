"""The keys of QuickFIX `.cfg` files: which fixlab reads, and why it has no use for others."""

from __future__ import annotations

import re
from typing import Final

# Keys that an engine knows and fixlab has no use for, by the reason.
_NO_USE: Final[dict[str, tuple[str, ...]]] = {
    "times are those of TimeZone, UTC without it": ("UseLocalTime",),
    "whoever connects decides when, within the session": (
        *("LogonTime", "LogoutTime", "LogonDay", "LogoutDay"),
    ),
    "fixlab has no such mode": (
        *("ResetOnError", "CmeEnhancedResend", "ForceResendWhenCorruptedStore"),
        *("ThreadModel", "DynamicSession"),
    ),
    "no engine reads it": ("SendResetSeqNumFlag",),
    "transport tuning": (
        *("HostSelectionPolicy", "HostSelectionPolicyPriorityStartOverInterval"),
        *("SocketConnectSourceHost", "SocketConnectSourcePort", "SocketLocalHost"),
        *("SocketLocalPort", "SocketSendBufferSize", "SocketReceiveBufferSize"),
        *("SocketSendTimeout", "SocketReceiveTimeout", "SocketKeepAlive", "SocketLinger"),
        *("SocketOobInline", "SocketTrafficClass", "SocketSynchronousWrites"),
        *("SocketSynchronousWriteTimeout", "MaxScheduledWriteRequests", "SocketIgnoreProxy"),
        "HttpAcceptPort",
    ),
    "TLS settings that fixlab leaves to ssl": (
        *("SSLCipherSuite", "TLSCipherSuites", "CipherSuites", "SSLCheckCertificateRevocation"),
        *("CertificateRevocationListFile", "CertificateRevocationListDirectory"),
        *("KeyStoreType", "TrustStoreType", "KeyManagerFactoryAlgorithm"),
        *("TrustManagerFactoryAlgorithm", "EndpointIdentificationAlgorithm"),
    ),
    "a store keeps no messages in memory": ("FileStoreMaxCachedMsgs",),
    "fixlab's journal takes the place of its log": (
        *("FileLogBackupPath", "FileLogHeartbeats", "SLF4JLogHeartbeats"),
        *("JdbcLogHeartBeats", "FileIncludeMilliseconds", "FileIncludeTimeStampForMessages"),
        *("ScreenLogShowIncoming", "ScreenLogShowOutgoing", "ScreenLogShowEvents"),
        *("ScreenLogShowHeartBeats", "RedactionLogText"),
    ),
}
# And families of such keys, by how they begin.
_NO_USE_PREFIXES: Final[dict[str, str]] = {
    "MySQL": "a database store or log of that engine",
    "PostgreSQL": "a database store or log of that engine",
    "Odbc": "a database store or log of that engine",
    "Jdbc": "a database store or log of that engine",
    "SLF4J": "a log of that engine",
    "Proxy": "fixlab connects directly",
    "SocketKeyStore": "a Java key store; export it as PEM",
    "SocketTrustStore": "a Java trust store; export it as PEM",
}
# Flags of which fixlab does one value always, and why the other has no effect.
SETTLED: Final[dict[str, tuple[bool, str]]] = {
    "RefreshOnLogon": (True, "a session always reads its store when it connects"),
    "SocketReuseAddress": (True, "an acceptor's address can always be used again at once"),
    "SocketNodelay": (True, "what is written always leaves at once"),
    "SocketTcpNoDelay": (True, "what is written always leaves at once"),
    "LogMessageWhenSessionNotFound": (True, "a refusal always shows the message"),
}
# Keys that `_Translator` reads, if only for one role or in some version.
_READ: Final = (
    *("BeginString", "SenderCompID", "TargetCompID", "SessionQualifier", "DefaultApplVerID"),
    *("SenderSubID", "SenderLocationID", "TargetSubID", "TargetLocationID"),
    *("ConnectionType", "AcceptorTemplate", "StartTime", "EndTime", "StartDay", "EndDay"),
    *("Weekdays", "NonStopSession", "TimeZone", "ResetOnLogon", "ResetOnLogout"),
    *("ResetOnDisconnect", "HeartBtInt", "LogonTimeout", "LogoutTimeout"),
    *("TestRequestDelayMultiplier", "HeartBeatTimeoutMultiplier", "DisableHeartBeatCheck"),
    *("SendLogoutBeforeDisconnectFromTimeout", "MaxLatency", "CheckLatency"),
    *("ReconnectInterval", "PersistMessages", "SendRedundantResendRequests"),
    *("ResendRequestChunkSize", "MaxMessagesInResendRequest", "ClosedResendInterval"),
    *("EnableNextExpectedMsgSeqNum", "SendNextExpectedMsgSeqNum"),
    *("EnableLastMsgSeqNumProcessed", "RequiresOrigSendingTime"),
    *("ResendSessionLevelRejects", "UseDataDictionary", "DataDictionary"),
    *("TransportDataDictionary", "AppDataDictionary", "ValidateLengthAndChecksum"),
    *("ValidateChecksum", "ValidateFieldsOutOfOrder", "ValidateFieldsHaveValues"),
    *("ValidateUserDefinedFields", "AllowUnknownMsgFields", "AllowUnknownEnumValues"),
    *("ValidateUnorderedGroupFields", "FirstFieldInGroupIsDelimiter"),
    *("ValidateIncomingMessage", "RejectInvalidMessage", "CheckCompID"),
    *("TimestampPrecision", "MillisecondsInTimeStamp", "SocketConnectHost"),
    *("SocketConnectPort", "SocketConnectTimeout", "SocketAcceptPort", "SocketAcceptHost"),
    *("SocketAcceptAddress", "SocketUseSSL", "SSLEnable", "SSLProtocol", "SSLProtocols"),
    *("EnabledProtocols", "ClientCertificateFile", "ClientCertificateKeyFile"),
    *("ServerCertificateFile", "ServerCertificateKeyFile", "SSLCertificate"),
    *("SSLCertificatePassword", "CertificationAuthoritiesFile", "SSLCACertificate"),
    *("CertificationAuthoritiesDirectory", "CertificateVerifyLevel", "NeedClientAuth"),
    *("SSLValidateCertificates", "SSLRequireClientCertificate", "SSLServerName", "UseSNI"),
    *("SNIHostName", "FileStorePath", "FileLogPath", "TestMessageIndicator"),
    *("RedactFieldsInLogs", "AllowPosDup", "ValidateSequenceNumbers", "RejectGarbledMessage"),
    *("RejectMessageOnUnhandledException", "DisconnectOnError", "AllowedRemoteAddresses"),
    *("ContinueInitializationOnError", "FileStoreSync", "Encoding", *SETTLED),
    *("IgnorePossDupResendRequests", "PreserveMessageFieldsOrder"),
    *("SocketConnectProtocol", "SocketAcceptProtocol"),
)
# Every key by the spelling of one engine; the families stand for themselves.
ALL_KEYS: Final = (*_READ, *(key for keys in _NO_USE.values() for key in keys))
_REASONS = {key.upper(): reason for reason, keys in _NO_USE.items() for key in keys}
_READ_UPPER = frozenset(key.upper() for key in _READ)
_READ_FAMILY = re.compile(
    r"(LOGONTAG|SOCKETCONNECTHOST|SOCKETCONNECTPORT)[0-9]+|APPDATAD.*\..*"
)


def reason_of(upper: str) -> str | None:
    """Why an engine's key has no use here; None for a key of no engine."""
    if upper in _REASONS:
        return _REASONS[upper]
    for prefix, reason in _NO_USE_PREFIXES.items():
        if upper.startswith(prefix.upper()):
            return reason
    return None


def is_read(upper: str) -> bool:
    """Whether fixlab reads this upper-case key, if only for one role or in some version."""
    return upper in _READ_UPPER or _READ_FAMILY.fullmatch(upper) is not None
