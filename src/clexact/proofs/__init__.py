"""Certificates: documents that prove a count, and the verifiers, which use nothing of the package."""
