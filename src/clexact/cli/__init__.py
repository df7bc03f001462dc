"""The ``clexact`` command, a file a verb."""
