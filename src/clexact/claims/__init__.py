"""The statements of the sources, each with the sizes on which it is checked: ``CLAIMS``, by topic.

A file for each topic lists its claims; ``judge`` finds the verdict of one.
"""
