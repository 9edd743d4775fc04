#!/usr/bin/env python3
"""Set up and check this project, from a fresh clone, with nothing but a Python.

    python3 dev.py demo      the example suite, in parallel, each test in its own runtime
    python3 dev.py test      tests/unit and tests/integration, but for what takes long
    python3 dev.py test --ray   what runs on a real Ray, which is installed for it
    python3 dev.py check     linter, formatter, types, layers
    python3 dev.py stress    what takes long: tests/stress, and tests elsewhere that are marked so
    python3 dev.py bench     the benchmarks, beside other systems

What follows the command goes to pytest (or to the benchmarks). The tools live in .venv, made on the first call and
brought up to date when pyproject.toml, constraints.txt or the interpreter changes; nothing else is touched.
"""

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


# Up to here and in this function, only what an old Python can read and run: it must reach the sentence.
def refusal(version: "tuple[int, int]", platform: str) -> "str | None":
    """Say why the project cannot run here, or None where it can."""
    if platform == "win32":
        return (
            "RustyRay does not support Windows: its processes pass memory over Unix sockets, and are forked.\n"
            "Use the Windows Subsystem for Linux (WSL 2) or a container."
        )
    if version < (3, 11):
        return (
            f"RustyRay needs Python 3.11 or newer, and this is Python {version[0]}.{version[1]} ({sys.executable}).\n"
            "Call dev.py with a newer one, for example: python3.11 dev.py test"
        )
    return None


_refusal = refusal(sys.version_info[:2], sys.platform)
if _refusal is not None:
    sys.exit(_refusal)

ROOT = Path(__file__).resolve().parent
PIP_INSTALL = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
ON_RAY = "--ray"
#: A third of the time tests wait for something to happen: so there is one more process than a small machine has cores.
PYTEST = ["-m", "pytest", "-p", "rustyray", "-n", "3", "--timeout", "300"]
SUITES = {
    "demo": ["examples"],
    "test": ["-m", "not stress", "tests/unit", "tests/integration"],
    "stress": ["-m", "stress", "tests"],
    ON_RAY: ["--dist", "loadfile", "tests/integration/on_ray"],  # the two conformance suites beside each other
}
INTERRUPTED = 130
CHECKS = {
    "ruff check": ["-m", "ruff", "check", "--quiet", "."],
    "ruff format": ["-m", "ruff", "format", "--check", "--quiet", "."],
    "mypy": ["-m", "mypy"],
    "layers": ["-c", "from importlinter.cli import lint_imports_command as run; run()"],
    "diagrams": ["docs/diagrams.py", "--check"],
    "Ray's API": ["docs/ray_api.py", "--check"],
    "departures": ["docs/departures.py", "--check"],
}


class Venv:
    """The environment in .venv. Files of our own in it tell what state it is in:

    dev.lock      held while it changes; also the sign that dev.py made it
    installing    there while pip works; where it is found later, that work was interrupted
    EXTRA.stamp   what the extra (dev, bench) was installed from and for
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / ".venv"
        self.python = str(self.path / "bin" / "python")
        self.lock = self.path / "dev.lock"
        self.installing = self.path / "installing"
        self.interpreter = hashlib.sha256(f"{sys.version}\n{sys.base_prefix}\n{root}".encode()).hexdigest()

    def wanted(self) -> str:
        """What a stamp reads when its extra is up to date."""
        texts = [(self.root / name).read_text(encoding="utf-8") for name in ("pyproject.toml", "constraints.txt")]
        return f"{self.interpreter} {hashlib.sha256(''.join(texts).encode()).hexdigest()}"

    def stamp(self, extra: str) -> str:
        path = self.path / f"{extra}.stamp"
        return path.read_text() if path.exists() else ""

    def ready(self, extra: str) -> bool:
        return self.stamp(extra) == self.wanted() and os.access(self.python, os.X_OK)

    def sound(self) -> bool:
        """Whether pip may build on what is there; otherwise it is made anew."""
        ours = self.stamp("dev").startswith(self.interpreter)
        return ours and not self.installing.exists() and os.access(self.python, os.X_OK)

    def ensure(self, extra: str) -> None:
        """Install the extra unless it is there; safe from several calls at once and after an interrupted one."""
        if self.ready(extra):
            return
        if (self.path / "pyvenv.cfg").exists() and not self.lock.exists():
            sys.exit(f"{self.path} was not made by dev.py, which would change it. Move it away and call again.")
        self.path.mkdir(exist_ok=True)
        with locked(self.lock) as lock:
            if not self.sound():
                self.create(lock)
            for name in dict.fromkeys(("dev", extra)):
                if not self.ready(name):
                    self.install(name, lock)

    def create(self, lock: int) -> None:
        """Make the environment anew, with a pip inside, by whichever way works here."""
        import shutil
        import venv

        write(self.installing, "")
        # The stamps go first: one left over, were we killed half-way, would vouch for a ruin.
        for entry in sorted(self.path.iterdir(), key=lambda entry: entry.suffix != ".stamp"):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry not in (self.lock, self.installing):
                entry.unlink()
        venv.EnvBuilder(symlinks=True).create(self.path)
        failures = []
        for name, command, extra_env in ways_to_get_pip(self.python):
            status, output = quietly(command, lock, extra_env)
            if status == 0 and quietly([self.python, "-m", "pip", "--version"], lock)[0] == 0:
                return
            failures.append(f"  {name}: {(output.strip() or f'exit status {status}').splitlines()[-1]}")
        cure = "Install pip for this Python, or its venv support (Debian and Ubuntu: the package python3-venv), or uv."
        sys.exit("\n".join([f"No way to put pip into {self.path} works here:", *failures, cure]))

    def install(self, extra: str, lock: int) -> None:
        import tomllib

        if extra == "dev":
            what = ["--editable", f"{self.root}[dev]"]
        else:
            # The extra's packages alone: reinstalling the project would break tests that run meanwhile.
            project = tomllib.loads((self.root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
            what = project["optional-dependencies"][extra]
        stamp, wanted, started = self.path / f"{extra}.stamp", self.wanted(), time.monotonic()
        print(f"installing [{extra}] into {self.path} ...", flush=True)
        write(self.installing, "")
        write(stamp, "")
        pinned = ["--constraint", str(self.root / "constraints.txt")]
        status, output = quietly([self.python, *PIP_INSTALL, *pinned, *what], lock)
        if status != 0:
            sys.exit(f"{output}\npip could not install the extra [{extra}]; call again once the cause above is gone.")
        write(stamp, wanted)
        self.installing.unlink()
        print(f"installed  [{extra}] in {time.monotonic() - started:.1f} s", flush=True)


def ways_to_get_pip(python: str) -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """Yield (name, command, environment), the plainest first; Debian splits ensurepip from its Python."""
    from importlib.util import find_spec
    from shutil import which

    yield "ensurepip", [python, "-m", "ensurepip", "--default-pip"], {}
    yield "this Python's pip", [sys.executable, "-m", "pip", "--python", python, *PIP_INSTALL[2:], "pip"], {}
    pip, uv = find_spec("pip"), which("uv")
    if pip is not None:
        # One older than 22.3 has no --python: let the new interpreter run its code.
        env = {"PYTHONPATH": str(Path(str(pip.origin)).parent.parent)}
        yield "this Python's pip, run by the new one", [python, *PIP_INSTALL, "--ignore-installed", "pip"], env
    if uv is not None:
        yield "uv", [uv, "pip", "install", "--quiet", "--python", python, "pip"], {}


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold the file's lock; yields its descriptor."""
    import fcntl

    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another dev.py is setting up .venv; waiting for it ...", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def write(path: Path, text: str) -> None:
    """Replace the file in one step, so that no reader sees half of it."""
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").replace(path)


def environment() -> dict[str, str]:
    """The caller's, less what would let another Python's packages, or none of our plugins, into the runs.

    And compiled code is kept: the tests start hundreds of processes, each of which would compile all of it again.
    """
    dropped = {"PYTHONHOME", "PYTHONPATH", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "PIP_TARGET", "PIP_PREFIX"}
    dropped |= {"PYTHONDONTWRITEBYTECODE"}
    env = {name: value for name, value in os.environ.items() if name not in dropped}
    path = str(ROOT / ".venv" / "bin") + os.pathsep + env.get("PATH", os.defpath)
    return env | {"VIRTUAL_ENV": str(ROOT / ".venv"), "PATH": path, "PIP_USER": "0"}


def quietly(command: list[str], lock: int, extra_env: dict[str, str] | None = None) -> tuple[int, str]:
    """Run a step of the set-up; return its exit status and what it said.

    The child inherits the lock, so that nobody else touches .venv before it ends, even where this process is killed.
    """
    from subprocess import DEVNULL, PIPE, STDOUT, Popen

    env = environment() | (extra_env or {})
    child = Popen(command, env=env, pass_fds=(lock,), stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, text=True)
    said, _ = child.communicate()
    return child.returncode, said


def run_step(name: str, command: list[str], *, show: bool) -> int:
    """Run one step and print its line; its output is shown as it comes, or only where it fails."""
    import signal
    from subprocess import PIPE, STDOUT, Popen

    started = time.monotonic()
    pipe, errors = (None, None) if show else (PIPE, STDOUT)
    # Ctrl-C reaches the child from the terminal; it ends in its own way, and we wait for it.
    signal.signal(signal.SIGINT, lambda *_: None)
    child = Popen(command, cwd=ROOT, env=environment(), stdout=pipe, stderr=errors)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    said, _ = child.communicate()
    status = child.returncode if child.returncode >= 0 else 128 - child.returncode
    sys.stdout.write(said.decode(errors="replace") if said and status else "")
    print(f"{'ok  ' if status == 0 else 'FAIL'} {name:<12} {time.monotonic() - started:6.2f} s", flush=True)
    return status


def pytest_options(suite: list[str], arguments: list[str]) -> list[str]:
    """The suite, unless the arguments name files or folders of their own."""
    named = any((ROOT / a.partition("::")[0]).exists() for a in arguments if not a.startswith("-"))
    return [*PYTEST, *([] if named else suite), *arguments]


def main(arguments: list[str]) -> int:
    command, *rest = arguments or [""]
    if command not in ("demo", "test", "stress", "check", "bench"):
        print((__doc__ or "").strip())
        return 0 if command in ("-h", "--help", "help") else 2
    venv = Venv(ROOT)
    suite = command
    if command == "test" and ON_RAY in rest:
        rest.remove(ON_RAY)
        suite = ON_RAY
        os.environ["RUSTYRAY_TEST_ON_RAY"] = "1"
    venv.ensure({"bench": "bench", ON_RAY: "ray"}.get(suite, "dev"))
    if command == "check":
        statuses = [0]
        for name, step in CHECKS.items():
            if statuses[-1] != INTERRUPTED:
                statuses.append(run_step(name, [venv.python, *step], show=False))
        return next(filter(None, statuses), 0)
    options = ["-m", "benchmarks", *rest] if command == "bench" else pytest_options(SUITES[suite], rest)
    return run_step(command, [venv.python, *options], show=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
