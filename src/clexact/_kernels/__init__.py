"""Compiled kernels: NumPy arrays in, NumPy arrays out. They know machine integers only, and release the GIL."""
