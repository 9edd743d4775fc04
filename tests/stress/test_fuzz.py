"""Coverage-guided fuzzing of all that reads a peer's bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rustyray.wire.codec import encode
from tests.unit.hostile import made

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60


def test_only_refusals_are_raised(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris is not installed: pip install 'rustyray[fuzz]'")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, kind in enumerate(made.messages()):
        message = made.plainest(kind)
        data = encode(message)
        (corpus / f"decode-{number}").write_bytes(b"\5" + data)
        (corpus / f"stream-{number}").write_bytes(b"\3\xff" + len(data).to_bytes(4, "little") + data)
    options = [
        f"-max_total_time={SECONDS}",
        "-seed=1",
        "-rss_limit_mb=512",
        "-max_len=2048",
        "-timeout=5",
        "-print_final_stats=1",
    ]
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/stress/fuzz_wire.py"), *options, str(corpus)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=10 * SECONDS,
        check=False,
    )
    print(done.stderr[-2000:])
    assert done.returncode == 0, done.stderr[-5000:]
    assert "stat::number_of_executed_units" in done.stderr
