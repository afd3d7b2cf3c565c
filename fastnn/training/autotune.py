"""How many threads of a team really work, found out as the training goes."""

from __future__ import annotations

__all__ = ["SHORTEST", "SPEED", "Autotuner"]

_ALONE, _TEAM, _GO_ON = 0, 1, 2  # what a stretch is for: to try one thread, the team, or neither
_TRIAL = 2e-3  # seconds of a trial; or one step, if that is longer
_TRIALS = 15  # times as long, at least, is what follows: the slower half costs little
SHORTEST, _LONGEST = _TRIALS * _TRIAL, 0.5  # seconds, which grow while nothing changes
SPEED = 1e11  # multiplications and additions a second, to guess how long a trial is


class Autotuner:
    """How many of a team's threads really work, and for how many steps until the next look.

    Threads that share a step wait for one another, so a team on a machine busy with other work can
    be slower than one thread. Where the number was not asked for, this tries both in short
    stretches of the training, goes on with the faster, and looks again now and then. It counts
    steps, so that one long epoch is enough. The work is cut in the same parts either way, so the
    result is the same to the last bit.

    Parameters
    ----------
    threads : int
        Of the team.
    guess : float, optional
        Seconds a step; without it there is nothing to try, and all threads work.

    """

    def __init__(self, threads: int, guess: float | None = None) -> None:
        self._team, self.threads, self._left = threads, threads, 1 << 62
        self._phase, self._tries, self._longer = _GO_ON, guess is not None, SHORTEST
        if guess is not None:
            self._each = {threads: guess, 1: guess}  # seconds a step
            self._trial = max(1, int(_TRIAL / guess))  # steps
            self._begin(_ALONE, self._trial)

    def _begin(self, phase: int, steps: int) -> None:
        best = min(self._each, key=lambda n: self._each[n])
        self.threads = {_ALONE: 1, _TEAM: self._team, _GO_ON: best}[phase]
        self._phase, self._left, self._taken, self._seconds = phase, steps, 0, 0.0

    def steps(self) -> int:
        """Until the end of this stretch; one where an interrupt has kept it from ending."""
        return max(1, self._left)

    def learn(self, steps: int, seconds: float) -> None:
        """Take note of what some steps took, not more than are left of this stretch."""
        if not self._tries:
            return
        self._left -= steps
        self._taken += steps
        self._seconds += seconds
        if self._left > 0:
            return
        each, before = max(self._seconds, 1e-9) / self._taken, self._each[self.threads]
        self._each[self.threads] = each
        if self._phase == _GO_ON:
            steady = each < 1.2 * before
            self._longer = min(2 * self._longer, _LONGEST) if steady else SHORTEST
        elif self._seconds < _TRIAL / 4:  # too short to tell
            self._trial = 4 * self._taken
            self._begin(self._phase, self._trial)
            return
        self._trial = max(1, int(_TRIAL / 2 / self._each[1]))
        phase, steps = (self._phase + 1) % 3, self._trial
        if phase == _GO_ON:
            steps = max(_TRIALS * self._trial, int(self._longer / min(self._each.values())))
        self._begin(phase, steps)
