"""How many threads of a team really work, found out as the training goes."""

from __future__ import annotations

__all__ = ["ONE_THREAD", "SHORTEST", "SPEED", "Autotuner"]

_ALONE, _TEAM, _GO_ON = 0, 1, 2  # what a piece is for: to try one thread, the team, or neither
_TRIAL = 2e-3  # seconds of a trial
SHORTEST, _LONGEST = 0.03, 0.5  # seconds until the next, which grow while nothing changes
SPEED = 1e11  # multiplications and additions a second, to guess how long a trial is


class Autotuner:
    """How many of a team's threads really work, and for how many epochs until the next look.

    Threads that share a step wait for one another, so a team on a machine busy with other work can
    be slower than one thread. Where the number was not asked for, this tries both in short
    pieces of the training, goes on with the faster, and looks again now and then. The work is cut
    in the same parts either way, so the result is the same to the last bit.
    """

    def __init__(self, threads: int, fixed: bool, guess: float) -> None:
        self._team, self._fixed = threads, fixed or threads == 1
        self.threads, self._phase = (threads, _GO_ON) if self._fixed else (1, _ALONE)
        self._each = {threads: guess, 1: guess}  # seconds an epoch
        self._trial = max(1, int(_TRIAL / guess))  # epochs
        self._stretch = SHORTEST

    def epochs(self) -> int:
        """Of the next piece."""
        if self._fixed:
            return 1 << 62
        if self._phase == _GO_ON:
            return max(1, int(self._stretch / self._each[self.threads]))
        return self._trial

    def learn(self, epochs: int, seconds: float) -> None:
        """Take note of what the last piece took."""
        if self._fixed:
            return
        each, before = max(seconds, 1e-9) / epochs, self._each[self.threads]
        self._each[self.threads] = each
        if self._phase == _GO_ON:
            steady = each < 1.2 * before
            self._stretch = min(2 * self._stretch, _LONGEST) if steady else SHORTEST
        elif seconds < _TRIAL / 4:  # too short to tell
            self._trial = 4 * epochs
            return
        self._phase = (self._phase + 1) % 3
        self._trial = max(1, int(_TRIAL / 2 / self._each[1]))
        best = min(self._each, key=lambda n: self._each[n])
        self.threads = {_ALONE: 1, _TEAM: self._team, _GO_ON: best}[self._phase]


ONE_THREAD = Autotuner(1, True, 1.0)
