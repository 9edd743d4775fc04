"""A progress board that every task finds by name."""
