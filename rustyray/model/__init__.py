"""Frozen values that every layer shares: ids, resources, options, specs and the typed messages."""
