"""`rustyray_constrained`: each limit is one that a test can feel, and the next test has all of it again."""

from __future__ import annotations

from tests.integration.plugin.conftest import Suite

FELT = """
    import os
    import resource
    import pytest
    import rustyray
    from rustyray.exceptions import OutOfDiskError, OutOfMemoryError

    MB = 2**20

    @pytest.mark.parametrize("rustyray_runtime", ["constrained"], indirect=True)
    def test_what_it_has(rustyray_runtime):
        total = rustyray.cluster_resources()
        assert (total["CPU"], total["memory"]) == (1, 512 * MB)

    @pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one CPU anyway")
    def test_cpu(rustyray_constrained):
        @rustyray.remote
        def cpus():
            return os.sched_getaffinity(0)

        assert len(rustyray.get(cpus.remote())) == 1 < len(os.sched_getaffinity(0))

    @pytest.mark.rustyray(memory_limit=200 * MB)
    def test_memory(rustyray_constrained):
        @rustyray.remote(max_retries=0)
        def fill(size):
            held = bytearray(b"x" * size)
            while size > 100 * MB:  # until the node has noticed
                os.getppid()
            return len(held)

        assert rustyray.get(fill.remote(20 * MB)) == 20 * MB
        with pytest.raises(OutOfMemoryError):
            rustyray.get(fill.remote(250 * MB))
        assert rustyray.get(fill.remote(20 * MB)) == 20 * MB

    @pytest.mark.rustyray(object_store_memory=16 * MB, spill_limit=16 * MB)
    def test_store_and_disk(rustyray_constrained):
        held = []
        with pytest.raises(OutOfDiskError, match="the spill file has reached its limit of 16.8 MB"):
            for number in range(10):
                held.append(rustyray.put(bytes(5 * MB)))
        assert 16 < 5 * len(held) <= 32
        held.clear()
        assert rustyray.get(rustyray.put(bytes(5 * MB))) == bytes(5 * MB)

    @pytest.mark.rustyray(descriptors=100)
    def test_descriptors(rustyray_constrained):
        @rustyray.remote
        def opened(count):
            files = []
            try:
                for _ in range(count):
                    files.append(os.open(os.devnull, os.O_RDONLY))
            except OSError as error:
                return error.strerror
            finally:
                for file in files:
                    os.close(file)
            return count

        assert rustyray.get(opened.remote(50)) == 50
        assert rustyray.get(opened.remote(100)) == "Too many open files"
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] > 100  # not the test itself

    def test_the_next_has_all_of_it_again(rustyray_local):
        @rustyray.remote
        def cpus():
            return os.sched_getaffinity(0)

        assert rustyray.get(cpus.remote()) == os.sched_getaffinity(0)
"""


def test_every_limit_is_felt(suite: Suite) -> None:
    suite.write(test_it=FELT).run().assert_outcomes(passed=6)
