"""How each option is read from text, and what values it takes.

Those that ``rustyray.init`` has are checked by the runtime's own rules, so that both speak with one voice; the others
have a rule here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from pytest_rustyray.options import rules, texts, topologies

PARSE: Final[Mapping[str, Callable[[str], object]]] = {
    "num_cpus": texts.number,
    "num_gpus": texts.number,
    "memory": texts.size,
    "object_store_memory": texts.size,
    "resources": texts.numbers,
    "labels": texts.texts,
    "namespace": str,
    "logging_level": str,
    "engine": str,
    "seed": int,
    "enforce_memory": texts.flag,
    "topology": texts.words,
    "nodes": int,
    "cpu_quota": texts.flag,
    "memory_limit": texts.size,
    "descriptors": int,
    "spill_limit": texts.size,
    "store": str,
    "timeout": texts.number,
    "leaks": str,
    "allow_leaks": texts.flag_or_words,
    "keep": str,
}
#: Each says what is wrong with a value, without the option's name, or nothing.
RULES: Final[Mapping[str, Callable[[object], str]]] = {
    "topology": topologies.problem_with,
    "nodes": rules.nodes,
    "cpu_quota": rules.quota,
    "memory_limit": rules.size,
    "descriptors": rules.descriptors,
    "spill_limit": rules.size,
    "store": rules.store,
    "timeout": rules.seconds,
    "leaks": rules.one_of("fail", "warn", "off"),
    "allow_leaks": rules.leaks,
    "keep": rules.one_of("never", "failed", "always"),
}
