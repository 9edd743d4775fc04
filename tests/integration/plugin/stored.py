"""A suite for runtimes whose heads keep what they know in a store."""

from typing import Final

SUITE: Final = """
    import os
    from pathlib import Path

    import pytest
    import rustyray

    @rustyray.remote
    class Counter:
        def __init__(self):
            self.count = 0
        def add(self):
            self.count += 1
            return self.count
        def pid(self):
            return os.getpid()

    def stat(pid):
        try:
            name, _, rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
        except OSError:
            return "", -1  # it has ended, and was none of ours
        return name.partition("(")[2], int(rest.split()[1])

    def children(parent):
        about = {int(path.name): stat(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()}
        return {pid: name for pid, (name, of) in about.items() if of == parent}

    def note_and_check(session):
        node = rustyray.nodes()[0]["Pid"]
        keeper = stat(node)[1]
        started = children(keeper)
        with open("pids", "a") as file:
            for pid in (keeper, *started, rustyray.get(Counter.remote().pid.remote())):
                file.write(f"{pid}\\n")
        folder = Path(session.address_info["session_dir"]).parents[1]
        if os.environ["STORE"] == "sqlite":
            written = (folder / "head.db").read_bytes() + (folder / "head.db-wal").read_bytes()
            assert b"counter" in written  # the name of the actor
        else:
            assert not (folder / "head.db").exists()
        assert ("redis-server" in started.values()) == (os.environ["STORE"] == "redis")

    @pytest.mark.parametrize("number", [1, 2])
    def test_each_has_a_head_of_its_own(rustyray_local, number):
        counter = Counter.options(name="counter", lifetime="detached").remote()
        assert rustyray.get(rustyray.get_actor("counter").add.remote()) == 1
        note_and_check(rustyray_local)

    @pytest.mark.rustyray(topology=["cluster:2", "constrained", "sim"], num_cpus=1)
    def test_topologies(rustyray_runtime, request):
        wanted = 2 if "cluster" in request.node.name else 1
        assert len(rustyray.nodes()) == wanted == rustyray.cluster_resources()["CPU"]

    def test_shared(rustyray_shared):
        assert rustyray.get(Counter.remote().add.remote()) == 1

    @pytest.mark.rustyray(store="memory")
    def test_in_memory(rustyray_local):
        assert rustyray_local.address_info["session_dir"] == ""
"""
