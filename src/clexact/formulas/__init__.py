"""Formulas for counts on grids of sizes, and the conditions under which statements hold."""
