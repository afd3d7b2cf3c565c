"""``fastnn bench``: what is measured, what may be said of it, and how it is shown."""

import base64
import html.parser
import importlib.util
import io
import json
import random
import re
import statistics
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
from rich.console import Console
from support.commands import error_of

from fastnn import cli
from fastnn.activations import ACTIVATIONS
from fastnn.bench import (
    child,
    field,
    limits,
    page,
    pictures,
    plan,
    results,
    roofs,
    run,
    tables,
    work,
)
from fastnn.bench.activations import contest as activations
from fastnn.bench.activations import numpy_peer
from fastnn.bench.activations.cases import case_of
from fastnn.bench.dropin import contest as dropin
from fastnn.bench.dropin.cases import CALLS, cases_of
from fastnn.bench.networks import agreement, data
from fastnn.bench.networks import contest as networks
from fastnn.bench.networks import numpy_peer as trainings
from fastnn.bench.networks.tasks import SWEEPS, TASKS
from fastnn.bench.optimizers import contest as optimizers
from fastnn.bench.products import contest as products
from fastnn.bench.products.cases import KINDS, LAYERS
from fastnn.bench.results import Ratio, Row
from fastnn.kernels.activations import find
from fastnn.kernels.codegen.intrinsics import fma
from fastnn.optimizers import RULES

NO_WORK = {"operations": None, "bytes": None}
QUIET = [100.0, 101.0]


def row(name="tanh", part="activations", threads=1, pulse=QUIET, work=None, **times):
    """A made-up row; times by name, `PyTorch_fused` for a form with a space."""
    return Row(
        part, "Activation, float32, 16k", name, threads, f"{name}, forward, float32", "numbers",
        16_000, {"dtype": "float32"}, work or {"operations": 16_000, "bytes": 128_000},
        {key.replace("_", " "): value for key, value in times.items()}, {"JAX": "not there"},
        list(pulse),
    )  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A real run of two activations, by the command."""
    out = tmp_path_factory.mktemp("bench") / "new" / "folder"
    arguments = ["bench", "activations", "tanh", "relu", "--quick", "--rounds", "3"]
    arguments += ["--sizes", "1k,2k,16k", "--threads", "1", "--out", str(out)]
    stdout, stderr = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
    try:
        assert cli.main(arguments) == 0
        printed = sys.stdout.getvalue(), sys.stderr.getvalue()
    finally:
        sys.stdout, sys.stderr = stdout, stderr
    return out, *printed


def test_a_run_writes_all_files_and_a_line_for_each_case_without_a_terminal(written):
    out, text, errors = written
    assert sorted(path.name for path in out.iterdir()) == [
        "report.html", "report.md", "results.json",
    ]  # fmt: skip
    lines = errors.splitlines()
    assert lines[0] == "0/13 the limits of this machine"
    assert lines[-1].startswith("12/13 Vector-Jacobian product, float32, 16")
    assert [line.split()[0] for line in lines if ": " in line] == [f"{k}/13" for k in range(1, 13)]
    assert "× NumPy" in text
    assert "The machine was" in text
    assert re.search(r"activations, beside NumPy: faster in \d of 6", text)


def test_results_hold_every_measurement_and_where_it_was_made(written):
    found = json.loads((written[0] / "results.json").read_text(encoding="utf-8"))
    assert found["command"].startswith("fastnn bench activations tanh relu --quick")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", found["date"])
    assert {"CPU", "vectors", "cores", "cores in use", "system"} <= found["machine"].keys()
    assert {"Python", "numpy", "numba"} <= found["machine"]["versions"].keys()
    assert found["wishes"]["threads"] == [1]
    assert len(found["rows"]) == 2 * 2 * 3  # functions, parts, sizes
    for one in found["rows"]:
        assert one["threads"] == 1
        assert one["case"]["dtype"] == "float32"
        assert all(len(times) == 3 for times in one["µs"].values())
        assert all(value > 0 for times in one["µs"].values() for value in times)
        assert ("NumPy" in one["µs"]) == (", forward," in one["series"])
        assert "reference" in one["µs"]
    peak, bandwidth = found["roofs"]["peak"], found["roofs"]["bandwidth"]
    assert peak["float32"]["GFLOP/s"] > peak["float64"]["GFLOP/s"] > 1
    assert bandwidth["L1"]["GB/s"] > bandwidth["memory"]["GB/s"] > 1


def test_ratios_are_those_of_the_measurements(written):
    found = json.loads((written[0] / "results.json").read_text(encoding="utf-8"))
    count = 0
    for one in found["rows"]:
        for library, ratio in one["ratios"].items():
            rounds = [b / a for a, b in zip(one["µs"]["fastnn"], one["µs"][library], strict=True)]
            assert ratio["median"] == pytest.approx(statistics.median(rounds))
            assert ratio["form"] == library
            count += 1
    assert count == 6 + 12  # NumPy forward, the reference everywhere
    shown = re.findall(r"^\| (tanh|ReLU) \| (.*?) \|", _markdown(written), re.MULTILINE)
    assert len(shown) == 12
    for (name, cell), one in zip(shown, found["rows"], strict=True):
        ratio = one["ratios"].get("NumPy", one["ratios"]["reference"])
        assert name == one["name"]
        figure = results.figure
        text = f"{figure(ratio['low'])}–{figure(ratio['high'])}"
        assert (text if ratio["wide"] else figure(ratio["median"])) in cell


def _markdown(written):
    return (written[0] / "report.md").read_text(encoding="utf-8")


class Attributes(html.parser.HTMLParser):
    """All that a page could load or link to, and its images."""

    def __init__(self, text):
        super().__init__()
        self.loaded, self.ids, self.images = [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("src", "href", "srcset", "data", "action"):
                self.loaded.append(value)
            if name == "id":
                self.ids.add(value)
        if tag == "img":
            self.images.append(dict(attributes))


def test_the_page_has_its_pictures_inside_and_asks_the_network_for_nothing(written):
    text = (written[0] / "report.html").read_text(encoding="utf-8")
    page = Attributes(text)
    assert "url(" not in text
    assert "@import" not in text
    for place in page.loaded:
        assert place.startswith(("#", "data:")), place
        assert not place.startswith("#") or place[1:] in page.ids
    svgs = [base64.b64decode(image["src"].partition(",")[2]).decode() for image in page.images]
    assert len(svgs) == 2 + 2 + 1  # bars, rooflines, curves
    for svg, image in zip(svgs, page.images, strict=True):
        assert svg.count("<path") > 5
        assert not re.search(r'href="(?!#)', svg)
        assert image["alt"]
    assert "tanh" in text


@pytest.mark.parametrize(
    ("theirs", "verdict", "wide", "shown"),
    [
        ([20, 20, 20, 20, 20], "faster", False, "2.00"),
        ([5, 5, 5, 5, 5], "slower", False, "0.500"),
        ([20, 30, 20, 40, 25], "faster", True, "2.00–3.00"),
        ([9.8, 10, 10.2, 10.1, 9.9], "as fast", False, "1.00"),
        ([7, 10, 15, 13, 8], "too noisy to tell", True, "0.800–1.30"),
        ([10, 1000, 11, 11, 11], "faster", False, "1.10"),  # one bad round
    ],
)
def test_verdict_of_a_ratio(theirs, verdict, wide, shown):
    ratio = Ratio.of([10.0] * 5, theirs)
    assert (ratio.verdict, ratio.wide, str(ratio)) == (verdict, wide, shown)


def test_a_slow_round_that_hits_both_sides_does_not_blur_the_ratio():
    assert Ratio.of([10, 30, 10, 50], [20, 60, 20, 100]) == Ratio(2, 2, 2)


def test_noise_of_a_run():
    quiet = [row(fastnn=[1, 1], NumPy=[2, 2]) for _ in range(5)]
    assert results.noise(quiet, 0.1)["quiet"]
    assert results.noise(quiet, None)["quiet"]
    busy = results.noise(quiet, 1.5)
    assert not busy["quiet"]
    assert "kept 1.5 cores busy" in busy["verdict"]
    drifted = results.noise([*quiet, *(row(fastnn=[1], pulse=[160, 150]) for _ in range(2))], 0.1)
    assert not drifted["quiet"]
    assert "the same loop took up to" in drifted["verdict"]
    lost = results.noise([row(fastnn=[1, 1, 1], NumPy=[0.5, 1, 2])], 0.1)
    assert lost["too noisy to tell"] == 1
    assert "1 too noisy to tell" in lost["verdict"]


def test_the_fastest_form_of_a_library_stands_for_it():
    one = row(fastnn=[10, 10], PyTorch_fused=[50, 60], PyTorch_foreach=[30, 40], Numba=[9, 9])
    assert one.form("PyTorch") == "PyTorch foreach"
    assert one.libraries == ["Numba", "PyTorch"]
    assert one.ratio("PyTorch").median == pytest.approx(3.5)


def test_no_ratio_that_was_not_measured():
    rows = [row("tanh", fastnn=[1, 1], NumPy=[3, 3]), row("step", fastnn=[1, 1], PyTorch=[2, 2])]
    (table,) = tables.tables(rows)
    assert table.head[1:3] == ["× NumPy", "× PyTorch"]
    assert [cell.text for cell in table.body[0][1:3]] == ["3.00", "–"]
    assert [cell.text for cell in table.body[1][1:3]] == ["–", "2.00"]
    assert rows[0].ratio("PyTorch") is None
    assert "PyTorch" not in rows[0].as_json()["ratios"]
    assert dict(found[1:] for found in tables.glance(rows)) == {
        "NumPy": "faster in 1 of 1; 3.00 times as fast in the median",
        "PyTorch": "faster in 1 of 1; 2.00 times as fast in the median",
    }


def test_what_is_too_noisy_gets_no_figure_in_the_tables():
    rows = [row(fastnn=[1, 1, 1], NumPy=[0.5, 1, 2])]
    (table,) = tables.tables(rows)
    assert table.body[0][1] == tables.Cell(
        "too noisy (0.750–1.50)", "too noisy to tell", "too noisy to tell; beside NumPy"
    )
    assert tables.glance(rows)[0][2] == "faster in 0 of 1, too noisy to tell in 1"
    console = Console(file=io.StringIO(), width=100)
    tables.show(console, [table])
    assert "too noisy (0.750–1.50)" in console.file.getvalue()


def test_rows_survive_json():
    one = row(fastnn=[1, 2, 3], NumPy=[4, 5, 6])
    assert Row.from_json(json.loads(json.dumps(one.as_json()))) == one


def test_pictures_of_made_up_results_with_peers_and_threads():
    rows = [
        row(name, threads=threads, fastnn=[1 / threads] * 3, NumPy=[3] * 3, JAX=[0.4, 1, 2])
        for threads in (1, 2)
        for name in ("tanh", "ReLU")
    ]
    rows = [Row(**{**vars(one), "x": 10**6}) for one in rows]
    bandwidth = {"L1": {"GB/s": 100.0}, "memory": {"GB/s": 10.0}}
    limits = {"bandwidth": bandwidth, "peak": {"float32": {"GFLOP/s": 200.0}}}
    found = pictures.pictures(rows, limits)
    assert [picture.part for picture in found] == ["activations", "roofline", "threads"]
    assert pictures.pictures([], {}) == []
    about = {
        "date": "now", "command": "x", "seconds": 1, "missing": {"JAX": "<jax>"},
        "machine": {"CPU": "z", "cores in use": 2, "versions": {}},
        "wishes": {"threads": [1], "rounds": 3}, "noise": results.noise(rows, None),
    }  # fmt: skip
    text = page.page(run.Results(about, rows, {}))
    assert "&lt;jax&gt;" in text
    assert 'class="too-noisy-to-tell"' in text


def measured(job, case):
    """A row, without a process of its own."""
    kinds = {"activations": activations, "optimizers": optimizers, "training": networks}
    kinds |= {"inference": networks, "dropin": dropin, "products": products}
    more = {"quick": True} if kinds[job.part] is networks else {}
    contest = kinds[job.part].Contest(1, 1e-4, peers=False, **more)
    return Row.from_json(child._row(job, contest, case, random.Random(0)))


@pytest.mark.parametrize(
    ("part", "names", "libraries"),
    [
        ("optimizers", ["Adam", "Eve", "SantaE"], {"NumPy", "reference"}),
        ("training", ["xor", "dropout", "matrix-exponential"], {"NumPy"}),
        ("products", ["64-32 b32", "100-10 b200"], {"NumPy"}),
        ("inference", ["predict-one"], {"NumPy"}),
    ],
)
def test_the_other_parts_measure(part, names, libraries):
    wishes = plan.Wishes(part, plan.named(part, names), quick=True, rounds=2)
    roof, job = plan.jobs(wishes)
    assert roof.part == "roofs"
    assert {case["name"] for case in job.cases} == set(names)
    job = plan.Job(part, 1, job.cases, 1e-4, 2)
    for case in {case["name"]: case for case in job.cases}.values():
        one = measured(job, case)
        assert set(one.libraries) <= libraries
        assert one.libraries
        assert one.work["operations"] > 0
        assert all(len(times) == 2 for times in one.times.values())


@pytest.mark.sweep
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_calls_of_the_articles_compute_what_theirs_do(dtype):
    """One of each kind; what differs by roundings alone is within the tolerance."""
    contest = dropin.Contest(1, 1e-5, peers=False)
    for door in CALLS:
        for case in cases_of(door, dtype)[:: 7 if len(cases_of(door, dtype)) > 30 else 3]:
            competitors = contest.field(asdict(case))[1].competitors
            assert [one.name for one in competitors] == ["fastnn", "NumPy"]


def test_a_call_of_the_articles_is_measured():
    wishes = plan.Wishes("dropin", plan.named("dropin", ["nn(x)"]), quick=True, rounds=2)
    _, job = plan.jobs(wishes)
    row = measured(plan.Job("dropin", 1, job.cases, 1e-4, 2), job.cases[0])
    assert row.table == "nn(X), float64"
    assert row.libraries == ["NumPy"]


def test_calls_of_the_articles_are_drawn_each_by_itself():
    tables = ["nn.fit(X, t, rate), float64", "nn.fit(X, t, optimizer=Adam), float64"]
    times = {"fastnn": [1.0, 1.0], "NumPy": [3.0, 3.0]}
    rows = [
        Row("dropin", table, "64-32-10", 1, "", "", 0, {}, NO_WORK, times, {}, [1.0, 1.0])
        for table in tables
    ]
    drawn = [picture for picture in pictures.pictures(rows, {}) if picture.part == "dropin"]
    assert [picture.title for picture in drawn] == [f"{t}, 1 thread: speed-up" for t in tables]


def product(name, threads=1, **times):
    """A made-up row of a million operations."""
    work = {"operations": 1_000_000, "bytes": 1000}
    return Row(
        "products", "Forward product Wᵀ X, float32", name, threads, f"{name} forward", "", 0,
        {"dtype": "float32"}, work, times, {}, list(QUIET),
    )  # fmt: skip


def test_products_are_shown_with_their_share_of_the_peak():
    limits = {"bandwidth": {"L1": {"GB/s": 100.0}}, "peak": {"float32": {"GFLOP/s": 100.0}}}
    one = product("64-32 b32", fastnn=[20.0, 25.0], NumPy=[50.0, 40.0])
    two = product("64-32 b32", 2, fastnn=[20.0, 25.0], NumPy=[50.0, 40.0])
    assert one.share("fastnn", limits) == pytest.approx(0.5)
    assert two.share("fastnn", limits) == pytest.approx(0.25)
    rows = [one, product("32-10 b32", fastnn=[10.0, 12.5]), two]
    table, other = tables.tables(rows, limits)
    assert table.head[2:5] == ["fastnn, µs", "fastnn, % of peak", "NumPy, % of peak"]
    assert [[cell.text for cell in cells[3:5]] for cells in table.body] == [
        ["50", "25"], ["100", "–"],
    ]  # fmt: skip
    assert [cell.text for cell in other.body[0][3:5]] == ["25", "12"]
    console = Console(file=io.StringIO(), width=120)
    tables.show(console, [table])
    assert "NumPy, % of peak" in console.file.getvalue()
    assert "% of peak" not in " ".join(tables.tables(rows)[0].head)
    drawn = pictures.pictures(rows, limits)
    assert [picture.title for picture in drawn] == [
        "Forward product Wᵀ X, float32, 1 thread: speed-up",
        "Products, float32, 1 thread: share of the peak",
        "Products, float32, 2 threads: share of the peak",
    ]


def _agree(names, dtype, threads):
    contest = products.Contest(threads, 1e-5, peers=False)
    for name in names:
        for kind in KINDS:
            case, found = contest.field({"name": name, "kind": kind, "dtype": dtype})
            assert [one.name for one in found.competitors] == ["fastnn", "NumPy", "NumPy, columns"]
            assert case.operations == work.work_of(case)["operations"]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_of_all_sides_agree(dtype, threads):
    _agree(["64-32 b32", "100-10 b200", "300-300 b128"], dtype, threads)


@pytest.mark.sweep
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_of_all_layers_agree(dtype, threads):
    _agree(LAYERS, dtype, threads)


def test_a_training_without_its_dropout_is_found_out():
    task = replace(TASKS["dropout"], epochs=200)
    expected = agreement.oracle(task)
    for one, verdict in (
        (trainings.Trainer(task, seed=1), ""),
        (trainings.Trainer(replace(task, dropout=0.0)), "cost differs by"),
        (trainings.Trainer(replace(task, dropout=0.3)), "cost differs by"),
    ):
        one.start()
        one.run()
        assert agreement.wrong(task, one, expected).partition(" 0")[0] == verdict


def test_exponentials_of_matrices_as_targets():
    task = replace(TASKS["matrix-exponential"], batch=100, dtype="float64")
    x, t = (array.reshape(-1, 2, 2) for array in (data.samples(task), data.targets(task)))
    np.testing.assert_allclose(np.linalg.det(t), np.exp(np.trace(x, axis1=1, axis2=2)), rtol=1e-9)
    np.testing.assert_allclose(t @ x, x @ t, rtol=1e-9, atol=1e-9)  # they commute


def test_every_part_has_its_place_on_the_page():
    assert page._TITLES.keys() >= set(plan.PARTS)


def test_a_plan_of_everything_takes_in_every_row_of_the_tables():
    jobs = plan.jobs(plan.Wishes(threads=(1, 2), quick=True))
    assert [(job.part, job.threads) for job in jobs] == [
        ("roofs", 1),
        ("dropin", 1),
        ("activations", 1), ("activations", 2),
        ("optimizers", 1), ("optimizers", 2),
        ("products", 1), ("products", 2),
        ("training", 1), ("training", 2),
        ("inference", 1),
    ]  # fmt: skip
    names = {part: {case["name"] for job in jobs for case in job.cases if job.part == part}
             for part in plan.PARTS}  # fmt: skip
    assert names["activations"] >= ACTIVATIONS.keys()
    assert {optimizers.Case(name, "1k").task.rule for name in names["optimizers"]} == RULES.keys()
    assert names["products"] == LAYERS.keys()
    assert names["training"] | names["inference"] >= TASKS.keys()
    for curve in SWEEPS.values():
        assert len(curve) > 2
    assert plan.threads_for(6, quick=False) == [1, 2, 4, 6]
    assert plan.threads_for(6, quick=True) == [1, 6]
    assert plan.threads_for(1, quick=True) == [1]


@pytest.mark.one_in(5)
@pytest.mark.parametrize("part", ["forward", "vjp"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_numpy_and_ours_agree_on_every_activation(name, part):
    contest = activations.Contest(1, 1e-4, peers=False)
    dtype = "float64" if name == "maxout" else "float32"
    assert contest._check(case_of(name, part, dtype, 640)) == {}


def test_numpy_and_ours_agree_on_every_update_rule():
    for name in optimizers.cases.NAMES:
        case = optimizers.Case(name, "1k")
        entries = [optimizers.cases.ours(case), *optimizers.numpy_peer.entries(case)]
        assert optimizers._check(case, entries) == {}


def test_who_computes_something_else_is_left_out(monkeypatch):
    formula = numpy_peer.FORMULAS["tanh"]
    wrong = {**numpy_peer.FORMULAS, "tanh": lambda x, out: formula(1.001 * x, out)}
    monkeypatch.setattr(numpy_peer, "FORMULAS", wrong)
    contest = activations.Contest(1, 1e-5, peers=False)
    _, found = contest.field(vars(case_of("tanh", "forward", "float32", 640)))
    assert [one.name for one in found.competitors] == ["fastnn", "copy", "reference"]
    assert found.left_out == {"NumPy": "computes something else"}


def test_nothing_is_measured_if_ours_computes_something_else(monkeypatch):
    monkeypatch.setattr(activations, "_TOLERANCE", {"float32": 0.0})
    contest = activations.Contest(1, 1e-5, peers=False)
    with pytest.raises(ValueError, match="fastnn computes something else"):
        contest.field(vars(case_of("tanh", "forward", "float32", 640)))
    monkeypatch.setattr(products, "bound", lambda case: 0.0)
    contest = products.Contest(1, 1e-5, peers=False)
    with pytest.raises(ValueError, match="fastnn computes something else, off by"):
        contest.field({"name": "64-32 b32", "kind": "forward", "dtype": "float32"})
    monkeypatch.setattr(networks.agreement, "_DISTANCE", {"float32": 0.0})
    contest = networks.Contest(1, 1e-5, peers=False, quick=True)
    with pytest.raises(ValueError, match="xor: fastnn: parameters went astray"):
        contest.field({**vars(TASKS["xor"]), "epochs": 3})


def test_libraries_that_are_not_there_are_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "fastnn.bench.activations.torch_peer", raising=False)
    found = field.installed("fastnn.bench.activations", ("torch_peer",))
    assert found.found == {}
    assert found.missing == {"PyTorch": "torch is not installed"}


def test_operations_are_counted():
    assert work.operations_of(lambda a, b, c: a * b + c, *[work.types.float32] * 3) == 2
    assert work.operations_of(lambda a, b: a if a > b / b else b, *[work.types.float64] * 2) == 2
    assert work.operations_of(lambda a, b: fma(a, b, b), *[work.types.float32] * 2) == 2
    assert work.operations_of(find("relu"), work.types.float32) == 1
    assert work._update("SGD") == 2  # a product and the addition to the parameter
    small, large = (
        work.work_of(case_of(name, "forward", "float32", 1000)) for name in ("softsign", "GELU")
    )
    assert small == {"operations": 4000, "bytes": 8000}
    assert large["operations"] > 30 * small["operations"] / 4
    task = TASKS["digits"]
    assert work.work_of(task)["operations"] == 2 * 32 * (3 * (64 * 32 + 32 * 10) - 64 * 32)


def test_caches_are_known():
    found = roofs.caches()
    assert list(found) == sorted(found)
    assert found["L1"] < found["L2"]


def test_threads_of_a_process_to_come(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--mine")
    assert limits.environment(3)["OMP_NUM_THREADS"] == "3"
    assert limits.environment(3)["XLA_FLAGS"] == "--mine"
    assert limits.environment(1)["XLA_FLAGS"].startswith("--mine --xla_cpu")
    before = limits.os.sched_getaffinity(0)
    with limits.held(1):
        assert len(limits.os.sched_getaffinity(0)) == 1
    assert limits.os.sched_getaffinity(0) == before


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_on_a_terminal(monkeypatch):
    messages = [{"at": "case one"}, {"row": row(fastnn=[1, 1], NumPy=[2, 2]).as_json()}]
    monkeypatch.setattr(run, "_messages", lambda job: iter(messages if job.cases else []))
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    wishes = plan.Wishes("activations", ["tanh"], quick=True)
    assert len(run.collect(wishes, "x").rows) == 1
    assert "case one" in sys.stderr.getvalue()
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    run.collect(wishes, "x")
    lines = ["0/6 the limits of this machine", "0/6 activations, 1 thread", "0/6 case one"]
    assert sys.stderr.getvalue().splitlines() == lines


def test_a_process_that_fails_is_one_line(capsys, monkeypatch, tmp_path):
    job = plan.Job("activations", 1, [{"table": "t", "name": "n", "given": {}}], 1e-4, 2)
    monkeypatch.setattr(run, "jobs", lambda wishes: [job])
    with pytest.raises(SystemExit) as leaving:
        cli.main(["bench", "--out", str(tmp_path)])
    assert leaving.value.code == 1
    *progress, last = capsys.readouterr().err.splitlines()
    assert progress == ["0/1 activations, 1 thread", "0/1 t: n, 1 threads"]
    assert last == "fastnn: error: activations, 1 thread: KeyError: 'shape'"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "invalid choice: 'nothing'"),
        (["activations", "nothing"], "nothing"),
        (["optimizers", "nothing"], "'nothing' is none of SGD, momentum"),
        (["training", "predict-one"], "'predict-one' is none of xor"),
        (["products", "64-32"], "'64-32' is none of 64-32 b32"),
        (["all", "tanh"], "names need a part"),
        (["--rounds", "1"], "rounds must be between 2 and 1000, but is 1"),
        (["--threads", "0"], "threads must be at least 1"),
        (["--threads", "100000"], "100000 is more than the"),
        (["--threads", "two"], "threads must be an integer, not 'two'"),
        (["activations", "--sizes", "many"], "sizes must be numbers like 1000, 16k or 1M"),
        (["activations", "--sizes", "10"], "--sizes: must be at least 64"),
        (["activations", "--dtypes", "float16"], "'float16' is none of float32, float64"),
        (["optimizers", "--sizes", "17"], "'17' is none of 1k"),
        (["optimizers", "--dtypes", "float32"], "--dtypes are for activations and products"),
        (["training", "--sizes", "1k"], "--sizes are for activations and optimizers"),
        (["--sizes", "1k"], "need a part"),
        (["--out", "/proc/none"], "cannot write to '/proc/none'"),
    ],
)
def test_bad_arguments_are_one_line(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in error_of(["bench", *arguments], capsys)
    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_is_named(capsys, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "jinja2" else found(name)
    )
    assert "the bench needs jinja2: pip install 'fastnn-numba[bench]'" in error_of(
        ["bench"], capsys
    )


def test_wrong_arguments_come_before_missing_packages(capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for arguments, message in ((["activations", "nothing"], "nothing"), (["all", "tanh"], "names")):
        assert message in error_of(["bench", *arguments], capsys)


def test_sizes_and_names_as_people_write_them():
    assert [plan.number(text) for text in ("1000", "16k", "1.5M")] == [1000, 16_000, 1_500_000]
    assert plan.named("activations", ["relu", "SiLU"]) == ["ReLU", "Swish"]
    assert plan.named("optimizers", ["adamw"]) == ["AdamW"]
    assert plan.named("all", []) == []


def test_who_fails_is_left_out(monkeypatch):
    def fails(*arguments):
        raise RuntimeError("no memory")

    monkeypatch.setitem(numpy_peer.FORMULAS, "tanh", fails)
    contest = activations.Contest(1, 1e-5, peers=False)
    _, found = contest.field(vars(case_of("tanh", "forward", "float32", 640)))
    assert found.left_out == {"NumPy": "fails: no memory"}
    monkeypatch.setattr(networks.numpy_peer.Trainer, "start", fails)
    monkeypatch.setattr(networks.agreement, "oracle", lambda task: None)
    monkeypatch.setattr(networks.agreement, "wrong", lambda *given: "")
    contest = networks.Contest(1, 1e-5, peers=False, quick=True)
    _, found = contest.field({**vars(TASKS["xor"]), "epochs": 3})
    assert found.left_out == {"NumPy": "fails: no memory"}


def test_tasks_say_what_they_are():
    case = {"sizes": [2, 4, 1], "activation": "tanh", "batch": 9, "optimizer": "SGD"}
    one = Row(**{**vars(row("xor", "training", fastnn=[1, 1])), "axis": "", "case": case})
    (table,) = tables.tables([one])
    assert table.body[0][0].text == "xor: 2-4-1 tanh, batch 9, SGD"


def test_many_networks_are_trained_as_each_of_them():
    task = replace(TASKS["100-networks"], networks=3, epochs=2)
    found = networks.Contest(1, 1e-5, peers=False, quick=True).field(vars(task))[1]
    assert [one.name for one in found.competitors] == ["fastnn", "loop of fit"]
    assert [one.steps for one in found.competitors] == [96, 96]
    many, loop = (one.result() for one in found.competitors)
    np.testing.assert_array_equal(many, loop)
    assert not np.array_equal(many[0], many[1])
    assert agreement.wrong(task, found.competitors[0], many) == ""
    others = data.flat_of_all(task)
    assert agreement.wrong(task, found.competitors[0], others[::-1]) != ""
    (case,) = [case for job in plan.jobs(plan.Wishes(part="training", names=("100-networks",)))
               for case in job.cases]  # fmt: skip
    assert case["table"] == "Step of one of many networks"
