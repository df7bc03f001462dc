"""``python -m clexact`` is the ``clexact`` command."""

from clexact.cli.main import main

if __name__ == "__main__":
    main()
