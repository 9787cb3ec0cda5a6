"""Which cases are played against a target, and why others are not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fixlab.conformance.catalogue import CASES
from fixlab.conformance.model import Case, CaseResult, Need, Verdict
from fixlab.conformance.profile import Profile
from fixlab.conformance.targets import Target
from fixlab.errors import ConfigError

CasesGiven = Mapping[str, Case] | Iterable[str | Case] | str | None

_OPERATED = (Need.STOP, Need.APP_SEND, Need.APP_DOWN)


def chosen(given: CasesGiven, target: Target) -> dict[str, Case]:
    """The cases to play, by id. Of the catalogue as a whole, those for the target's end only.

    Raises `ConfigError` for an id that is not in the catalogue, or comes twice.
    """
    if given is None:
        return {ref: case for ref, case in CASES.items() if not _elsewhere(case, target)}
    if isinstance(given, str):
        given = [given]
    every: Iterable[str | Case] = given.values() if isinstance(given, Mapping) else given
    cases: dict[str, Case] = {}
    for one in every:
        case = one if isinstance(one, Case) else _known(one)
        if case.ref in cases:
            raise ConfigError(f"case {case.ref} is given twice")
        cases[case.ref] = case
    return cases


def _known(ref: object) -> Case:
    if not isinstance(ref, str):
        raise ConfigError(f"cases are ids or Case objects, found {ref!r}")
    try:
        return CASES[ref]
    except KeyError as error:
        raise ConfigError(str(error.args[0])) from None


def skipped(case: Case, target: Target, profile: Profile) -> CaseResult | None:
    """The SKIP of a case that cannot be played, or None."""
    why = _elsewhere(case, target) or _unsupported(case, target, profile)
    if not why:
        return None
    return CaseResult(
        ref=case.ref,
        verdict=Verdict.SKIP,
        begin_string=target.begin_string,
        role=target.role,
        found=why,
    )


def _elsewhere(case: Case, target: Target) -> str:
    """Why a case is not for this end of a session, or this version of FIX."""
    if case.role not in (None, target.role):
        return f"is about an {case.role}"
    if target.begin_string not in case.versions:
        return f"is about {', '.join(case.versions)}"
    return ""


def _unsupported(case: Case, target: Target, profile: Profile) -> str:
    needs = case.needs
    forbidden = sorted(needs & profile.forbidden)
    if forbidden:
        return f"the profile forbids {', '.join(forbidden)}"
    if Need.ENCRYPTION in needs:
        return "encryption inside FIX is not supported"
    if Need.APP in needs and not profile.app_types:
        return "the application answers no orders (Profile.app_types)"
    if Need.DICTIONARY in needs and not profile.dictionary:
        return "no dictionary checks are expected (Profile.dictionary)"
    if Need.NEXT_EXPECTED in needs and not profile.next_expected:
        return "NextExpectedMsgSeqNum(789) is not in use (Profile.next_expected)"
    if Need.GAP_AT_LOGON in needs and profile.next_expected:
        return "with NextExpectedMsgSeqNum(789) a gap at Logon is not asked for (LGN-22)"
    if Need.ADDRESSING in needs and profile.addressing is None:
        return "no third-party addressing was agreed (Profile.addressing)"
    missing = [need for need in _OPERATED if need in needs and need.value not in target.hooks]
    if missing:
        return f"nothing stands in for an operator: no hook {', '.join(missing)}"
    return ""
