"""Exact algebra: packed terms, polynomials, vector fields, text; linear algebra modulo primes and over Q."""
