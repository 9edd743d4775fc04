"""A parameter server for a linear model."""
