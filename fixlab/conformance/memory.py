"""SessionTarget: a fixlab session under test, in this process, on a virtual clock."""

from __future__ import annotations

from fixlab.conformance.model import Case, CaseResult
from fixlab.conformance.profile import Profile
from fixlab.conformance.targets import HOOKS
from fixlab.session.config import SessionConfig
from fixlab.session.transitions import Role


class SessionTarget:
    """A fixlab session with an application that echoes orders.

    Parameters: `config`, seen from the session's side; `role`, which end it is.
    """

    def __init__(self, config: SessionConfig, role: Role | str = Role.ACCEPTOR) -> None:
        self.config = config
        self.role = Role(role)
        self.begin_string = config.begin_string
        self.hooks = frozenset(HOOKS)

    def play(self, case: Case, profile: Profile) -> CaseResult:
        """Play one case from a fresh session."""
        raise NotImplementedError
