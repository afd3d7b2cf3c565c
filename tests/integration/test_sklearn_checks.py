"""What scikit-learn asks of estimators: its checks, and its own tests of the classes we replace."""

import subprocess
import sys
from pathlib import Path

import pytest
import sklearn.neural_network
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastnn.estimators import MLPClassifier, MLPRegressor

THEIRS = Path(sklearn.neural_network.__file__).parent / "tests" / "test_mlp.py"
IMPORT = "from sklearn.neural_network import MLPClassifier, MLPRegressor"

# Tests of scikit-learn's that do not hold here, and why.
OTHERWISE = {
    "test_gradient": "calls _loss_grad_lbfgs, a method of its implementation; "
    "NeuralNetwork.gradient_check is ours",
}


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([MLPClassifier(max_iter=100), MLPRegressor(max_iter=100)])
def test_checks(estimator, check):
    if check.func.__name__ == "check_array_api_input":
        return  # of other libraries' arrays: skips itself where SCIPY_ARRAY_API is not set
    check(estimator)


@pytest.mark.sweep
def test_their_own_tests_pass(tmp_path):
    text = THEIRS.read_text(encoding="utf-8")
    assert text.count(IMPORT) == 1
    changed = text.replace(IMPORT, IMPORT.replace("sklearn.neural_network", "fastnn.estimators"))
    (tmp_path / THEIRS.name).write_text(changed, encoding="utf-8")
    (tmp_path / "conftest.py").write_text("from sklearn.conftest import *\n", encoding="utf-8")
    missing = [name for name in OTHERWISE if f"def {name}(" not in text]
    assert not missing
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", THEIRS.name]
    command += [f"--deselect={THEIRS.name}::{name}" for name in OTHERWISE]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "skipped" not in found.stdout.splitlines()[-1]
