"""Groups that leave the outputs of a program unchanged, read off its shape."""
