"""fastnn beside PyTorch, JAX, scikit-learn and ONNX Runtime: ``fastnn bench … --peers``.

::

    pip install -e '.[peers]'                          # wheels for the CPU are enough
    python benchmarks/compare.py                       # everything
    python benchmarks/compare.py activations --quick   # the table of activations, a first look
"""

import sys

from fastnn.cli import main

if __name__ == "__main__":
    sys.exit(main(["bench", *sys.argv[1:], "--peers"]))
