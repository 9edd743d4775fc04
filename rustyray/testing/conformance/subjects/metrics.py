"""``util.metrics``: what programs count."""

import pytest

from rustyray.testing.conformance.helpers import got


def metrics_are_described(api):
    """``info`` of a metric has its name, description, tag keys and default tags."""
    counter = api.util.metrics.Counter("conform_served", description="requests", tag_keys=("shop",))
    counter.set_default_tags({"shop": "a"})
    info = counter.info
    assert (info["name"], info["description"]) == ("conform_served", "requests")
    assert (info["tag_keys"], info["default_tags"]) == (("shop",), {"shop": "a"})


def counters_only_grow(api):
    """``inc`` of a Counter takes numbers above 0; others raise ValueError, and what is no number TypeError."""
    counter = api.util.metrics.Counter("conform_counted")
    counter.inc()
    counter.inc(2.5)
    for value in (0, -1):
        with pytest.raises(ValueError):
            counter.inc(value)
    with pytest.raises(TypeError):
        counter.inc("1")


def tags_are_those_of_the_metric(api):
    """A tag that the metric does not have as a default, or one without its value, raises ValueError."""
    counter = api.util.metrics.Counter("conform_tagged", tag_keys=("shop",))
    counter.inc(1, tags={"shop": "a"})
    with pytest.raises(ValueError):
        counter.inc()
    with pytest.raises(ValueError):
        counter.set_default_tags({"other": "b"})


def tags_are_text(api):
    """Tag keys are a tuple of strings, and their values strings; anything else raises TypeError."""
    with pytest.raises(TypeError):
        api.util.metrics.Counter("conform_listed", tag_keys=["shop"])
    with pytest.raises(TypeError):
        api.util.metrics.Counter("conform_numbers", tag_keys=(1,))
    counter = api.util.metrics.Counter("conform_values", tag_keys=("shop",))
    with pytest.raises(TypeError):
        counter.inc(1, tags={"shop": 1})


def gauges_take_any_number(api):
    """``set`` of a Gauge takes any number, which is then its value."""
    gauge = api.util.metrics.Gauge("conform_level")
    for value in (1, -2.5, 0):
        gauge.set(value)
    with pytest.raises(TypeError):
        gauge.set("full")


def histograms_have_boundaries(api):
    """A Histogram needs boundaries, which are positive; ``observe`` takes numbers."""
    histogram = api.util.metrics.Histogram("conform_sizes", boundaries=[1, 10])
    histogram.observe(3)
    with pytest.raises(TypeError):
        histogram.observe("large")
    for boundaries in ([], None, [0, 1]):
        with pytest.raises(ValueError):
            api.util.metrics.Histogram("conform_wrong", boundaries=boundaries)


def metrics_can_be_passed_on(api):
    """A metric can be given to a task, and used there."""
    counter = api.util.metrics.Counter("conform_passed", tag_keys=("shop",))

    @api.remote
    def serves(given):
        given.inc(1, tags={"shop": "a"})
        return given.info["name"]

    assert got(api, serves.remote(counter)) == "conform_passed"


def a_metric_needs_a_name(api):
    """An empty name raises ValueError."""
    with pytest.raises(ValueError):
        api.util.metrics.Counter("")
