"""The scores of one attention head of GPT-2 small: x^T Q K^T y with Q and K of 768 x 64, two tokens x and y free.

clexact certify bench/attention_head.py:net
"""

import clexact

WIDTH, HEAD = 768, 64

net = clexact.Model(
    parameters={"Q": (WIDTH, HEAD), "K": (WIDTH, HEAD)},
    probes={"x": (WIDTH,), "y": (WIDTH,)},
    output=lambda Q, K, x, y: (x @ Q) @ (y @ K),
    name=f"attention scores, Q and K of {WIDTH} x {HEAD}",
)
