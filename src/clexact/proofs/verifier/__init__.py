"""What a referee must read: it verifies certificates and theorems, with the standard library alone.

``large``: certificates of any size, sparse; ``referee``: small ones once more, by multiplying out; ``theorem``: counts
for all sizes; ``conversion``: the first format, rewritten in the present one; ``tiers``: which of them judges.
"""
