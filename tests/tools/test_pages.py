"""The site of docs/, built as README says, in a real browser: links, pictures, search, phones."""

import importlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.browser import BUILT, chromium, need, served

import fastnn
from fastnn.activations import ACTIVATIONS
from fastnn.kernels.ufuncs import elementwise as ufuncs
from fastnn.optimizers import RULES

ROOT = Path(__file__).parents[2]
MODULES = (
    "activations", "callbacks", "dropin", "errors", "estimators", "history", "initializers",
    "kernels", "layers", "losses", "network", "optimizers", "schedules",
)  # fmt: skip

# What a page shows and where it leads, as the browser has it.
SEEN = """({
    links: [...document.querySelectorAll("a[href]")].map((a) => a.href),
    named: [...document.querySelectorAll("td a[href]")].map((a) => [a.innerText, a.href]),
    ids: [...document.querySelectorAll("[id]")].map((e) => e.id),
    loaded: [...document.images].every((picture) => picture.complete),
    empty: [...document.images].filter((p) => !p.naturalWidth).map((p) => p.src),
    mute: [...document.images].filter((p) => !p.alt).map((p) => p.src),
    pictures: document.querySelectorAll("article img").length,
    title: document.title,
    beyond: [...document.querySelectorAll(".content")]
        .filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.className),
})"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def site(browser, tmp_path_factory):
    """The folder of the pages."""
    if BUILT:
        return ROOT / BUILT
    for name in ("sphinx", "myst_parser", "furo"):
        need(importlib.util.find_spec(name), name)
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", ROOT / "docs", folder]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    return folder


@pytest.fixture(scope="module")
def address(site):
    with served(site) as found:
        yield found


@pytest.fixture(scope="module")
def seen(site, address, browser):
    """All pages, by their addresses, through a window of usual size."""
    browser.size(1280, 900)
    found = {}
    for path in sorted(site.rglob("*.html")):
        page = f"{address}/{path.relative_to(site)}"
        browser.open(page)
        browser.wait(f"{SEEN}.loaded")
        found[page] = browser.ask(SEEN)
    return found


def test_all_pages_are_there(seen, address):
    pages = {page.removeprefix(f"{address}/") for page in seen}
    written = {
        path.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
        for folder in (ROOT / "docs", ROOT / "docs" / "api")
        for path in folder.glob("*.md")
    }
    assert len(written) > 20
    assert written <= pages
    assert {"search.html", "genindex.html", "code/kernels/codegen/declare.html"} <= pages


def test_links_lead_somewhere(seen, site, address):
    broken = []
    for page, found in seen.items():
        for link in found["links"]:
            target, _, name = link.partition("#")
            if not target.startswith(address):
                continue
            target = re.sub(r"/$", "/index.html", target)
            if target in seen:
                missing = name and name not in seen[target]["ids"]
            else:
                missing = not (site / target.removeprefix(f"{address}/")).is_file()
            if missing:
                broken.append((page, link))
    assert broken == []


def test_pictures_are_seen_and_told(seen, address):
    assert [(page, found["empty"]) for page, found in seen.items() if found["empty"]] == []
    assert [(page, found["mute"]) for page, found in seen.items() if found["mute"]] == []
    assert seen[f"{address}/activations.html"]["pictures"] == len(ACTIVATIONS)
    assert seen[f"{address}/optimizers.html"]["pictures"] == len(RULES)
    assert seen[f"{address}/engine.html"]["pictures"] == 4


def test_nothing_is_asked_of_others_nor_complained_about(seen, browser):
    assert len(browser.asked) > len(seen)
    assert browser.strangers() == []
    assert browser.wrong == []


def test_search_finds(browser, address, seen):
    for words, page in (("leaky", "activations.html"), ("workspace", "njit.html")):
        browser.open(f"{address}/search.html?q={words}")
        browser.wait("/matching|found/.test(document.querySelector('#search-results p').innerText)")
        results = browser.wait(
            "[...document.querySelectorAll('#search-results li a')].map((a) => a.href)"
        )
        assert any(page in link for link in results), results


# What of a page's text is hidden at its right, and not shown to scroll; what is shown has shadows.
HIDDEN = """(() => {
    const scrolls = (e) => {
        const style = getComputedStyle(e);
        return /auto|scroll/.test(style.overflowX) && /local/.test(style.backgroundAttachment);
    };
    const right = (e) => e.getBoundingClientRect().right;
    const hidden = [];
    const lists = innerWidth > 1312 ? ", .toc-tree *, .sidebar-tree *" : "";  // else in drawers
    for (const e of document.querySelectorAll("article *" + lists)) {
        if (e.closest("svg, .headerlink, .visually-hidden, label") || !e.getClientRects().length)
            continue;
        let limit = document.documentElement.clientWidth;
        for (let up = e.parentElement; up; up = up.parentElement) {
            if (scrolls(up)) { limit = Infinity; break; }
            if (getComputedStyle(up).overflowX !== "visible") limit = Math.min(limit, right(up));
        }
        if (right(e) > limit + 1) hidden.push(e.tagName + ": " + e.textContent.slice(0, 60));
    }
    return hidden;
})()"""
SCREENS = {"phone": (390, 844), "1400": (1400, 1000), "1920": (1920, 1080)}


@pytest.mark.parametrize("screen", SCREENS)
def test_nothing_is_hidden_at_the_right(browser, address, seen, screen):
    """Long lines, wide tables, formulas, lists of the page: in sight, or seen to scroll."""
    browser.size(*SCREENS[screen], phone=screen == "phone")
    hidden = {}
    for page in seen:
        if page.endswith(("/report.html", "genindex.html", "py-modindex.html", "search.html")):
            continue
        browser.open(page)
        if found := browser.ask(HIDDEN):
            hidden[page.removeprefix(address)] = found[:5]
    assert hidden == {}


@pytest.mark.parametrize("width", [1330, 1400, 1560, 1920])
def test_the_list_of_a_page_is_wholly_seen(browser, address, seen, width):
    browser.size(width, 1000)
    browser.open(f"{address}/optimizers.html")
    box = browser.ask("document.querySelector('.toc-drawer').getBoundingClientRect().toJSON()")
    assert box["left"] > 800
    assert box["right"] <= width


def test_every_rule_has_a_formula_that_is_drawn(browser, address):
    browser.size(1400, 1000)
    browser.open(f"{address}/optimizers.html")
    drawn = browser.ask("""[...document.querySelectorAll(".math-wrapper > math")].map(
        (m) => [m.closest("section").querySelector("h3").firstChild.textContent,
                m.getBoundingClientRect().height, m.querySelectorAll("mtr mo").length])""")
    assert [name for name, *_ in drawn] == list(RULES)
    assert all(height > 20 and signs >= 3 for _, height, signs in drawn)
    assert browser.ask("document.querySelectorAll('merror').length") == 0


@pytest.mark.parametrize("name", ["index", "threads", "activations", "optimizers", "engine", "njit",
                                  "performance", "api/layers", "api/kernels"])  # fmt: skip
def test_a_phone_need_not_scroll_sideways(browser, address, name):
    browser.size(390, 844, phone=True)
    browser.open(f"{address}/{name}.html")
    assert browser.ask(f"{SEEN}.beyond") == []


def test_every_public_name_is_described(seen, address):
    """In a place of its own; names that are also another module's may be links to theirs."""
    ids = {name for found in seen.values() for name in found["ids"]}
    named = {
        words: link.partition("#")[2]
        for page in ("fastnn", "dropin")
        for words, link in seen[f"{address}/api/{page}.html"]["named"]
    }
    missing = [name for name in public() if name not in ids and named.get(name) not in ids]
    assert missing == [], missing


def public():
    """All public names of the library."""
    yield from (f"fastnn.{name}" for name in fastnn.__all__)
    for short in MODULES:
        module = importlib.import_module(f"fastnn.{short}")
        yield from (f"fastnn.{short}.{name}" for name in module.__all__)
    yield from (f"fastnn.kernels.{name}" for name in ufuncs.known())
