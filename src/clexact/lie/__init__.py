"""The Lie algebra of a flow at a point: dimensions, witnesses, closure."""
