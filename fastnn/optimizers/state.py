"""What an optimizer remembers from step to step, and whose parameters it is for."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, aligned
from .saved_state import SavedState
from .spec import Rule
from .step import PreparedStep

__all__ = ["Stateful"]


class Stateful:
    """A rule with its state: a vector for each name of `Rule.states`, memory, and a counter."""

    __slots__ = (
        "__weakref__", "_hyperparameters", "_move", "_prepared", "_seed", "_served", "_shapes",
        "_state", "_users", "counter", "rule",
    )  # fmt: skip

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        # Compiled code has the addresses of these.
        self.counter = np.zeros(1, np.int64)
        self._hyperparameters = np.zeros(rule.memory_place + 2 * len(rule.memory) + 1)
        self._state: Array = np.empty((0, 0))
        self._shapes: tuple[tuple[int, ...], ...] = ()
        self._prepared: PreparedStep | None = None
        self._move: Callable[..., Any] | None = None  # of `update`, worked out once
        self._users: weakref.WeakSet[Any] = weakref.WeakSet()  # compiled models and trainings
        self._served: tuple[Callable[[], Any], ...] = ()  # layers, by weak references
        self._seed = 0
        self._forget()

    def _set_seed(self, seed: int) -> None:
        self._seed = seed
        if self.rule.noisy:
            self._hyperparameters[self.rule.memory_place - 1] = seed

    @property
    def steps(self) -> int:
        """Steps taken so far."""
        return int(self.counter[0])

    def reset(self) -> None:
        """Forget the state: the next step is the first, of models in compiled code too."""
        self.counter[0] = 0
        self._forget()
        self._leave()

    def _leave(self) -> None:
        """Serve anyone from now on, unless somebody is being served."""
        if not self._users:
            self._served = ()

    def _forget(self) -> None:
        """Put states and memory to what they begin as."""
        for values, initial in zip(self._state, self.rule.states.values(), strict=False):
            values[...] = initial(self, values.size) if callable(initial) else initial
        memory = list(self.rule.memory.values())
        self._hyperparameters[self.rule.memory_place :] = [*memory, *memory, 0.0]
        self._shapes, self._prepared, self._move = (), None, None

    def serve(self, layers: Sequence[Any]) -> None:
        """Belong to these layers from now on.

        Raises
        ------
        ValueError
            If the optimizer has taken steps for other layers, or is at work for them.

        """
        served = self._served
        if len(served) == len(layers) and all(
            known() is layer for known, layer in zip(served, layers, strict=True)
        ):
            return
        if served and (self.steps or self._users):
            did = f"has taken {self.steps} step{'s' * (self.steps != 1)} for"
            raise ValueError(
                f"this {self.rule.name} {did if self.steps else 'is at work for'} the layers of "
                "another network, whose state it has: give each network a new one of get_opt (or a "
                "copy of this one, which keeps the state), or call its reset()"
            )
        self._served = tuple(map(_reference, layers))

    def state_for(self, theta: Array, shapes: tuple[tuple[int, ...], ...] = ()) -> Array:
        """The state that belongs to this vector of parameters, made if there is none yet.

        shapes: those of the arrays it is made of; default: the vector itself.

        Raises
        ------
        ValueError
            If the optimizer has been used with parameters of other shapes or another dtype.

        """
        return self._state_of(theta.size, theta.dtype, shapes or ((theta.size,),))

    def _state_of(
        self, size: int, dtype: np.dtype[Any], shapes: tuple[tuple[int, ...], ...]
    ) -> Array:
        names, shape = self.rule.states, (len(self.rule.states), size)
        if not names:  # there is nothing to remember
            return np.empty(shape, dtype)
        fits = self._state.shape == shape and self._state.dtype == dtype
        free = not self.steps and not self._users
        if free and not fits:
            self._state = aligned(shape[0] * shape[1], dtype).reshape(shape)
            self._forget()
        elif not fits or (self._shapes and not free and self._shapes != shapes):
            before = self._shapes or ((self._state.shape[1],),)
            used, reset = "has been used", ", or its reset()"
            if self._users:
                used, reset = "is at work", ""
            raise ValueError(
                f"this {self.rule.name} {used} with {self._state.shape[1]} parameters of "
                f"{self._state.dtype}{_listed(before)}, but there are {size} of {dtype}"
                f"{_listed(shapes)}: use another optimizer{reset}"
            )
        self._shapes = shapes
        return self._state

    def bind(self, user: Any) -> None:
        """Until it is released or gone, this runs with the state, which stays in its place."""
        self._users.add(user)

    @property
    def is_at_work(self) -> bool:
        """Whether a compiled model or a training runs with the state."""
        return bool(self._users)

    def release(self, user: Any) -> None:
        """See `bind`."""
        self._users.discard(user)

    def numbers(self) -> npt.NDArray[np.float64]:
        """What the kernel reads, see ``kernels/optimizers/layout.py``; always one array."""
        return self._hyperparameters

    def remember(self, hyper: npt.NDArray[np.float64]) -> None:
        """Take over what a training's own numbers remember."""
        offset = self.rule.memory_place
        self._hyperparameters[offset:] = hyper[offset : self._hyperparameters.size]

    def _remembered(self) -> list[float]:
        """The memory after the last step that was taken."""
        offset, size = self.rule.memory_place, len(self.rule.memory)
        known, of_step = (
            self._hyperparameters[offset : offset + 2 * size],
            self._hyperparameters[-1],
        )
        refused = of_step == self.steps + 1
        return [float(x) for x in (known[:size] if refused else known[size:])]

    def state_dict(self) -> dict[str, Any]:
        """Everything that a training goes on from, as copies.

        Arrays may be written down as lists, for JSON: `load_state_dict` takes these too.
        """
        named = dict(zip(self.rule.states, self._state, strict=False))
        return {
            "name": self.rule.name,
            "steps": self.steps,
            **({"dtype": self._state.dtype.name} if named else {}),
            **{key: value.copy() for key, value in named.items()},
            **dict(zip(self.rule.memory, self._remembered(), strict=True)),
            **({"seed": self._seed} if self.rule.noisy else {}),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave; of any network whose parameters are as many.

        Raises
        ------
        TypeError, ValueError
            If it is no such state, or that of another rule; and, for an optimizer at work in a
            compiled model or, by a callback, in a training, of another size or dtype. Nothing has
            changed then.

        """
        saved = SavedState.of(self.rule, state)
        states = saved.states
        fits = (
            states is not None
            and self._state.shape == states.shape
            and self._state.dtype == states.dtype
        )
        if states is not None and not fits and self._users:
            raise ValueError(
                f"this {self.rule.name} is at work with {self._state.shape[1]} parameters of "
                f"{self._state.dtype}, but the state is that of {states.shape[1]} of "
                f"{states.dtype}"
            )
        self.counter[0] = saved.steps
        self._set_seed(saved.seed)
        self._forget()  # which is all, for a state of before the first step
        self._leave()
        if fits:
            self._state[...] = states
        elif states is not None:
            self._state = states
        self._hyperparameters[self.rule.memory_place :] = [*saved.memory, *saved.memory, 0.0]


def _reference(layer: Any) -> Callable[[], Any]:
    """A weak reference, if the layer can have one."""
    try:
        return weakref.ref(layer)
    except TypeError:  # a class of the caller's with __slots__
        return lambda: layer


def _listed(shapes: tuple[tuple[int, ...], ...]) -> str:
    """Shapes of several arrays, for messages."""
    return f" in arrays of {', '.join(map(str, shapes))}" if len(shapes) > 1 else ""
