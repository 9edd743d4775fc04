"""Serializers of a program's own."""

import threading

import pytest

from rustyray.testing.conformance.helpers import got


class _Locked:
    """Cannot be pickled."""

    def __init__(self, value):
        self.value = value
        self.lock = threading.Lock()


def _register(api):
    api.util.register_serializer(_Locked, serializer=lambda one: one.value, deserializer=_Locked)


def a_class_may_have_a_serializer(api):
    """Instances of a class with a registered serializer can be put, which otherwise could not."""
    with pytest.raises(TypeError):
        api.put(_Locked(1))
    _register(api)
    try:
        assert got(api, api.put(_Locked(2))).value == 2
        assert [one.value for one in got(api, api.put([_Locked(3), _Locked(4)]))] == [3, 4]
    finally:
        api.util.deregister_serializer(_Locked)


def a_serializer_can_be_taken_back(api):
    """After ``deregister_serializer`` the class is as before; doing so again does nothing."""
    _register(api)
    api.util.deregister_serializer(_Locked)
    api.util.deregister_serializer(_Locked)
    with pytest.raises(TypeError):
        api.put(_Locked(1))


def serialized_arguments_arrive(api):
    """An argument with a registered serializer arrives in a task."""
    _register(api)
    try:

        @api.remote
        def value_of(one):
            return one.value

        assert got(api, value_of.remote(_Locked(5))) == 5
    finally:
        api.util.deregister_serializer(_Locked)


def a_task_may_register_one(api):
    """What a task returns may have a serializer that the task registered; the driver reads it."""

    @api.remote
    def make():
        _register(api)
        try:
            return [got(api, api.put(_Locked(6))).value]
        finally:
            api.util.deregister_serializer(_Locked)

    assert got(api, make.remote()) == [6]
