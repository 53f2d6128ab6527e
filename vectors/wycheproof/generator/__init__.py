"""The generator of the edge cases: a model in integers, and the cases made with it."""
