"""What of a folder is packed: the answers are git's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from rustyray.runtime import ignoring

CASES = [
    ("*.log", "a.log d/b.log", "log d/log.txt"),
    ("data", "data/x d/data/y", "database"),
    ("/data", "data/x", "d/data/y"),
    ("d/data", "d/data/y", "e/d/data/y"),
    ("data/", "data/x", "d/data"),
    ("**/e/x", "e/x d/e/x", "e/y"),
    ("d/**/x", "d/x d/e/f/x", "x e/d/x"),
    ("d/**", "d/x d/e/f/x", "e/d"),
    ("d*/x?", "d/x1 dd/x2", "d/x d/e/x1"),
    ("[!a]b", "bb", "ab"),
    ("x[[]1]", "x[1]", "x1"),
    (r"\#a", "#a", "a"),
    ("#a", "", "#a a"),
    (r"\!a", "!a", "a"),
    ("a ", "a", "a1"),
    ("[b-a]", "", "a b"),
    ("*\n!a", "b", "a"),
    ("d\n!d/x", "d/x", "a"),
]


@pytest.mark.parametrize(("patterns", "left_out", "kept"), CASES)
def test_patterns(tmp_path: Path, patterns: str, left_out: str, kept: str) -> None:
    fill(tmp_path, left_out, kept)
    found = ignoring.kept(str(tmp_path), patterns.splitlines())
    assert [path for path, _ in found] == kept.split()


def test_files_in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a.log d/a.log d/e/b.log d/e/c d/only .git/x venv/y")
    (tmp_path / ".gitignore").write_text("*.log\n")
    (tmp_path / "d" / "e" / ".gitignore").write_text("!b.log\n/c\n")
    (tmp_path / "d" / ".rayignore").write_text("only\n")

    def kept(*excludes: str) -> list[str]:
        return [path for path, _ in ignoring.kept(str(tmp_path), excludes)]

    ignores = [".gitignore", "d/.rayignore", "d/e/.gitignore"]
    assert kept() == [*ignores, "d/e/b.log"]
    assert kept("!a.log", "e") == ignores[:2]
    monkeypatch.setenv(ignoring.VARIABLE, "1")
    assert kept() == [".gitignore", "a.log", "d/.rayignore", "d/a.log", "d/e/.gitignore", "d/e/b.log", "d/e/c"]


def fill(folder: Path, *paths: str) -> None:
    for path in " ".join(paths).split():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
