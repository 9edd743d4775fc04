"""Options are read from text, the closest place wins, and what is wrong is told with its place."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given as given_by
from hypothesis import strategies as st

from pytest_rustyray import options
from pytest_rustyray.options import reading, shares
from pytest_rustyray.options.checks import problem_with_marker
from pytest_rustyray.options.starting import for_init
from pytest_rustyray.options.table import shown
from pytest_rustyray.options.texts import flag, flag_or_words, number, numbers, size, texts, words

PLUGIN = "pytest_rustyray.plugin"


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("4096", 4096), ("256MiB", 2**28), ("1.5 GiB", 3 * 2**29), ("2kb", 2000), ("1TIB", 2**40)],
)
def test_sizes(text: str, value: int) -> None:
    assert size(text) == value


def test_numbers_keep_their_kind() -> None:
    assert [repr(number(text)) for text in ("2", "0.5", "-1")] == ["2", "0.5", "-1"]
    assert numbers("license=2, disk=0.5") == {"license": 2, "disk": 0.5}
    assert texts("zone=a,path=x=y") == {"zone": "a", "path": "x=y"}
    assert texts("") == {}
    assert words("local, cluster:3") == ["local", "cluster:3"]
    assert [flag(text) for text in ("true", "Off")] == [True, False]
    assert [flag_or_words(text) for text in ("yes", "refs,threads")] == [True, ["refs", "threads"]]


@pytest.mark.parametrize("read", [number, size, numbers, texts, flag])
def test_nonsense_is_a_value_error(read: Any) -> None:
    with pytest.raises(ValueError, match=r"nonsense|not enough|sequence"):
        read("nonsense")


@given_by(st.integers(0, 2**62))
def test_a_size_reads_back_as_it_is_shown(value: int) -> None:
    assert size(shown("object_store_memory", value)) == value


@given_by(st.dictionaries(st.text("abc_", min_size=1), st.integers(0, 99), min_size=1))
def test_resources_read_back_as_they_are_shown(value: dict[str, int]) -> None:
    assert numbers(shown("resources", value)) == value


# --- where they come from ---------------------------------------------------------------------------------------------


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that says nothing about options."""
    for name in options.OPTIONS:
        monkeypatch.delenv(options.VARIABLE + name.upper(), raising=False)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return monkeypatch


def common(pytester: pytest.Pytester, *arguments: str) -> options.Options:
    return options.given(pytester.parseconfig("-p", PLUGIN, *arguments))


@pytest.mark.usefixtures("clean")
def test_the_defaults_are_small(pytester: pytest.Pytester) -> None:
    assert for_init(common(pytester)) == {"num_cpus": 2, "object_store_memory": 2**28}


def test_the_command_line_beats_the_environment_beats_the_ini_file(
    pytester: pytest.Pytester, clean: pytest.MonkeyPatch
) -> None:
    pytester.makeini("[pytest]\nrustyray_num_cpus = 1\nrustyray_num_gpus = 1\nrustyray_memory = 1\n")
    clean.setenv("RUSTYRAY_NUM_CPUS", "2")
    clean.setenv("RUSTYRAY_NUM_GPUS", "2")
    clean.setenv("RUSTYRAY_MEMORY", "")  # as good as not set
    found = common(pytester, "--rustyray-num-cpus=3")
    assert found["num_cpus"] == (3, "--rustyray-num-cpus")
    assert found["num_gpus"] == (2, "RUSTYRAY_NUM_GPUS")
    assert found["memory"] == (1, "rustyray_memory in the ini file")


def test_a_variable_that_is_nearly_an_option_is_told(pytester: pytest.Pytester, clean: pytest.MonkeyPatch) -> None:
    clean.setenv("RUSTYRAY_STRESS_OF_SOMEBODY", "1")
    common(pytester)
    clean.setenv("RUSTYRAY_NUM_CPU", "3")
    with pytest.raises(pytest.UsageError, match=r"RUSTYRAY_NUM_CPU in .*did you mean RUSTYRAY_NUM_CPUS\?"):
        common(pytester)


@pytest.mark.usefixtures("clean")
def test_every_option_can_be_given_in_every_place(pytester: pytest.Pytester) -> None:
    texts_ = {
        "num_cpus": "3",
        "num_gpus": "1",
        "memory": "1GiB",
        "object_store_memory": "8MiB",
        "resources": "license=2",
        "labels": "zone=a",
        "namespace": "here",
        "logging_level": "INFO",
        "topology": "sim:2",
        "engine": "sim",
        "seed": "7",
        "enforce_memory": "true",
        "descriptors": "100",
        "store": "redis://10.0.0.1/3",
        "spill_limit": "1GiB",
        "nodes": "3",
        "cpu_quota": "yes",
        "memory_limit": "1GiB",
        "timeout": "0.5",
        "leaks": "warn",
        "allow_leaks": "threads,refs",
        "keep": "failed",
    }
    assert texts_.keys() == options.OPTIONS.keys() == reading.PARSE.keys()
    flags = [f"--rustyray-{name.replace('_', '-')}={text}" for name, text in texts_.items()]
    by_flags = common(pytester, *flags)
    with pytest.MonkeyPatch.context() as environment:
        for name, text in texts_.items():
            environment.setenv(f"RUSTYRAY_{name.upper()}", text)
        by_environment = common(pytester)
    pytester.makeini("[pytest]\n" + "\n".join(f"rustyray_{name} = {text}" for name, text in texts_.items()))
    by_ini = common(pytester)
    said = [{name: value for name, (value, _) in found.items()} for found in (by_flags, by_environment, by_ini)]
    assert said[0] == said[1] == said[2]
    assert said[0]["resources"] == {"license": 2}
    assert said[0]["allow_leaks"] == ["threads", "refs"]
    assert for_init(by_ini)["num_nodes"] == 2


@pytest.mark.parametrize(
    ("ini", "variable", "flag", "place"),
    [
        ("rustyray_num_cpus = x", "", "", "rustyray_num_cpus in the ini file"),
        ("", "x", "", "RUSTYRAY_NUM_CPUS"),
        ("", "", "--rustyray-num-cpus=x", "--rustyray-num-cpus"),
    ],
)
def test_a_text_that_cannot_be_read_is_told_with_its_place(
    pytester: pytest.Pytester, clean: pytest.MonkeyPatch, ini: str, variable: str, flag: str, place: str
) -> None:
    pytester.makeini(f"[pytest]\n{ini}\n")
    clean.setenv("RUSTYRAY_NUM_CPUS", variable)
    with pytest.raises(pytest.UsageError, match=f"^{place}: cannot make sense of 'x'; it takes CPUs"):
        common(pytester, *([flag] if flag else []))


@pytest.mark.skipif(pytest.version_tuple < (9,), reason="pytest 8 turns every value of a TOML file into text")
@pytest.mark.usefixtures("clean")
def test_a_number_in_a_toml_file_has_to_be_text(pytester: pytest.Pytester) -> None:
    pytester.makefile(".toml", pyproject="[tool.pytest]\nrustyray_num_cpus = 4\n")
    with pytest.raises(pytest.UsageError, match="option 'rustyray_num_cpus' expects a string, got int: 4"):
        common(pytester)


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(
    ("flag", "told"),
    [
        ("--rustyray-topology=local,cluste:3", "topology 'cluste:3' does not exist"),
        ("--rustyray-leaks=wran", "leaks must be 'fail', 'warn' or 'off', got 'wran' (did you mean 'warn'?)"),
        ("--rustyray-timeout=-1", "timeout must be a number of seconds"),
    ],
)
def test_a_value_of_an_option_that_is_no_argument_of_init_is_refused_at_once(
    pytester: pytest.Pytester, flag: str, told: str
) -> None:
    with pytest.raises(pytest.UsageError, match=f"^{re.escape(flag.partition('=')[0] + ': ' + told)}"):
        common(pytester, flag)


@pytest.mark.usefixtures("clean")
def test_every_test_has_options_whether_or_not_it_uses_a_fixture(pytester: pytest.Pytester) -> None:
    marker = "@pytest.mark.rustyray(timeout=None, leaks='off', allow_leaks='refs')"
    item = pytester.getitem(f"import pytest\n\n{marker}\ndef test_func(): ...\n")
    found = options.for_node(common(pytester, "--rustyray-timeout=5", "--rustyray-keep=failed"), item)
    assert found["timeout"] == (300, "")  # None: the default
    assert found["leaks"] == ("off", "@pytest.mark.rustyray")
    assert found["allow_leaks"] == ("refs", "@pytest.mark.rustyray")
    assert found["keep"] == ("failed", "--rustyray-keep")


def test_a_value_that_makes_no_sense_is_told_with_its_place() -> None:
    with pytest.raises(pytest.UsageError, match=r"^RUSTYRAY_NUM_CPUS: num_cpus must be zero or more, got -1"):
        for_init({"num_cpus": (-1, "RUSTYRAY_NUM_CPUS")})


# --- markers ----------------------------------------------------------------------------------------------------------


def problem(*args: object, **kwargs: object) -> str:
    # Not a real mark: where the plugin is not loaded, pytest does not know it.
    return problem_with_marker(SimpleNamespace(args=args, kwargs=kwargs))  # type: ignore[arg-type]


def test_a_right_marker_has_no_problem() -> None:
    assert problem() == ""
    assert problem(num_cpus=0.5, resources={"x": 1}, labels={"zone": "a"}, topology="local", memory=None) == ""
    assert problem(topology="sim") == problem(topology="sim:3") == problem(engine="sim", seed=3) == ""
    assert problem(topology=["local", "cluster:3"], timeout=0, allow_leaks={"refs"}, keep="always", leaks="off") == ""


def test_a_topology_may_be_simulated() -> None:
    assert for_init({"topology": ("sim:3", ""), "seed": (5, "")}) == {
        "engine": "sim",
        "num_nodes": 3,
        "seed": 5,
    }
    assert for_init({"topology": ("local", ""), "seed": (5, "--rustyray-seed")}) == {}
    assert for_init({"topology": ("local", ""), "seed": (5, "@pytest.mark.rustyray")}) == {}


@pytest.mark.parametrize(
    ("kwargs", "told"),
    [
        ({"num_cpu": 1}, "there is no option 'num_cpu' (did you mean 'num_cpus'?). Valid ones are num_cpus, "),
        ({"zzz": 1}, "there is no option 'zzz'. Valid ones are"),
        ({"num_cpus": "2"}, "num_cpus must be a number, got '2' (str)"),
        ({"object_store_memory": 0}, "object_store_memory must be 1 or more"),
        ({"labels": {"zone": 1}}, "labels['zone'] must be a string"),
        ({"logging_level": "WARN"}, "(did you mean 'WARNING'?)"),
        ({"topology": "loca"}, "topology 'loca' does not exist (did you mean 'local'?)"),
        ({"topology": "ray:0"}, "topology is 'ray:0': behind the colon is the number of nodes, as in 'ray:3'"),
        ({"topology": "sim:x"}, "behind the colon is the number of nodes"),
        ({"topology": "sim:0"}, "behind the colon is the number of nodes"),
        ({"engine": "nativ"}, "there is no engine 'nativ' (did you mean 'native'?)"),
        ({"seed": -1}, "seed must be"),
        ({"topology": "cluster:0"}, "behind the colon is the number of nodes, as in 'cluster:3'"),
        ({"topology": 3}, "topology 3 does not exist"),
        ({"topology": []}, "topology names no topology"),
        ({"topology": ["local", "sim:x"]}, "topology is 'sim:x': behind the colon is the number of nodes"),
        ({"topology": ["local", "local"]}, "topology names a topology twice"),
        ({"timeout": -1}, "timeout must be a number of seconds, zero (no limit) or more, got -1"),
        ({"leaks": "fial"}, "leaks must be 'fail', 'warn' or 'off', got 'fial' (did you mean 'fail'?)"),
        ({"allow_leaks": "thread"}, "allow_leaks has no kind 'thread' (did you mean 'threads'?)"),
        ({"allow_leaks": 1}, "allow_leaks must be True, or kinds of leaks"),
        ({"keep": "faild"}, "keep must be 'never', 'failed' or 'always', got 'faild' (did you mean 'failed'?)"),
        ({"nodes": 0}, "nodes must be 1 or more, got 0"),
        ({"nodes": [1]}, "nodes must be a number of nodes, or a list of dicts with the options of each, got [1]"),
        ({"nodes": [{"num_cpu": 1}]}, "nodes has a node with an option 'num_cpu' (did you mean 'num_cpus'?)"),
        ({"store": "sqlit"}, "store must be one of 'memory', 'sqlite', 'redis' or the address of a server, redis://…"),
        ({"descriptors": 3}, "descriptors must be a number, 64 or more"),
        ({"cpu_quota": 1}, "cpu_quota must be True or False, or a list of CPUs, got 1"),
        ({"memory_limit": 0}, "memory_limit must be a number of bytes, 1 or more, got 0"),
        ({"enforce_memory": 1}, "enforce_memory must be True or False, got 1"),
    ],
)
def test_a_wrong_marker_tells_what_is_meant(kwargs: dict[str, object], told: str) -> None:
    assert told in problem(**kwargs)
    assert problem(**kwargs).startswith("@pytest.mark.rustyray: ")


def test_a_marker_takes_no_positional_arguments() -> None:
    assert problem(4) == "@pytest.mark.rustyray takes keyword arguments only, such as num_cpus=4; got 4"


def test_limits_are_for_real_processes() -> None:
    limits: dict[str, options.Given] = {"memory_limit": (2**30, ""), "cpu_quota": (True, ""), "timeout": (3, "")}
    assert for_init(limits) == {"_system_config": {"memory_limit": 2**30, "cpu_quota": True}}
    assert for_init(limits | {"topology": ("sim", "")}) == {"engine": "sim", "num_nodes": 1}


def test_of_several_topologies_the_first_is_started_unless_one_is_named() -> None:
    several = {"topology": (["cluster:3", "sim"], "")}
    assert for_init(several) == {"num_nodes": 3}
    assert for_init(several, "sim") == {"engine": "sim", "num_nodes": 1}


@pytest.mark.usefixtures("clean")
def test_a_constrained_runtime_has_little_of_what_is_given_nowhere(pytester: pytest.Pytester) -> None:
    common_ = dict(common(pytester)) | {"num_cpus": (3, "--rustyray-num-cpus"), "spill_limit": (None, options.MARKER)}
    found = for_init(common_, "constrained")
    assert (found["num_cpus"], found["object_store_memory"], found["memory"]) == (3, 2**26, 2**29)
    assert found["_system_config"] == {"cpu_quota": True, "memory_limit": 2**29, "descriptors": 256}


def test_processes_of_a_run_share_the_machine() -> None:
    assert shares.share(0, 1, [0, 1, 2, 3], 2**34, 2**28) == {}
    whole = [shares.share(number, 4, list(range(16)), 2**34, 2**28) for number in range(4)]
    assert [one["cpu_quota"] for one in whole] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]]
    assert {one["object_store_memory"] for one in whole} == {2**28}
    assert sum(int(str(one["memory"])) for one in whole) <= 2**34
    assert [one["memory"] == one["memory_limit"] for one in whole] == [True] * 4
    many = [shares.share(number, 8, [0, 1, 2, 3], 2**32, 2**28) for number in range(8)]
    assert [one["cpu_quota"] for one in many] == [[0, 1], [0, 1], [1, 2], [1, 2], [2, 3], [2, 3], [0, 3], [0, 3]]
    assert sum(int(str(one["object_store_memory"])) for one in many) < 0.31 * 2**32
    assert "cpu_quota" not in shares.share(1, 2, [0, 1], 2**32, 2**28)  # no less than a test has without being told


@pytest.mark.usefixtures("clean")
def test_a_share_is_a_default(pytester: pytest.Pytester) -> None:
    config = pytester.parseconfig("-p", PLUGIN, "--rustyray-memory=7GiB")
    config.workerinput = {"workerid": "gw1", "workercount": 2}  # type: ignore[attr-defined]
    found = options.given(config)
    assert found["memory"] == (7 * 2**30, "--rustyray-memory")
    assert found["memory_limit"][1] == ""
    constrained = for_init(found, "constrained")
    assert constrained["_system_config"]["memory_limit"] == 2**29
    assert constrained["memory"] == 7 * 2**30
    assert found["num_cpus"] == (2, "")
    whole = options.whole(found)
    assert whole["memory"] == found["memory"]
    assert "memory_limit" not in whole
    assert whole["object_store_memory"] == (2**28, "")


def test_nodes_are_for_topologies_that_do_not_say_how_many() -> None:
    several: dict[str, options.Given] = {"topology": (["cluster", "cluster:4", "sim", "local"], ""), "nodes": (3, "")}
    counts = [for_init(several, name).get("num_nodes") for name in ("cluster", "cluster:4", "sim", "local")]
    assert counts == [3, 4, 3, None]


def test_the_header_names_the_place_of_what_is_no_default() -> None:
    found = {"num_cpus": (2, ""), "memory": (2**30, "RUSTYRAY_MEMORY"), "topology": ("local", "")}
    assert options.header(found) == "rustyray: num_cpus=2, memory=1GiB (RUSTYRAY_MEMORY)"
