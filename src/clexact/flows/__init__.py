"""From a model to a family of vector fields: gradient, mirror and momentum flows."""
