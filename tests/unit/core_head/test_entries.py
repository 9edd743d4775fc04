"""The entries that programs leave with the head."""

from __future__ import annotations

import pytest

from rustyray.core.effects import Keep, Send
from rustyray.core.head import HeadCore, HeadLimits
from rustyray.model.messages import AskEntry, EntryAction, EntryAnswer
from tests.unit.core_head.world import DRIVER

Asked = tuple[int, list[bytes]]


class Head:
    """A durable head, what it has answered, and what it wants written down."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, bytes], bytes] = {}
        self.begin()

    def begin(self) -> None:
        """Another head goes on from what is written down."""
        self.core = HeadCore(HeadLimits(), durable=True)
        self.core.restore(list(self.kept.values()), 0.0)

    def ask(self, action: EntryAction, key: bytes, value: bytes = b"", namespace: bytes = b"") -> Asked:
        self.core.on_message(DRIVER, AskEntry(7, action, namespace, key, value), 0.0)
        effects, self.core.out = self.core.out, []
        answers: list[Asked] = []
        for effect in effects:
            if isinstance(effect, Keep):
                assert not answers, "it was told before it was written down"
                if effect.value is None:
                    del self.kept[effect.kind, effect.key]
                else:
                    self.kept[effect.kind, effect.key] = effect.value
            elif isinstance(effect, Send) and isinstance(effect.message, EntryAnswer):
                assert (effect.to, effect.message.request) == (DRIVER, 7)
                answers.append((effect.message.found, effect.message.values))
        [answer] = answers
        return answer


@pytest.fixture
def head() -> Head:
    return Head()


def test_values_are_put_and_read(head: Head) -> None:
    assert head.ask(EntryAction.GET, b"a") == (0, [])
    assert head.ask(EntryAction.PUT, b"a", b"1") == (0, [])
    assert head.ask(EntryAction.ADD, b"a", b"2") == (1, [])
    assert head.ask(EntryAction.GET, b"a") == (1, [b"1"])
    assert head.ask(EntryAction.PUT, b"a", b"3") == (1, [])
    assert head.ask(EntryAction.ADD, b"ab", b"4") == (0, [])
    assert head.ask(EntryAction.GET, b"a") == (1, [b"3"])
    assert head.ask(EntryAction.LIST, b"a") == (2, [b"a", b"ab"])
    assert head.ask(EntryAction.LIST, b"ab") == (1, [b"ab"])


def test_namespaces_are_apart(head: Head) -> None:
    head.ask(EntryAction.PUT, b"bc", b"1", b"a")
    head.ask(EntryAction.PUT, b"c", b"2", b"ab")
    assert head.ask(EntryAction.GET, b"bc", namespace=b"a") == (1, [b"1"])
    assert head.ask(EntryAction.GET, b"c", namespace=b"ab") == (1, [b"2"])
    assert head.ask(EntryAction.LIST, b"") == (0, [])
    assert len(head.kept) == 2


def test_what_is_deleted_is_gone(head: Head) -> None:
    for key in (b"a", b"ab", b"b"):
        head.ask(EntryAction.PUT, key, b"1")
    assert head.ask(EntryAction.DELETE, b"nothing") == (0, [])
    assert head.ask(EntryAction.DELETE_ALL, b"a") == (2, [])
    assert head.ask(EntryAction.DELETE, b"b") == (1, [])
    assert head.ask(EntryAction.LIST, b"") == (0, [])
    assert head.kept == {}


def test_another_head_goes_on(head: Head) -> None:
    head.ask(EntryAction.PUT, b"a", b"1", b"space")
    head.ask(EntryAction.PUT, b"a", b"2", b"space")
    head.ask(EntryAction.PUT, b"gone", b"3", b"space")
    head.ask(EntryAction.DELETE, b"gone", namespace=b"space")
    head.begin()
    assert head.ask(EntryAction.LIST, b"", namespace=b"space") == (1, [b"a"])
    assert head.ask(EntryAction.GET, b"a", namespace=b"space") == (1, [b"2"])
