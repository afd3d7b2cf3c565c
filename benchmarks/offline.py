"""Makes the pages of ``asv publish`` work without the internet: ``python benchmarks/offline.py``.

They have a browser fetch jQuery, Flot, Bootstrap … from other people's servers. This installs the
same from npm into the pages' folder, and has them loaded from there. Another folder than
``benchmarks/html`` may be given.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

HTML = Path(__file__).parent / "html"
VENDOR = "vendor"

# What asv's page names, and where npm has it. Flot's files there are not minified.
PACKAGES = {
    "jquery-3.3.1.min.js": "jquery@3.3.1/dist/jquery.min.js",
    "jquery.flot.min.js": "flot@0.8.3/jquery.flot.js",
    "jquery.flot.time.min.js": "flot@0.8.3/jquery.flot.time.js",
    "jquery.flot.selection.min.js": "flot@0.8.3/jquery.flot.selection.js",
    "jquery.flot.categories.min.js": "flot@0.8.3/jquery.flot.categories.js",
    "jquery.flot.orderBars.js": "flot-orderbars@1.0.0/js/jquery.flot.orderBars.js",
    "stupidtable.min.js": "stupid-table-plugin@1.1.3/stupidtable.min.js",
    "md5.min.js": "blueimp-md5@2.19.0/js/md5.min.js",
    "bootstrap.min.js": "bootstrap@3.1.1/dist/js/bootstrap.min.js",
    "bootstrap.min.css": "bootstrap@3.1.1/dist/css/bootstrap.min.css",
}


def here(link: re.Match[str]) -> str:
    """A tag that loads something, from this folder; its checksum was that of another copy."""
    address = link["address"]
    name = address.rpartition("/")[2]
    if name not in PACKAGES:
        raise SystemExit(f"asv's page loads {address}, which {Path(__file__).name} does not know")
    path = f"{VENDOR}/node_modules/{re.sub('@[^/]*', '', PACKAGES[name])}"
    tag = link[0].replace(address, path)
    return re.sub(r' (integrity|crossorigin|referrerpolicy)="[^"]*"', "", tag)


def main(html: Path = HTML) -> None:
    """Install what is needed and rewrite the page."""
    page = html / "index.html"
    if not page.exists():
        raise SystemExit(f"{html} has no pages: run asv publish first")
    text = page.read_text(encoding="utf-8")
    tag = r'<(script|link)\b[^>]*?(src|href)="(?P<address>(https?:)?//[^"]+)"[^>]*>'
    rewritten = re.sub(tag, here, text)
    packages = sorted({path.partition("/")[0] for path in PACKAGES.values()})
    command = ["npm", "install", "--prefix", str(html / VENDOR), "--no-save", "--ignore-scripts"]
    subprocess.run([*command, "--no-audit", "--no-fund", "--silent", *packages], check=True)
    wanted = re.findall(rf'"({VENDOR}/[^"]+)"', rewritten)
    lost = [path for path in wanted if not (html / path).exists()]
    if lost:
        raise SystemExit(f"npm did not bring {', '.join(lost)}")
    page.write_text(rewritten, encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
