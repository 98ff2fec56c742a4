"""The access tokens that the emulator gives out, and how long each of them is good."""

import base64
import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

PREFIX = "ya29.emulator-"
LIFETIME = 3599.0
RENEWED_BEFORE = 300.0
"""A metadata server gives the same token until so many seconds before its end."""


@dataclass
class IssuedTokens:
    """Tokens by their end. Tokens of another form are callers' own, and are taken.

    Attributes:
        now: Seconds since 1970.
        lifetime: Seconds that a new token is good.
        is_down: Whether those who give tokens answer with a 503.
        asked: How often a token was asked for, by the way: `metadata`, `token`, `sts`, `impersonation`.
    """

    now: Callable[[], float]
    lifetime: float = LIFETIME
    is_down: bool = False
    asked: Counter[str] = field(default_factory=Counter)
    _ends: dict[str, float] = field(default_factory=dict)
    _of_machine: str = ""

    def issue(self) -> str:
        """A new token."""
        seed = f"{len(self._ends)}/{self.now()}".encode()
        text = base64.urlsafe_b64encode(hashlib.sha256(seed).digest()).decode().rstrip("=")
        token = f"{PREFIX}{len(self._ends) + 1}-{text}"
        self._ends[token] = self.now() + self.lifetime
        return token

    def of_machine(self) -> tuple[str, float]:
        """The token of the machine's service account, and for how many seconds it is still good."""
        left = self._ends.get(self._of_machine, 0) - self.now()
        if left < min(RENEWED_BEFORE, self.lifetime / 4):
            self._of_machine, left = self.issue(), self.lifetime
        return self._of_machine, left

    def revoke(self) -> None:
        """End every token that was given out so far."""
        self._ends = dict.fromkeys(self._ends, 0.0)
        self._of_machine = ""

    def is_good(self, token: str) -> bool:
        """Whether a token that came with a request is taken."""
        return not token.startswith(PREFIX) or self.now() < self._ends.get(token, 0)
