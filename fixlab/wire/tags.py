"""Tag numbers of the session layer, the tags of the header, and lengths of data fields."""

from __future__ import annotations

from typing import Final

SOH: Final = b"\x01"  # the byte that ends every field

# Tags that a session reads or writes, by their names in the specification.
BEGIN_SEQ_NO: Final = 7
BEGIN_STRING: Final = 8
BODY_LENGTH: Final = 9
CHECK_SUM: Final = 10
END_SEQ_NO: Final = 16
MSG_SEQ_NUM: Final = 34
MSG_TYPE: Final = 35
NEW_SEQ_NO: Final = 36
POSS_DUP_FLAG: Final = 43
REF_SEQ_NUM: Final = 45
SENDER_COMP_ID: Final = 49
SENDING_TIME: Final = 52
TARGET_COMP_ID: Final = 56
TEXT: Final = 58
POSS_RESEND: Final = 97
ENCRYPT_METHOD: Final = 98
HEART_BT_INT: Final = 108
TEST_REQ_ID: Final = 112
ORIG_SENDING_TIME: Final = 122
GAP_FILL_FLAG: Final = 123
RESET_SEQ_NUM_FLAG: Final = 141
LAST_MSG_SEQ_NUM_PROCESSED: Final = 369
REF_TAG_ID: Final = 371
REF_MSG_TYPE: Final = 372
SESSION_REJECT_REASON: Final = 373
MAX_MESSAGE_SIZE: Final = 383
TEST_MESSAGE_INDICATOR: Final = 464
BUSINESS_REJECT_REASON: Final = 380
USERNAME: Final = 553
PASSWORD: Final = 554
APPL_VER_ID: Final = 1128
CSTM_APPL_VER_ID: Final = 1129
APPL_EXT_ID: Final = 1156
NEXT_EXPECTED_MSG_SEQ_NUM: Final = 789
DEFAULT_APPL_VER_ID: Final = 1137

# MsgType(35) of the messages that belong to the session itself.
HEARTBEAT: Final = "0"
TEST_REQUEST: Final = "1"
RESEND_REQUEST: Final = "2"
REJECT: Final = "3"
SEQUENCE_RESET: Final = "4"
LOGOUT: Final = "5"
LOGON: Final = "A"
ADMIN_TYPES: Final = frozenset("012345A")
BUSINESS_MESSAGE_REJECT: Final = "j"

MSG_TYPE_NAMES: Final = {
    HEARTBEAT: "Heartbeat",
    TEST_REQUEST: "TestRequest",
    RESEND_REQUEST: "ResendRequest",
    REJECT: "Reject",
    SEQUENCE_RESET: "SequenceReset",
    LOGOUT: "Logout",
    LOGON: "Logon",
}

# Fields that only the session may write: an application message that brings one is a mistake.
# Whether it may bring 43 and 122 is for the session's `allow_poss_dup` to say.
SESSION_TAGS: Final = frozenset({8, 9, 10, 34, 35, 49, 52, 56})

# All tags of the standard header of any version; they stand before the body (FRM-14).
# fmt: off
HEADER_TAGS: Final = frozenset({
    8, 9, 34, 35, 43, 49, 50, 52, 56, 57, 90, 91, 97, 115, 116, 122, 128, 129, 142, 143, 144,
    145, 212, 213, 347, 369, 370, 627, 628, 629, 630, 1128, 1129, 1156,
})
# fmt: on
TRAILER_TAGS: Final = frozenset({10, 89, 93})

# DAT-01: the length field stands directly before its data field. Mostly data = length + 1, but
# not always, so the pairs are written out.
# fmt: off
LENGTH_TO_DATA: Final = {
    93: 89, 90: 91, 95: 96, 212: 213, 348: 349, 350: 351, 352: 353, 354: 355, 356: 357,
    358: 359, 360: 361, 362: 363, 364: 365, 445: 446, 618: 619, 621: 622, 1184: 1185,
    1277: 1278, 1280: 1281, 1282: 1283, 1397: 1398, 1401: 1402, 1403: 1404, 1468: 1469,
    1525: 1527, 1578: 1579, 1620: 1621, 1664: 1665, 1678: 1697, 1733: 1734, 1871: 1872,
    1874: 1875, 2072: 2073, 2074: 2075, 2111: 2112, 2179: 2180, 2287: 2288, 2351: 2352,
    2372: 2371, 2481: 2482, 2494: 2493, 2522: 2521, 2637: 2638, 2651: 2652, 2665: 2666,
    2715: 2716, 2718: 2719, 2721: 2722, 2797: 2798, 2802: 2801, 2809: 2808, 2815: 2814,
    40004: 40005, 40008: 40009, 40978: 40979, 40980: 40981, 40982: 40983, 40984: 40985,
    40986: 40987, 40988: 40989, 41083: 41084, 41101: 41102, 41107: 41108, 41256: 41257,
    41320: 41321, 41324: 41325, 41458: 41459, 41476: 41477, 41482: 41483, 41653: 41654,
    41710: 41711, 41806: 41807, 41811: 41812, 41873: 41874, 41969: 41970, 42025: 42026,
    42171: 42172, 42451: 42452, 43110: 42486, 42652: 42653, 43109: 42684, 42947: 42948,
    43111: 42982,
}
# fmt: on
