"""Counts for all sizes at once: what finds them. ``proofs/verifier/theorem.py`` verifies them."""
