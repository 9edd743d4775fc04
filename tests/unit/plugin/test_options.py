"""Options are read from text, the closest place wins, and what is wrong is told with its place."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given as given_by
from hypothesis import strategies as st

from pytest_rustyray import options
from pytest_rustyray.options import number, numbers, shown, size, texts

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


@pytest.mark.parametrize("read", [number, size, numbers, texts])
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
    assert options.for_init(common(pytester)) == {"num_cpus": 2, "object_store_memory": 2**28}


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
    }
    assert texts_.keys() == options.OPTIONS.keys()
    flags = [f"--rustyray-{name.replace('_', '-')}={text}" for name, text in texts_.items()]
    by_flags = options.for_init(common(pytester, *flags))
    with pytest.MonkeyPatch.context() as environment:
        for name, text in texts_.items():
            environment.setenv(f"RUSTYRAY_{name.upper()}", text)
        by_environment = options.for_init(common(pytester))
    pytester.makeini("[pytest]\n" + "\n".join(f"rustyray_{name} = {text}" for name, text in texts_.items()))
    by_ini = options.for_init(common(pytester))
    assert by_flags == by_environment == by_ini
    assert by_ini["resources"] == {"license": 2}


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


def test_a_value_that_makes_no_sense_is_told_with_its_place() -> None:
    with pytest.raises(pytest.UsageError, match=r"^RUSTYRAY_NUM_CPUS: num_cpus must be zero or more, got -1"):
        options.for_init({"num_cpus": (-1, "RUSTYRAY_NUM_CPUS")})


# --- markers ----------------------------------------------------------------------------------------------------------


def problem(*args: object, **kwargs: object) -> str:
    # Not a real mark: where the plugin is not loaded, pytest does not know it.
    return options.problem_with_marker(SimpleNamespace(args=args, kwargs=kwargs))  # type: ignore[arg-type]


def test_a_right_marker_has_no_problem() -> None:
    assert problem() == ""
    assert problem(num_cpus=0.5, resources={"x": 1}, labels={"zone": "a"}, topology="local", memory=None) == ""
    assert problem(topology="sim") == problem(topology="sim:3") == problem(engine="sim", seed=3) == ""


def test_a_topology_may_be_simulated() -> None:
    assert options.for_init({"topology": ("sim:3", ""), "seed": (5, "")}) == {
        "engine": "sim",
        "num_nodes": 3,
        "seed": 5,
    }
    assert options.for_init({"topology": ("local", ""), "seed": (5, "--rustyray-seed")}) == {}
    with pytest.raises(pytest.UsageError, match="seed is for simulated runtimes"):
        options.for_init({"topology": ("local", ""), "seed": (5, "@pytest.mark.rustyray")})


@pytest.mark.parametrize(
    ("kwargs", "told"),
    [
        ({"num_cpu": 1}, "there is no option 'num_cpu' (did you mean 'num_cpus'?). Valid ones are num_cpus, "),
        ({"zzz": 1}, "there is no option 'zzz'. Valid ones are"),
        ({"num_cpus": "2"}, "num_cpus must be a number, got '2' (str)"),
        ({"object_store_memory": 0}, "object_store_memory must be 1 or more"),
        ({"labels": {"zone": 1}}, "labels['zone'] must be a string"),
        ({"logging_level": "WARN"}, "(did you mean 'WARNING'?)"),
        ({"topology": "loca"}, "there is no topology 'loca' (did you mean 'local'?)"),
        ({"topology": "ray"}, "topology='ray' is not supported yet"),
        ({"topology": "sim:x"}, "behind the colon is the number of nodes"),
        ({"topology": "sim:0"}, "behind the colon is the number of nodes"),
        ({"engine": "nativ"}, "there is no engine 'nativ' (did you mean 'native'?)"),
        ({"seed": -1}, "seed must be"),
        ({"topology": "cluster:0"}, "behind the colon is the number of nodes, as in 'cluster:3'"),
        ({"topology": 3}, "there is no topology 3"),
    ],
)
def test_a_wrong_marker_tells_what_is_meant(kwargs: dict[str, object], told: str) -> None:
    assert told in problem(**kwargs)
    assert problem(**kwargs).startswith("@pytest.mark.rustyray: ")


def test_a_marker_takes_no_positional_arguments() -> None:
    assert problem(4) == "@pytest.mark.rustyray takes keyword arguments only, such as num_cpus=4; got 4"


def test_the_header_names_the_place_of_what_is_no_default() -> None:
    found = {"num_cpus": (2, ""), "memory": (2**30, "RUSTYRAY_MEMORY"), "topology": ("local", "")}
    assert options.header(found) == "rustyray: num_cpus=2, memory=1GiB (RUSTYRAY_MEMORY)"
