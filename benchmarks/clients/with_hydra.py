"""A sweep of hydra's with its launcher for Ray, on RustyRay: each job runs as a task, with its own configuration."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import rustyray.compat

rustyray.compat.install()

import hydra  # noqa: E402
from omegaconf import DictConfig  # noqa: E402

FACTORS = (1, 2, 3)


@hydra.main(version_base=None)  # type: ignore[untyped-decorator] # it has no types
def job(config: DictConfig) -> None:
    Path(config.folder, f"{config.factor}.txt").write_text(f"{config.factor * 2} {os.getpid()}")


def main() -> None:
    folder = Path("results").resolve()
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    values = ",".join(map(str, FACTORS))
    sys.argv[1:] = ["-m", "hydra/launcher=ray", f"+folder={folder}", f"+factor={values}", "++hydra.sweep.dir=sweep"]
    job()
    rustyray.shutdown()
    found = {int(file.stem): file.read_text().split() for file in folder.iterdir()}
    right = [factor for factor in FACTORS if found.get(factor, ("",))[0] == str(factor * 2)]
    elsewhere = {pid for _, pid in found.values()} - {str(os.getpid())}
    print(f"hydra-ray-launcher: {len(right)} of {len(FACTORS)} jobs right, in {len(elsewhere)} workers")
    sys.exit(right != list(FACTORS) or not elsewhere)


if __name__ == "__main__":
    main()
