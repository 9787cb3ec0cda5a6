"""The codes of findings: severity, rule, what should have happened, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Code(NamedTuple):
    """What is the same for all findings of one code."""

    severity: str
    rule: str
    expected: str
    advice: str


def _read() -> dict[str, Code]:
    # Three lines a code, "#" starts a remark: the table is package data, so it is trusted.
    table = Path(__file__).with_name("_codes.txt").read_text(encoding="utf-8")
    lines = [line for line in table.splitlines() if line and not line.startswith("#")]
    found = {}
    for head, expected, advice in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        name, severity, rule = head.split(" | ")
        found[name] = Code(severity, rule, expected.strip(), advice.strip())
    return found


CODES = _read()

# Root -> what follows from it where both are about the same gap, request or connection.
_OF_A_GAP = (
    *("GAP_NEVER_CLOSED", "MESSAGE_LOST", "RESEND_UNANSWERED", "RESEND_INCOMPLETE"),
    *("SEQ_GAP", "RESEND_UNJUSTIFIED"),
)
_OF_NUMBERS = ("LOGON_REFUSED", "SEQ_GAP", "DUPLICATE_NOT_FLAGGED", "RESEND_UNJUSTIFIED")
FOLLOWS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("CHECKSUM_BAD", "BODYLENGTH_BAD", "GARBLED"),
        (*_OF_A_GAP, "GAP_NOT_REQUESTED", "LOGOUT_DURING_GAP", "SEQ_SKIPPED"),
    ),
    "HEARTBEAT_MISSING": ("TESTREQ_UNANSWERED", "ENDED_WITHOUT_LOGOUT", "RESEND_UNANSWERED",
                          "LOGOUT_UNANSWERED"),
    "SECOND_LOGON": ("MSG_BEFORE_LOGON", "ENDED_WITHOUT_LOGOUT", "LOGON_UNANSWERED",
                     "LOGON_REFUSED"),
    "RESET_NOT_HONOURED": (*_OF_NUMBERS, "SEQ_TOO_LOW", "STORE_REWOUND", "RESET_TWICE"),
    "RESET_BAD_SEQ": (*_OF_NUMBERS, "RESET_NOT_HONOURED"),
    "RESET_BACKWARDS": (*_OF_NUMBERS, "SEQ_TOO_LOW", "STORE_REWOUND"),
    "RESET_TWICE": _OF_NUMBERS,
    "RESET_UNASKED": _OF_NUMBERS,
    "ONE_SIDE_ROLLED": _OF_NUMBERS,
    "NEXT_EXPECTED_MISMATCH": (*_OF_NUMBERS, "MESSAGE_LOST"),
    "SEQ_TOO_LOW": _OF_NUMBERS,
    "STORE_REWOUND": _OF_NUMBERS,
    "MANUAL_SEQ_EDIT": ("SEQ_GAP", "SEQ_SKIPPED"),
    "NEWSEQ_ABSURD": (*_OF_A_GAP, "GAPFILL_BAD_NEWSEQ", "GAPFILL_UNASKED",
                      "DUPLICATE_NOT_FLAGGED"),
    "REPLAY_NOT_FLAGGED": (*_OF_A_GAP, "RESEND_LOOP", "DUPLICATE_NOT_FLAGGED", "SEQ_TOO_LOW"),
    "POSSDUP_NO_ORIG": ("RESEND_LOOP",),
    "GAPFILL_BAD_NEWSEQ": (*_OF_A_GAP, "DUPLICATE_NOT_FLAGGED", "GAPFILL_UNASKED"),
    "GAPFILL_BAD_SEQ": (*_OF_A_GAP, "RESEND_LOOP", "GAPFILL_UNASKED"),
    "GAPFILL_SKIPS_UNSEEN": (*_OF_A_GAP, "RESEND_BAD_BEGIN"),
    "GAPFILL_IGNORED": (*_OF_A_GAP, "RESEND_OVERLAP", "RESEND_STORM"),
    "RESEND_LOOP": (*_OF_A_GAP, "RESEND_STORM", "RESEND_OVERLAP", "GAPFILL_IGNORED"),
    "RESEND_STORM": ("RESEND_OVERLAP", "RESEND_UNJUSTIFIED", "SEQ_GAP"),
    "RESEND_OVERLAP": ("RESEND_UNJUSTIFIED", "SEQ_GAP"),
    "RESEND_INVALID": _OF_A_GAP,
    "RESEND_BAD_BEGIN": _OF_A_GAP,
    "LOGOUT_DURING_GAP": _OF_A_GAP,
    "GAP_NOT_REQUESTED": _OF_A_GAP,
    "SEQ_SKIPPED": ("SEQ_GAP",),
    "RESEND_UNANSWERED": ("GAP_NEVER_CLOSED", "MESSAGE_LOST", "SEQ_GAP"),
    "RESEND_INCOMPLETE": ("RESEND_UNANSWERED", "GAP_NEVER_CLOSED", "MESSAGE_LOST", "SEQ_GAP"),
    "DUPLICATE_NOT_FLAGGED": ("SEQ_SKIPPED", "SEQ_GAP", "SEQ_TOO_LOW"),
    "MSG_BEFORE_LOGON": (*_OF_NUMBERS, "SEQ_TOO_LOW", "STORE_REWOUND"),
    "MESSAGE_LOST": ("GAP_NEVER_CLOSED", "SEQ_GAP"),
}  # fmt: skip
