"""``python -m plait``: the command line, also for programs that start processes, as `torchrun` does."""

from plait.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
