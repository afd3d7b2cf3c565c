"""The documents point at things that exist."""

import importlib
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SOURCES = [path for folder in ("kernels", "fastnn") for path in (ROOT / folder).rglob("*.py")]
FOLDERS = "kernels", "fastnn", "tests", "docs", "benchmarks"

SUBCOMMANDS = set(
    re.findall(r"add_parser\(\s*\"(\w+)\"", (ROOT / "fastnn/cli/parser.py").read_text())
)

by_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS]
)


def prose(document):
    """The text without its blocks of code, in which brackets mean other things."""
    return re.sub(r"^\s*```.*?^\s*```", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)


def links(text):
    """Targets of links and pictures inside the repository, and the headings they name."""
    found = re.findall(r"\]\(\s*<?([^\s)>]+)", text) + re.findall(r'\b(?:src|href)="([^"]+)"', text)
    return [link.partition("#")[::2] for link in found if not re.match(r"[a-z]+:", link)]


def named(text):
    """Paths in backticks, such as `kernels/codegen/declare.py`."""
    return re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]*)`", text)


def commands(text):
    """Scripts, modules and commands of this library that a text says to run."""
    code = "\n".join(re.findall(r"^```sh\n.*?^```|`[^`\n]+`", text, re.M | re.S))
    for script in re.findall(r"\bpython ([\w/]+\.py)", code):
        yield f"python {script}", (ROOT / script).exists()
    for module in re.findall(r"\bpython -m (fastnn[\w.]*)", code):
        path = ROOT / module.replace(".", "/")
        yield f"python -m {module}", (path / "__main__.py").exists()
    for name in re.findall(r"\bfastnn ([a-z]+)\b(?!\.)", code):
        yield f"fastnn {name}", name in SUBCOMMANDS


def anchors(text):
    """The names that a heading can be linked by."""
    headings = re.findall(r"^#+ +(.*)$", text, re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(text, folder):
    """What a text in this folder points at that is not there."""
    missing = []
    for path, heading in links(text):
        target = (folder / path).resolve() if path else None
        if target and not (target.exists() and target.is_relative_to(ROOT)):
            missing.append(path)
        elif heading and heading not in anchors(prose(target) if target else text):
            missing.append(f"{path}#{heading}")
    return missing + [path for path in named(text) if not (ROOT / path).exists()]


@by_document
def test_links_and_paths_exist(document):
    assert broken(prose(document), document.parent) == []


@by_document
def test_commands_exist(document):
    told = list(commands(document.read_text(encoding="utf-8")))
    assert [command for command, there in told if not there] == []


def test_commands_are_found():
    text = "`python docs/none.py` `python docs/tables.py`\n```sh\npython -m fastnn.none\n```\n"
    found = dict(commands(text + "`fastnn dance` `.venv/bin/fastnn bench --quick` fastnn is"))
    assert found == {
        "python docs/none.py": False,
        "python docs/tables.py": True,
        "python -m fastnn.none": False,
        "fastnn dance": False,
        "fastnn bench": True,
    }
    assert len(dict(commands((ROOT / "README.md").read_text(encoding="utf-8")))) >= 4


def test_missing_targets_are_found():
    text = "# One\n[a](nowhere.md) ![b](docs/none.svg) [c](#two) [d](#one) `kernels/none.py`"
    text += (
        " [e](README.md#no-such) [f](../outside.md) [g](https://example.org) `fastnn/cli/parser.py`"
    )
    wrong = "nowhere.md", "docs/none.svg", "#two", "README.md#no-such", "../outside.md"
    assert broken(text, ROOT) == [*wrong, "kernels/none.py"]


def test_every_picture_is_shown():
    shown = {
        (document.parent / path).resolve()
        for document in DOCUMENTS
        for path, _ in links(prose(document))
    }
    pictures = set((ROOT / "docs" / "pictures").glob("*.svg"))
    assert len(pictures) >= 4
    assert pictures <= shown


def test_names_of_the_engine_are_those_of_the_code():
    text = prose(ROOT / "docs" / "engine.md")
    known = set(re.findall(r"\w+", " ".join(path.read_text(encoding="utf-8") for path in SOURCES)))
    names = {word for code in re.findall(r"`([^`\n]+)`", text) for word in re.findall(r"\w+", code)}
    assert len(names) > 50
    assert sorted(name for name in names - known if not (ROOT / name).exists()) == []


def test_tables_are_up_to_date():
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        tables = importlib.import_module("tables")
    finally:
        sys.path.pop(0)
    for page in tables.PAGES:
        text = (tables.HERE / page).read_text(encoding="utf-8")
        assert text == tables.written(page, text), "run: python docs/tables.py"
    assert set(tables.TORCH.values()) | set(tables.JAX.values()) <= set(tables.ACTIVATIONS)
