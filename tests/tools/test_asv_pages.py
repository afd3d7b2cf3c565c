"""What ``asv publish`` makes of a short run: pages with graphs, in a real browser."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.browser import chromium, need, served

ROOT = Path(__file__).parents[2]
CHOSEN = r"Vecmath.*\('(exp|tanh)', 'float32'"  # two functions at all sizes, ours and NumPy's
TIMED = "bench_vecmath.Vecmath.time_fastnn"

# Pixels that somebody drew in a colour of its own, not white, black or grey.
COLOURED = """((canvases) => Math.max(0, ...canvases.map((canvas) => {
    const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let found = 0;
    for (let i = 0; i < data.length; i += 4) {
        const colours = data.subarray(i, i + 3);
        if (data[i + 3] > 100 && Math.max(...colours) - Math.min(...colours) > 40) found += 1;
    }
    return found;
})))([...document.querySelectorAll(arguments[0] + " canvas")])"""


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def published(opened, tmp_path_factory):
    """The pages of two commits, with everything that they need beside them."""
    need(importlib.util.find_spec("asv"), "asv")
    need(shutil.which("npm"), "npm")
    need((ROOT / ".git").exists() and shutil.which("git"), "git and a checkout")
    folder = tmp_path_factory.mktemp("asv")
    clone, home = folder / "clone", folder / "home"
    home.mkdir()

    def run(*command, cwd=clone):
        found = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, "HOME": str(home), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 0, found.stdout + found.stderr
        return found.stdout.strip()

    run("git", "clone", "--quiet", str(ROOT), str(clone), cwd=ROOT)
    run("git", "checkout", "--quiet", "-B", "main")
    someone = "-c", "user.name=test", "-c", "user.email=test@localhost"
    run("git", *someone, "commit", "--quiet", "--allow-empty", "--message", "the next one")
    asv, suite = [sys.executable, "-m", "asv"], clone / "benchmarks"
    run(*asv, "machine", "--yes", cwd=suite)
    for commit in ("HEAD~1", "HEAD"):
        label = run("git", "rev-parse", commit)
        run(*asv, "run", "--python=same", "--quick", "--launch-method", "forkserver",
            "--set-commit-hash", label, "--bench", CHOSEN, cwd=suite)  # fmt: skip
    run(*asv, "publish", cwd=suite)
    run(sys.executable, ROOT / "benchmarks" / "offline.py", suite / "html")
    with served(suite / "html") as address:
        yield address


@pytest.fixture
def browser(published, opened):
    yield opened
    opened.listen()
    assert opened.strangers() == []
    # of benchmarks that were not run there is no thumbnail
    assert [words for words in opened.wrong if TIMED in words or "/summary/" not in words] == []


def test_thumbnails_of_the_grid_are_drawn(browser, published):
    browser.open(f"{published}/")
    benchmark = f"#summarygrid-display a[href='#{TIMED}']"
    browser.wait("document.querySelector(arguments[0])", benchmark)
    browser.ask("document.querySelector(arguments[0]).scrollIntoView()", benchmark)
    browser.wait(f"{COLOURED} > 50", benchmark)


def test_a_graph_is_drawn(browser, published):
    browser.open(f"{published}/#{TIMED}")
    browser.wait(f"{COLOURED} > 500", "#main-graph")
    browser.wait(f"{COLOURED} > 100", "#overview")
    assert "function-tanh" in browser.ask("document.getElementById('main-graph').innerText")


def test_a_graph_over_sizes_is_drawn(browser, published):
    browser.open(f"{published}/#{TIMED}?x-axis=size&dtype=float32&function=exp")
    browser.wait(f"{COLOURED} > 500", "#main-graph")
    words = browser.ask("document.getElementById('main-graph').innerText")
    assert "1000" in words  # along the axis
    assert "size-1000" not in words


def test_the_list_tells_times(browser, published):
    browser.open(f"{published}/#/summarylist")
    row = f"{TIMED} ('exp', 'float32', 1000)"
    cells = browser.wait(
        "[...document.querySelectorAll('#summarylist-body tr')]"
        ".map((row) => row.innerText).find((words) => words.startsWith(arguments[0]))",
        row,
    )
    assert "μs" in cells


def test_a_script_that_nobody_knows_is_an_error(tmp_path):
    (tmp_path / "index.html").write_text('<script src="https://example.org/new.js"></script>')
    command = [sys.executable, ROOT / "benchmarks" / "offline.py", tmp_path]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert "https://example.org/new.js" in found.stderr
