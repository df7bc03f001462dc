"""``python -m clexact`` is the ``clexact`` command."""

from clexact.cli import main

if __name__ == "__main__":
    main()
