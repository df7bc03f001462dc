"""Sweeps: many certifications, in parallel, stored as they come."""
