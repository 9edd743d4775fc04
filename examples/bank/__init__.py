"""A bank whose worker may die at any moment without losing money."""
