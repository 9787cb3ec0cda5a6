"""Profile.logon_fields: what a counterparty wants to see in the runner's Logon."""

from __future__ import annotations

import pytest

from fixlab import SessionConfig
from fixlab.conformance import Profile, SessionTarget, run
from fixlab.errors import ConfigError

CONFIG = SessionConfig(sender_comp_id="VENUE", target_comp_id="LAB")


def test_lgn_26_they_are_sent_with_every_logon_and_never_shown() -> None:
    profile = Profile(logon_fields=((553, "me"), (554, "hunter2")))
    report = run(SessionTarget(CONFIG), cases=["1S-a", "2b"], profile=profile)
    for result in report:
        logons = [one.text for one in result.transcript if "|35=A|" in one.text]
        assert "|553=me|554=***|" in logons[0]
    assert report.passed
    assert "hunter2" not in repr(profile)


@pytest.mark.parametrize(("field", "words"), [((553, ""), "no text"), ((553, "a\x01b"), "SOH")])
def test_a_mistake_says_what_is_expected(field: tuple[int, str], words: str) -> None:
    with pytest.raises(ConfigError, match=f"tag 553 with {words}"):
        Profile(logon_fields=(field,))
