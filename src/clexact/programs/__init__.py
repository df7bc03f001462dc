"""A network as a straight-line program, and its readings: jets, sparse jets, expansion, gradients, gates, data."""

from clexact.programs import contract, rearrange, sums, ufuncs  # noqa: F401  (they enter NumPy's names in dispatch.NUMPY)
