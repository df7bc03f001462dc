"""clexact."""
