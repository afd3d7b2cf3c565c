"""Installations that lack something."""

NOWHERE = {  # below a file that is no folder nobody can write, root included
    "HOME": "/dev/null/home",
    "XDG_CACHE_HOME": "/dev/null/cache",
    "PYTHONDONTWRITEBYTECODE": "1",
}
