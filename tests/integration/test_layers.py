"""Loading the plugin costs a test run that does not use it nothing: the runtime stays unimported."""

import subprocess
import sys
from pathlib import Path


def test_importing_the_plugin_does_not_import_the_runtime() -> None:
    program = (
        "import sys, pytest_rustyray.plugin\n"
        "print([name for name in sys.modules if name == 'rustyray' or name.startswith('rustyray.')])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[]", "")
