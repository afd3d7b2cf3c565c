"""The command line, as its users call it."""

import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import fastnn
from fastnn import cli, info
from fastnn.demos import training
from fastnn.demos.tasks import TASKS

FILES = {
    "xor": ["xor.gif", "xor.png"],
    "regression": ["regression.gif", "regression.png"],
    "digits": ["digits.png"],
}


@pytest.fixture(autouse=True)
def short_timing(monkeypatch):
    monkeypatch.setattr(training, "_ROUNDS", 3)
    monkeypatch.setattr(training, "_REFERENCE_STEPS", 20)
    monkeypatch.setattr(training, "_OUR_STEPS", 100)


def error_of(arguments, capsys):
    """The one line that a refused call leaves on stderr."""
    with pytest.raises(SystemExit) as leaving:
        cli.main(arguments)
    assert leaving.value.code == 2
    written = capsys.readouterr()
    assert written.err.count("\n") == 1
    assert written.err.startswith("fastnn: error: ")
    return written.err


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FILES)
def test_demo_prints_and_draws(name, dtype, tmp_path, capsys):
    steps = 4 if name == "digits" else 40
    out = tmp_path / "new" / "folder"
    arguments = ["demo", name, "--steps", str(steps), "--dtype", dtype, "--out", str(out)]
    assert cli.main(arguments) == 0
    text, errors = capsys.readouterr()
    assert errors == ""  # no progress bar where there is no terminal
    assert re.search(r"(?m)^finite difference -?\d", text)
    assert re.search(r"(?m)^ back propagation -?\d", text)
    lines = re.findall(r"(?m)^step ([ \d]{6}), cost \d+\.\d{6}", text)
    per_epoch = 43 if name == "digits" else 1
    tenths = {k * steps // 10 * per_epoch for k in range(10)}
    assert [int(line) for line in lines] == sorted(tenths)
    assert f"after {steps * per_epoch} steps: " in text
    assert re.search(rf"[\d.]+ s, [\d.]+ µs a step \(compiled, {dtype}, threads=1\)", text)
    assert float(re.search(r"ratio +([\d.]+) times as fast as the NumPy", text)[1]) > 0
    assert sorted(path.name for path in out.iterdir()) == FILES[name]
    for path in out.iterdir():
        assert str(path) in text
        with Image.open(path) as picture:
            picture.load()
            assert min(picture.size) > 300
            if path.suffix == ".gif":
                assert picture.n_frames > 10


def test_one_step_suffices(tmp_path, capsys):
    assert cli.main(["demo", "xor", "--steps", "1", "--out", str(tmp_path)]) == 0
    assert "after 1 steps" in capsys.readouterr().out


def test_chunks_do_not_change_the_training(capsys):
    chunked, whole = (TASKS["regression"](3, "float64") for _ in range(2))
    training.train(chunked, 500, seed=0)
    whole.network.fit(whole.X, whole.t, whole.learning_rate, epochs=500)
    assert np.array_equal(chunked.network.parameters, whole.network.parameters)


@pytest.mark.parametrize("seed", range(5))
def test_digits_are_recognised(seed, capsys):
    task = TASKS["digits"](seed, "float32")
    training.train(task, task.epochs, seed)
    assert task.judge(task.network)[0] >= 0.96


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["unknown"], "invalid choice: 'unknown'"),
        (["demo", "unknown"], "invalid choice: 'unknown'"),
        (["demo", "xor", "--steps", "0"], "steps must be between 1 and 1000000000, but is 0"),
        (["demo", "xor", "--steps", "-5"], "but is -5"),
        (["demo", "xor", "--steps", "1e5"], "steps must be an integer, not '1e5'"),
        (["demo", "xor", "--steps"], "expected one argument"),
        (["demo", "xor", "--steps", str(10**30)], "steps must be between"),
        (["demo", "--seed", "-1"], "seed must be at least 0, but is -1"),
        (["demo", "--seed", "one\ntwo"], "seed must be an integer"),
        (["demo", "--dtype", "float16"], "invalid choice: 'float16'"),
        (["demo", "xor", "extra\nline"], "unrecognized arguments: extra line"),
        (["demo", "--verbose"], "unrecognized arguments: --verbose"),
        (["demo", "--out", "null\0character"], "cannot write to"),
        (["info", "extra"], "unrecognized arguments: extra"),
    ],
)
def test_bad_arguments_cost_one_line(arguments, reason, capsys):
    assert reason in error_of(arguments, capsys)


@pytest.mark.parametrize("tail", ["", "below", "far/below"])
def test_unwritable_folder(tail, tmp_path, capsys):
    file = tmp_path / "file"
    file.write_text("")
    message = error_of(["demo", "xor", "--out", str(file / tail)], capsys)
    assert "argument --out: cannot write to" in message


def test_folder_where_a_picture_should_go(tmp_path, capsys):
    (tmp_path / "xor.png").mkdir()
    message = error_of(["demo", "xor", "--steps", "2", "--out", str(tmp_path)], capsys)
    assert "xor.png" in message


@pytest.mark.parametrize(
    ("module", "name", "missing"),
    [
        ("matplotlib", "xor", "matplotlib"),
        ("sklearn", "all", "scikit-learn"),
        ("sklearn", "digits", "scikit-learn"),
    ],
)
def test_missing_extra(module, name, missing, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, module, None)
    message = error_of(["demo", name, "--out", str(tmp_path)], capsys)
    assert f"needs {missing}: pip install 'fastnn-numba[demo]'" in message


def test_articles_demos_need_no_sklearn(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert cli.main(["demo", "regression", "--steps", "2", "--out", str(tmp_path)]) == 0


def test_info(capsys):
    assert cli.main(["info"]) == 0
    text = capsys.readouterr().out
    lines = text.splitlines()
    names = {line[:14].strip() for line in lines}
    assert names >= {"fastnn", "Python", "numpy", "scipy", "numba", "llvmlite", "threadpoolctl"}
    assert names >= {"CPU", "vectors", "threads", "BLAS", "kernel cache"}
    assert re.search(r"(?m)^vectors +(128|256|512) bit", text)
    assert re.search(r"(?m)^threads +training runs on 1;", text)
    assert re.search(r"(?m)^kernel cache +.*(\d+ kernels, [\d.]+ MB|nothing is cached)", text)


def test_info_without_a_cache(monkeypatch):
    monkeypatch.setattr(info, "folder", lambda: None)
    assert "kernel cache  not writable: nothing is cached" in info.report()


@pytest.mark.parametrize(
    ("features", "width"),
    [("+sse2,-avx", "128"), ("+avx,+avx2", "256"), ("+avx2,+avx512f,+fma", "512"), ("", "128")],
)
def test_vector_width_follows_numbas_settings(features, width, monkeypatch):
    monkeypatch.setattr(info.config, "CPU_FEATURES", features)
    assert re.search(rf"(?m)^vectors +{width} bit", info.report())


def test_help_and_version(capsys):
    assert cli.main([]) == 0
    assert "demo" in capsys.readouterr().out
    for arguments, expected in (
        (["--version"], f"fastnn {fastnn.__version__}"),
        (["demo", "--help"], "epochs of 43 mini-batches"),
    ):
        with pytest.raises(SystemExit) as leaving:
            cli.main(arguments)
        assert leaving.value.code == 0
        assert expected in " ".join(capsys.readouterr().out.split())  # help is wrapped


def test_python_m_and_light_imports():
    code = (
        "import sys, runpy; sys.argv = ['fastnn', '--version']\n"
        "try: runpy.run_module('fastnn', run_name='__main__')\n"
        "except SystemExit as leaving: assert not leaving.code\n"
        "assert not {'matplotlib', 'sklearn', 'tqdm', 'PIL'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"fastnn {fastnn.__version__}\n"
    refused = subprocess.run(
        [sys.executable, "-m", "fastnn", "demo", "xor", "--steps", "x"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 2
    assert refused.stderr == "fastnn: error: argument --steps: steps must be an integer, not 'x'\n"
