"""Asynchronous actors: a bounded queue, a limiter and a throttle."""
