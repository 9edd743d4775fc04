"""Full-text search: an inverted index sharded over actors."""
