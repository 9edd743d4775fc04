"""Word count: tasks, a map-reduce tree and retries."""
