"""The articles' calls, one by one: fastnn beside NumPy as the articles write it.

``cases`` says what is called and on what, and how ours is; ``article`` has the articles' layers,
costs, network, optimizers, errors and activations in NumPy; ``contest`` checks that both give the
same. A call is timed as a program makes it: through the object, with arrays that are there.
"""

from __future__ import annotations

__all__: list[str] = []
