"""The products of layers by themselves: the engine's beside those of NumPy's BLAS.

``cases`` says which; ``ours`` runs them as the engine does on a tile, ``numpy_peer`` with NumPy;
``contest`` checks that all give the same. The whole batch is one tile. Ours are repeated in a
compiled call; every one of NumPy's is a call from Python, of about half a microsecond.
"""

from __future__ import annotations

__all__: list[str] = []
