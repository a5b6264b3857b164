"""Benchmark of the press, how soon a comment is on its page, and what a build costs, ours beside its peers: ``python bench/press.py`` (see ``builds.py``)."""

from builds import main

if __name__ == "__main__":
    main()
