"""Ask every question about serving, each in a process of its own."""

import sys

from benchmarks.group import ask

if __name__ == "__main__":
    sys.exit(ask("serving"))
