"""Benchmark of moving in, beside pelican-import: ``python bench/moving.py`` (see ``imports.py``)."""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    sys.path[0] = str(here.parent)  # in this folder, a name of a package means a benchmark
    runpy.run_path(str(here / "imports.py"), run_name="__main__")
