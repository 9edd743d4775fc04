"""The finder of programs in the documentation finds each one, and lets none escape without a reason."""

import re
from pathlib import Path

import pytest

from tests.docblocks import DocumentationError, Program, pages, programs

ROOT = Path(__file__).parents[2]


def sources(text: str) -> list[str]:
    return [program.source for program in programs("page.md", text)]


def test_finds_python_blocks_only() -> None:
    text = "# A\n```python\nx = 1\n```\n```console\n$ ls\n```\n```\nplain\n```\n~~~~python\ny = 1\n```\n~~~~\n"
    text += "Inline: ```x```\n"
    assert programs("page.md", text) == [Program("page.md", 3, "x = 1\n"), Program("page.md", 12, "y = 1\n```\n")]


def test_dedents_a_block_in_a_list() -> None:
    assert sources("- item\n\n  ```python\n  if x:\n      y\n  ```\n") == ["if x:\n    y\n"]


def test_joins_a_block_with_the_one_it_continues_and_keeps_the_line_numbers() -> None:
    text = "```python\nx = 1\n```\n\nThen:\n\n<!-- continues -->\n\n```python\ny = x\n```\n```python\nz = 1\n```\n"
    first, second = programs("page.md", text)
    assert str(first) == "page.md:2"
    assert dict(enumerate(first.source.splitlines(), first.line))[10] == "y = x"
    assert second.source == "z = 1\n"


def test_leaves_out_a_block_only_for_a_reason() -> None:
    assert sources("<!-- not run: needs a second machine -->\n```python\nx\n```\n") == []
    for text in ("<!-- not run -->", "<!-- not run: -->", "<!-- not run: no -->"):
        with pytest.raises(DocumentationError, match=r"page\.md:3: say why"):
            sources(f"{text}\n```python\nx\n```\n")


def test_a_mark_holds_for_the_next_block_only() -> None:
    mark = "<!-- not run: needs a second machine -->"
    assert sources(f"{mark}\n```python\nx\n```\n```python\ny\n```\n") == ["y\n"]
    assert sources(f"{mark}\nSome text.\n```python\nx\n```\n") == ["x\n"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!-- continues -->\n```python\nx\n```\n", "nothing before it"),
        ("<!-- continues -->\n```console\nx\n```\n", "only a python block"),
        ("```python\nx\n", "never closed"),
    ],
)
def test_refuses_what_it_cannot_make_sense_of(text: str, message: str) -> None:
    with pytest.raises(DocumentationError, match=message):
        sources(text)


def test_tells_tests_from_scripts() -> None:
    assert Program("p", 1, "def test_x(rustyray_local):\n    pass\n").holds_tests
    assert Program("p", 1, "async def test_x():\n    pass\n").holds_tests
    assert not Program("p", 1, "def tests(): ...\nprint('def test_')\n").holds_tests


@pytest.mark.parametrize("page", [str(page.relative_to(ROOT)) for page in pages(ROOT)])
def test_links_lead_somewhere(page: str) -> None:
    """Those to other files of the project; the text of code blocks does not count."""
    text = re.sub(
        r"^```.*?^```|`[^`\n]*`", "", ROOT.joinpath(page).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    targets = [target for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if "://" not in target]
    assert [target for target in targets if not ROOT.joinpath(page).parent.joinpath(target).exists()] == []
