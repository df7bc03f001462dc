"""Counts for all sizes at once: what finds them. ``proofs/theorem_verifier.py`` verifies them."""
