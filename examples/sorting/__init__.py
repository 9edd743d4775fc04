"""Merge sort: tasks that start tasks."""
