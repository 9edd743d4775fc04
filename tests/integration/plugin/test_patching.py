"""What a test patches is patched in its workers, for that test."""

from __future__ import annotations

import pytest

from tests.integration.plugin.conftest import Suite

PRICES = """
    import os

    def fetch(name):
        return 1

    def price(name):
        return fetch(name) * 10

    class Shop:
        tax = 2
    """
TESTS = """
    import os
    import threading
    import pytest
    import prices
    import rustyray

    @rustyray.remote
    def price():
        return prices.price("a"), prices.Shop.tax, os.environ.get("SHOP")

    @rustyray.remote
    class Asks:
        def __init__(self):
            self.begun = prices.fetch("a")

        def ask(self):
            return self.begun, prices.fetch("a")

    @rustyray.remote
    class AsksAsync:
        async def ask(self):
            return prices.fetch("a")

    PLAIN = (10, 2, None)

    def test_attributes_and_variables(rustyray_shared, rustyray_patch):
        asks, other = Asks.remote(), AsksAsync.remote()
        assert rustyray.get([price.remote(), asks.ask.remote(), other.ask.remote()]) == [PLAIN, (1, 1), 1]
        rustyray_patch.setattr("prices.fetch", lambda name: 7)
        rustyray_patch.setattr(prices.Shop, "tax", 3)
        rustyray_patch.setenv("SHOP", "open")
        assert (prices.fetch("a"), prices.Shop.tax, os.environ["SHOP"]) == (7, 3, "open")
        assert rustyray.get([price.remote(), asks.ask.remote(), other.ask.remote()]) == [(70, 3, "open"), (1, 7), 7]
        assert rustyray.get(Asks.remote().ask.remote()) == (7, 7)
        rustyray_patch.setattr(prices, "fetch", lambda name: 8)
        rustyray_patch.delenv("SHOP")
        assert rustyray.get([price.remote(), asks.ask.remote()]) == [(80, 3, None), (1, 8)]

    def test_it_is_undone_in_the_same_workers(rustyray_shared):
        assert rustyray.get([price.remote() for _ in range(8)]) == [PLAIN] * 8
        assert prices.fetch("a") == 1

    def test_mistakes(rustyray_shared, rustyray_patch):
        class Local: x = 1
        with pytest.raises(AttributeError):
            rustyray_patch.setattr("prices.fetsch", lambda name: 7)
        with pytest.raises(TypeError, match="workers would patch a copy of"):
            rustyray_patch.setattr([], "x", 1)
        with pytest.raises(TypeError, match="reaches workers by value"):
            rustyray_patch.setattr(Local, "x", 2)
        with pytest.raises(TypeError, match="reaches workers by value"):
            rustyray_patch.setattr(f"{__name__}.price", 2)
        with pytest.raises(TypeError, match="the replacement"):
            rustyray_patch.setattr("prices.fetch", threading.Lock())
        assert prices.fetch("a") == 1
        assert rustyray.get(price.remote()) == PLAIN
    """


@pytest.mark.parametrize("topology", ["local", "sim"])
def test_patches_reach_workers_and_end_with_the_test(suite: Suite, topology: str) -> None:
    suite.write(prices=PRICES, test_it=TESTS)
    suite.run("--rustyray-topology", topology).assert_outcomes(passed=3)


def test_patches_reach_the_workers_of_all_nodes(suite: Suite) -> None:
    suite.write(
        prices=PRICES,
        test_it="""
            import rustyray
            import prices

            @rustyray.remote(scheduling_strategy="SPREAD")
            class Shop:
                def fetch(self):
                    return prices.fetch("a"), rustyray.get_runtime_context().get_node_id()

            def test_all(rustyray_cluster, rustyray_patch):
                rustyray_patch.setattr("prices.fetch", lambda name: 7)
                shops = [Shop.remote() for _ in range(2)]
                found = rustyray.get([shop.fetch.remote() for shop in shops])
                assert {value for value, _ in found} == {7}
                assert len({node for _, node in found}) == 2
            """,
    )
    suite.run().assert_outcomes(passed=1)
