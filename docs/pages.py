"""What the site's pages get while they are read: pictures, lists of names, links to sources."""

from __future__ import annotations

import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gallery
from docutils import nodes
from sphinx import addnodes
from sphinx.highlighting import PygmentsBridge
from sphinx.transforms import SphinxTransform
from tables import filled

import fastnn
from fastnn import dropin
from fastnn.kernels import activations
from fastnn.kernels.ufuncs import elementwise as ufuncs
from fastnn.kernels.ufuncs import softmax_formulas

ROOT = Path(__file__).parent.parent

README = ROOT / "README.md"
FLOAT32 = ROOT / "tests" / "accuracy" / "float32.md"
REPORT = ROOT / "docs" / "bench" / "report.md"  # `fastnn bench --peers --out docs/bench`

# Modules whose pages say everything about their names, in the order of the reference.
MODULES = (
    "network", "interchange", "layers", "activations", "losses", "optimizers", "schedules",
    "initializers", "callbacks", "history", "errors", "training.rate_search", "training.many",
)  # fmt: skip


def home(name: str, value: Any) -> str:
    """Where a name of another module is described."""
    for short in MODULES:
        module = importlib.import_module(f"fastnn.{short}")
        if name in module.__all__ and getattr(module, name) is value:
            return f"fastnn.{short}.{name}"
    for short in MODULES:  # the articles have names of their own
        module = importlib.import_module(f"fastnn.{short}")
        for other in module.__all__:
            if getattr(module, other) is value:
                return f"fastnn.{short}.{other}"
    return f"fastnn.{name}"


def _first_line(value: Any) -> str:
    return (inspect.getdoc(value) or "").split("\n")[0].replace("|", "\\|").replace("`", "")


def names_of_fastnn() -> list[str]:
    """A line for each public name of the package."""
    return _names("fastnn", fastnn, fastnn.__all__)


def names_of_dropin() -> list[str]:
    """A line for each of the articles' names."""
    return _names("fastnn.dropin", dropin, dropin.__all__)


def _names(prefix: str, module: Any, names: list[str]) -> list[str]:
    lines = ["| name | what |", "|---|---|"]
    for name in sorted(names, key=str.lower):
        value = getattr(module, name)
        lines.append(
            f"| {{py:obj}}`{prefix}.{name} <{home(name, value)}>` | {_first_line(value)} |"
        )
    return lines


SUFFIXES = "", "_derivative", "_second_derivative", "_third_derivative", "_vjp", "_and_vjp"


def known_ufuncs() -> list[str]:
    """Every ufunc with its arguments, those of one formula together; none of them is compiled."""
    lines = ["```{eval-rst}", ".. py:currentmodule:: fastnn.kernels", ""]
    known = ufuncs.known()
    ends = SUFFIXES[1:]
    for base in [name for name in known if not name.endswith(ends)]:
        formula = activations.find(base)
        if formula:
            more = [str(p) for p in inspect.signature(formula).parameters.values()][1:]
        else:
            formula, more = softmax_formulas.TABLE[base].finish, ["axis=-1"]
        heads = []
        for suffix in SUFFIXES:
            if base + suffix in known:
                first = ["g", "x"] if suffix.endswith("vjp") else ["x"]
                heads.append(f"{base}{suffix}({', '.join([*first, *more, 'out=None'])})")
        lines.append(".. py:function:: " + "\n                 ".join(heads))
        lines += ["", textwrap.indent(plain(inspect.getdoc(formula) or ""), "   "), ""]
    return [*lines, "```"]


# Literals and names in backticks, which stay; bars, last underscores and lone stars: markup.
_MARKUP = re.compile(r"``.+?``|`[^`]+`|\||(?<=\w)_(?!\w)|\*(?==)")


def plain(text: str) -> str:
    """A line of a docstring whose formulas, |x| and lambda_, are nothing but text."""
    return _MARKUP.sub(lambda found: found[0] if len(found[0]) > 1 else f"\\{found[0]}", text)


def docstring(app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Make Sphinx take a docstring for what it is, and its references for a list.

    An event of Sphinx, after the one that turns numpydoc into its own markup.
    """
    in_example = False
    for k, line in enumerate(lines):
        in_example = bool(line.strip()) and (in_example or line.lstrip().startswith(">>>"))
        if not in_example:
            line = re.sub(r"\[(\d+)\]_", r"[\1]", plain(line))
            lines[k] = re.sub(r"^\.\. \[(\d+)\]", r"\1.", line)


def accuracy() -> list[str]:
    """The table that ``tests/accuracy/exhaustive.py`` writes, without its heading."""
    text = FLOAT32.read_text(encoding="utf-8").replace(" %", "\N{NO-BREAK SPACE}%")
    return text.split("\n")[1:]


def measured() -> list[str]:
    """README's figures; and those of ``fastnn bench``, where its results were kept."""
    section = README.read_text(encoding="utf-8").split("\n## Measured\n")[1].split("\n## ")[0]
    lines = re.sub(r"\]\((?=[\w.])(?!https?:)", "](../", section).split("\n")
    if not REPORT.exists():
        return lines
    more = '<a href="report.html">The same with pictures.</a>'
    report = REPORT.read_text(encoding="utf-8").split("\n")
    return [*report, more, "", "## The demo and the task table", *lines]


MARKS = {
    "activations": {"gallery": gallery.activations},
    "optimizers": {"gallery": gallery.rules},
    "accuracy": {"float32": accuracy},
    "performance": {"measured": measured},
    "api/fastnn": {"names": names_of_fastnn},
    "api/dropin": {"names": names_of_dropin},
    "api/kernels": {"ufuncs": known_ufuncs},
}
ELSEWHERE = {"../README.md": "index.md", "../tests/accuracy/float32.md": "accuracy.md"}


def fill(app: Any, page: str, source: list[str]) -> None:
    """Put between the marks what a code host cannot show, and turn links to where the site has it.

    An event of Sphinx, called with each page as it is read.
    """
    if page in MARKS:
        made_of = [*ROOT.glob("docs/*.py"), *ROOT.glob("fastnn/*.py"), README, FLOAT32, REPORT]
        for path in filter(Path.exists, made_of):
            app.env.note_dependency(str(path))
    text = filled(source[0], MARKS.get(page, {}))
    for there, here in ELSEWHERE.items():
        text = text.replace(f"]({there}", f"]({here}")
    source[0] = text


class SourceLinks(SphinxTransform):
    """Links to files of the library lead to pages that show them, not to downloads."""

    default_priority = 400

    def apply(self, **_: Any) -> None:
        """Replace the links of a page."""
        for node in list(self.document.findall(addnodes.download_reference)):
            path = (Path(self.env.srcdir) / self.env.docname).parent / node["reftarget"]
            if path.suffix != ".py":
                continue
            found = path.resolve().relative_to(ROOT)
            self.env.metadata[self.env.docname].setdefault("sources", set()).add(str(found))
            up = "../" * self.env.docname.count("/")
            uri = f"{up}code/{found.with_suffix('')}.html"
            node.replace_self(nodes.reference("", "", *node.children, refuri=uri, internal=True))


def sources(app: Any) -> Iterator[tuple[str, dict[str, str], str]]:
    """A page for each file that is linked to. An event of Sphinx."""
    bridge = PygmentsBridge("html", app.config.pygments_style or "default")
    linked = (found.get("sources", ()) for found in app.env.metadata.values())
    for path in sorted(set().union(*linked)):
        text = (ROOT / path).read_text(encoding="utf-8")
        code = bridge.highlight_block(text, "python", linenos="inline")
        body = f"<h1><code>{path}</code></h1>\n{code}"
        yield f"code/{re.sub('[.]py$', '', path)}", {"title": path, "body": body}, "page.html"
