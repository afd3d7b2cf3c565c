"""The command line, as its users call it."""

import importlib.util
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from support.commands import error_of
from support.installations import NOWHERE, seed, seed_named
from support.tolerance import assert_close

import fastnn
from fastnn import cli, info
from fastnn.cli import commands
from fastnn.cli.parser import parser as command_line
from fastnn.demos import OWN, estimators, mixture, ode, pde, plots, training
from fastnn.demos.tasks import TASKS, distance_of, pendulum

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
    monkeypatch.setattr(ode, "_ROUNDS", 3)
    monkeypatch.setattr(estimators, "_ROUNDS", 3)
    monkeypatch.setattr(estimators, "_EPOCHS", 5)


@pytest.mark.one_in(3)
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
    assert re.search(r"(?m)^  ratio +[\d.]+(–[\d.]+)? times as fast as the NumPy reference", text)
    assert re.search(r"(?m)^  noise +The machine was (quiet; [01]|noisy: )", text)
    assert re.search(r"[01] of 1 ratios are given as a range", " ".join(text.split()))
    beside = r"(?m)^  estimator +[\d.]+(–[\d.]+)? times as fast as scikit-learn's MLPClassifier"
    assert bool(re.search(beside, text)) == (name == "digits")
    assert sorted(path.name for path in out.iterdir()) == FILES[name]
    for path in out.iterdir():
        assert str(path) in text
        with Image.open(path) as picture:
            picture.load()
            assert min(picture.size) > 300
            if path.suffix == ".gif":
                assert picture.n_frames > 10


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_both_classifiers_of_the_digits_come_to_the_same(dtype):
    found = estimators.contest(TASKS["digits"](0, dtype))
    assert found.accuracies[0] == pytest.approx(found.accuracies[1], abs=0.005)
    assert f"accuracy {found.accuracies[0]:.4f} and" in estimators.report(found)


PROGRAMS = ["fastnn in njit", "NumPy", "PyTorch"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("with_torch", [True, False])
def test_ode_prints_and_draws(with_torch, dtype, tmp_path, monkeypatch, capsys):
    if not with_torch:
        monkeypatch.setitem(sys.modules, "torch", None)
    names = PROGRAMS[: 3 if importlib.util.find_spec("torch") else 2]
    bars, races = [], []

    def draw_bars(axes, seconds):
        bars.append(seconds)
        plots.draw_bars(axes, seconds)

    def race(network, measured=ode.race):
        races.append(measured(network))
        return races[0]

    monkeypatch.setattr(ode, "race", race)

    monkeypatch.setattr("fastnn.demos.pictures.draw_bars", draw_bars)
    arguments = ["demo", "ode", "--steps", "4", "--dtype", dtype, "--out", str(tmp_path)]
    assert cli.main(arguments) == 0
    text, errors = capsys.readouterr()
    assert errors == ""
    assert [int(n) for n in re.findall(r"(?m)^step +(\d+), cost \d", text)] == [0, 10, 20, 30]
    assert re.search(r"after 40 steps: RMS error of the right-hand side \d\.\d{4}", text)
    figures = dict(re.findall(r"(?m)^  (\w[\w ]*?) +([\d.]+) µs", text))
    figures.pop("training", None)
    assert list(figures) == names == list(*bars)
    assert all(float(figure) > 0 for figure in figures.values())
    ratios = re.findall(r"µs, ([\d.–]+) times as long", text)
    assert ratios == [str(ratio) for ratio in races[0].ratios.values()]
    assert list(races[0].ratios) == names[1:]
    assert len(races[0].pulses) == races[0].rounds + 1
    assert re.search(r"(?m)^  noise +The machine was (quiet|noisy)", text)
    assert f"an evaluation of the network in a Runge-Kutta loop (compiled, {dtype})" in text
    assert re.search(r"paths +of all programs differ by \d\.\de-\d\d at most, as roundings", text)
    assert [path.name for path in tmp_path.iterdir()] == ["ode.png"]
    with Image.open(tmp_path / "ode.png") as picture:
        picture.load()
        assert min(picture.size) > 300


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_mdn_prints_and_draws(dtype, tmp_path, capsys):
    arguments = ["demo", "mdn", "--steps", "40", "--dtype", dtype, "--out", str(tmp_path)]
    assert cli.main(arguments) == 0
    text, errors = capsys.readouterr()
    assert errors == ""
    assert len(re.findall(r"(?m)^step +\d+, cost -?\d", text)) == 10
    assert re.search(r"after 40 steps: cost -?[\d.]+, RMS error of the conditional mode \d", text)
    assert re.search(rf"[\d.]+ µs a step \(compiled, {dtype}, threads=1\)", text)
    found = re.search(r"wrong by +([\d.]+) \(the mode of the mixture\), ([\d.]+) \(least", text)
    assert all(float(figure) > 0 for figure in found.groups())
    assert [path.name for path in tmp_path.iterdir()] == ["mdn.png"]
    with Image.open(tmp_path / "mdn.png") as picture:
        picture.load()
        assert min(picture.size) > 300


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_lm_prints_and_draws(dtype, tmp_path, capsys):
    arguments = ["demo", "lm", "--steps", "40", "--dtype", dtype, "--out", str(tmp_path)]
    assert cli.main(arguments) == 0
    text, errors = capsys.readouterr()
    assert errors == ""
    assert len(re.findall(r"(?m)^    Adam +.* after [\d.]+ ms, \d+ epochs", text)) == 2
    assert re.search(r"Levenberg-Marquardt +reached after [\d.]+ ms, \d+ epochs", text)
    assert re.search(r"evidence +noise 0\.\d+, where it is 0.1; [\d.]+ of 25 parameters", text)
    with Image.open(tmp_path / "lm.png") as picture:
        picture.load()
        assert min(picture.size) > 300


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pde_prints_and_draws(dtype, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pde, "_peer", lambda *given: Stranger())
    threads = fastnn.get_num_threads()
    arguments = ["demo", "pde", "--steps", "40", "--dtype", dtype, "--out", str(tmp_path)]
    assert cli.main(arguments) == 0
    assert fastnn.get_num_threads() == threads
    text, errors = capsys.readouterr()
    assert errors == ""
    steps = re.findall(r"(?m)^step +(\d+), cost \d\.\d\de[+-]\d\d$", text)
    assert list(map(int, steps)) == [*range(4, 41, 4)]
    assert re.search(r"after 40 steps: error of the solution [\d.e-]+ RMS, [\d.e-]+ at most", text)
    assert re.search(rf"[\d.]+ µs a step of 1000 points \({dtype}, threads=1\)", text)
    assert re.search(r"(?m)^  JAX +[\d.]+ s, [\d.]+ µs a step, [\d.–]+ times as long", text)
    assert "the solutions differ by 1.0e+00 at most" in text
    assert re.search(r"(?m)^  noise +The machine was (quiet|noisy)", text)
    assert [path.name for path in tmp_path.iterdir()] == ["pde.png"]
    with Image.open(tmp_path / "pde.png") as picture:
        picture.load()
        assert min(picture.size) > 300


class Stranger:
    """In place of JAX: a training that takes some time, and a solution that is wrong by 1."""

    def prepare(self):
        pass

    def train(self, steps):
        self.rows = np.sort(np.random.default_rng(0).random(100_000))
        return [1.0] * steps

    def solution(self, X):
        return np.where(X[:, :1] * X[:, 1:] == 0, 1.0, 0.0736)


def test_pde_descends_along_the_gradient_of_its_cost():
    nn, X = pde.network(1, "float64"), pde.points(np.random.default_rng(2), "float64")
    cost, gradient = pde.gradient(nn, X)
    for k in np.random.default_rng(3).choice(nn.parameters.size, 5):
        costs = []
        for step in (1e-5, -1e-5):
            nn.parameters[k] += step
            costs.append(pde.gradient(nn, X)[0])
            nn.parameters[k] -= step
        assert (costs[0] - costs[1]) / 2e-5 == pytest.approx(gradient[k], rel=1e-5, abs=1e-8)
    assert cost == pytest.approx(np.mean([costs]), rel=1e-3)


def test_exact_solution_of_the_pde():
    u, h = pde.exact(), 0.01
    assert not u[0].any()
    assert np.abs(u[:, -1]).max() < 1e-15
    assert u.max() == u[50, 50] == pytest.approx(0.0736713532815138, abs=1e-8)
    middle = u[20:-20, 20:-20]
    beside = u[19:-21, 20:-20] + u[21:-19, 20:-20] + u[20:-20, 19:-21] + u[20:-20, 21:-19]
    np.testing.assert_allclose((beside - 4 * middle) / h**2, -1, atol=1e-3)


def test_pde_comes_to_the_solution():
    run = pde.race(300, 0, "float32")
    found, wrong = pde.errors(run.network)
    assert np.sqrt(np.mean(wrong**2)) < 1e-3
    assert np.mean(run.costs["fastnn"][-30:]) < 0.05
    np.testing.assert_array_equal(found[0], 0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_mixture_solves_what_least_squares_cannot(seed, dtype, capsys):
    task = TASKS["mdn"](seed, dtype)
    training.train(task, task.epochs, seed)
    fit = mixture.least_squares(task, task.epochs, seed)
    x = np.linspace(0.05, 0.95, 50)[:, np.newaxis]
    assert task.judge(task.network)[0] < 0.1 / 3**0.5 < distance_of(x, fit.predict(x))
    cost, outputs = task.network.cost_function, task.network.predict([[0.5]])
    modes = cost.modes(outputs)[0]  # of x = 1/2; two of them may have met
    assert np.abs(modes - [0.22, 0.5, 0.78]).min(axis=1).max() < 0.1
    assert np.ptp(modes) > 0.2
    assert 0.3 < cost.mean(outputs)[0, 0] < 0.7  # right for nobody, as least squares
    assert cost.mode(outputs)[0] in modes


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_integrate_is_the_classical_runge_kutta_method(dtype):
    # Of dx/dt = A x a step is the Taylor series of exp(dt A) up to the fourth power.
    a, dt, steps = np.array([[-0.5, 1.0], [-2.0, 0.3]]), 0.1, 20
    layer = fastnn.LinearLayer(2, 2, init=a.T, dtype=dtype)
    nn = fastnn.NeuralNetwork([layer], fastnn.SumSquaresError())
    path = np.empty((steps + 1, 2), dtype)
    path[0] = 1.0, -2.0
    ode.integrate(nn.compiled(), path, dt)
    a = layer.w.T.astype(np.float64)  # as rounded
    step = power = np.eye(2)
    for k in range(1, 5):
        power = power @ (dt * a) / k
        step = step + power
    expected = [np.array([1.0, -2.0])]
    for _ in range(steps):
        expected.append(step @ expected[-1])
    assert_close(path, np.array(expected), operations=steps * 8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_learned_and_true_pendulum_keep_together(dtype, capsys):
    task = TASKS["ode"](1, dtype)
    training.train(task, task.epochs, 1)
    error = task.judge(task.network)[0]
    assert error < 0.02 * np.std(task.t)
    race = ode.race(task.network)
    assert race.agrees
    assert race.distance > 0
    for start in ode.PATHS:
        true, learned = ode.follow_truth(start), ode.follow(task.network, start)
        assert np.array_equal(learned[0], np.array(start, dtype))
        # Errors of the law add up along the path at most, and damping lets go of them.
        assert np.abs(true - learned).max() < 3 * error * ode.STEPS * ode.DT
        slopes = np.gradient(true, ode.DT, axis=0)[1:-1]  # error: dt²/6 times a third derivative
        assert np.abs(slopes - pendulum(true[1:-1])).max() < ode.DT**2


def test_race_sees_a_program_that_computes_something_else(monkeypatch, capsys):
    task = TASKS["ode"](0, "float32")

    def field(network):
        return lambda x: 1.001 * network.predict(x)

    monkeypatch.setattr(ode, "_numpy_field", field)
    race = ode.race(task.network)
    assert not race.agrees
    assert "more than by roundings" in ode.report(task, race)


def test_torch_runs_on_one_thread_and_has_its_threads_back():
    nn = TASKS["ode"](0, "float32").network
    if not importlib.util.find_spec("torch"):
        assert list(ode.race(nn).seconds) == PROGRAMS[:2]
        return
    torch = importlib.import_module("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with ode._programs(nn) as programs:
            assert list(programs) == PROGRAMS
            assert torch.get_num_threads() == 1
            assert torch.is_inference_mode_enabled()
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("present", [True, pytest.param(False, marks=pytest.mark.sweep)])
def test_integrate_is_cached_and_does_without(child, own_copy, tmp_path, present):
    """The loop of the demo, whose kernels may be there already, or cannot be kept either."""
    if present:
        seed_named(tmp_path / "cache")
    first, second = (
        child("follow_a_pendulum", NUMBA_CACHE_DIR=tmp_path / "cache") for _ in range(2)
    )
    assert first["compiled"] > 0
    assert second == {**first, "compiled": 0}
    assert first["cached"]
    environment, folder = own_copy
    demos = folder.parent / "demos"
    for place in (demos,) if present else (folder, demos):
        (place / "__pycache__").write_text("a file where the folder should be")
    if present:
        seed(folder / "__pycache__" / "fastnn")
    elsewhere = {"MPLCONFIGDIR": tmp_path}  # matplotlib complains otherwise
    answer = child("follow_a_pendulum", **{**environment, **NOWHERE, **elsewhere})
    assert answer["file"].startswith(str(environment["PYTHONPATH"]))
    assert not answer["cached"]
    assert answer["result"] == first["result"]


def test_all_demos_run(tmp_path, capsys):
    assert cli.main(["demo", "--steps", "1", "--out", str(tmp_path)]) == 0
    expected = [name for names in FILES.values() for name in names]
    expected += ["ode.png", "mdn.png", "lm.png", "pde.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(expected)
    assert set(commands.DEMOS) == {*TASKS, *OWN}


def test_demo_of_ranks_says_what_it_needs(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    message = error_of(["demo", "mpi", "--out", str(tmp_path)], capsys)
    assert "needs mpi4py: pip install 'fastnn-numba[mpi]'" in message


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


@pytest.mark.parametrize("name", ["f4", "single", "float32", "f8", "double"])
def test_dtypes_have_the_names_that_numpy_gives_them(name):
    expected = np.dtype(name).name
    parser = command_line()
    assert parser.parse_args(["demo", "--dtype", name]).dtype == expected
    assert parser.parse_args(["warmup", "--dtype", name]).dtype == expected
    assert parser.parse_args(["bench", "--dtypes", f"{name},f4"]).dtypes[0] == expected


def test_names_may_follow_options():
    parser = command_line()
    for arguments in (
        ["activations", "tanh", "relu", "--peers", "--rounds", "3"],
        ["activations", "--peers", "tanh", "--rounds", "3", "relu"],
        ["--peers", "activations", "--rounds", "3", "tanh", "relu"],
        ["--peers", "--rounds", "3", "activations", "tanh", "relu"],
    ):
        given = parser.parse_args(["bench", *arguments])
        assert (given.part, given.names) == ("activations", ["tanh", "relu"])
        assert (given.peers, given.rounds) == (True, 3)
    assert parser.parse_args(["demo", "--seed", "3", "xor"]).name == "xor"
    assert parser.parse_args(["bench", "--peers"]).names == []


def test_lines_reach_a_file_as_they_come(monkeypatch, tmp_path):
    with (tmp_path / "out").open("w", encoding="ascii") as out:
        monkeypatch.setattr(sys, "stdout", out)
        assert cli.main([]) == 0
        print("µs a step")
        assert (tmp_path / "out").read_text().endswith("?s a step\n")


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
    assert re.search(r"(?m)^second cache +\d+ kB", text)
    assert re.search(r"(?m)^threads +training uses at most \d+;", text)
    assert re.search(r"(?m)^kernel cache +.*(\d+ kernels, [\d.]+ MB|nothing is cached)", text)


def test_info_without_a_cache(monkeypatch):
    monkeypatch.setattr(info, "folder", lambda: None)
    with monkeypatch.context() as patch:
        patch.setattr(info, "folders", tuple)
        assert "kernel cache  not writable: nothing is cached" in info.report()
    found = info.report()  # one that is only read
    assert re.search(r"(?m)^kernel cache +.* MB, read-only\); not writable: nothing more", found)


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
        (["demo", "--help"], "epochs of 43 mini-batches for digits (default: 50), of 10 for ode"),
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
