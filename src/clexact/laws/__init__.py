"""Laws of a flow: polynomial, rational, logarithmic; how they are found, confirmed and checked."""
