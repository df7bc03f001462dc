"""A network as a straight-line program, and its readings: jets, sparse jets, expansion, gradients, gates, data."""
