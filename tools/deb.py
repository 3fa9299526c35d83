"""
The Debian package.

``python -m tools.deb WHEELS DIRECTORY`` makes it in the directory, from a directory of
wheels. Its programs are below ``/opt/cvmpair``, where the units in ``etc`` expect them.
"""

import argparse
import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from cvmpair import __version__
from tools import manual, stage
from tools.pins import ROOT
from tools.wheels import epoch

DEBIAN: Final = ROOT / "tools/debian"
ETC: Final = ROOT / "etc"
UNITS: Final = (
    *("cvmpair.service", "cvmpair.socket"),
    *("cvmpair-context.service", "cvmpair-ready.service"),
)


def fill(root: Path, wheels: Path) -> None:
    """
    Put all files of the package where they are to be.

    :param root: stands for ``/``.
    """
    programs = root / "opt/cvmpair"
    programs.mkdir(parents=True)
    stage.programs(wheels, programs, "/usr/bin/python3")
    (root / "usr/bin").mkdir(parents=True)
    for name in ("cvmpair", "cvmpair-agent"):
        (root / "usr/bin" / name).symlink_to(f"../../opt/cvmpair/bin/{name}")

    units = root / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    for name in UNITS:
        shutil.copy(ETC / "systemd" / name, units)
    drop_ins = units / "cvmpair.service.d"
    drop_ins.mkdir()
    shutil.copy(DEBIAN / "user.conf", drop_ins)
    defaults = root / "etc/default"
    defaults.mkdir(parents=True)
    for name in ("cvmpair", "cvmpair-agent"):
        shutil.copy(ETC / f"examples/{name}.default", defaults / name)

    documents = root / "usr/share/doc/cvmpair"
    documents.mkdir(parents=True)
    shutil.copy(DEBIAN / "copyright", documents)
    shutil.copy(ROOT / "README.md", documents)
    shutil.copytree(ETC, documents / "examples")
    manual.write(root / "usr/share/man")
    for page in (root / "usr/share/man").rglob("*.[18]"):
        page.with_name(f"{page.name}.gz").write_bytes(
            gzip.compress(page.read_bytes(), mtime=0)
        )
        page.unlink()


def md5(path: Path) -> str:
    """
    Return the sum by which ``dpkg --verify`` knows a file.
    """
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def control(root: Path, wheels: Path, architecture: str) -> None:
    """
    Write what dpkg is to know of it.
    """
    files = sorted(
        path for path in root.rglob("*") if path.is_file() and not path.is_symlink()
    )
    directory = root / "DEBIAN"
    directory.mkdir()
    for name in ("postinst", "prerm", "postrm"):
        shutil.copy(DEBIAN / name, directory)
    (directory / "md5sums").write_text(
        "".join(f"{md5(path)}  {path.relative_to(root)}\n" for path in files)
    )
    size = sum(path.stat().st_size for path in files)
    supported = stage.versions(wheels)
    (directory / "control").write_text(
        (DEBIAN / "control")
        .read_text()
        .format(
            version=__version__,
            architecture=architecture,
            size=size // 1024,
            first=f"3.{supported[0]}",
            after=f"3.{supported[-1] + 1}",
        )
    )
    names = [f"/{path.relative_to(root)}\n" for path in files]
    (directory / "conffiles").write_text(
        "".join(name for name in names if name.startswith("/etc/"))
    )


def build(wheels: Path, directory: Path, compression: str = "xz") -> Path:
    """
    Make the package and return its path; equal sources and wheels give equal ones.
    """
    architecture = subprocess.run(
        ["dpkg", "--print-architecture"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()
    package = directory / f"cvmpair_{__version__}_{architecture}.deb"
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        fill(root, wheels)
        control(root, wheels, architecture)
        stage.tidy(root)
        subprocess.run(
            [
                *("dpkg-deb", "--root-owner-group", f"-Z{compression}"),
                *("--build", root, package),
            ],
            stdout=subprocess.DEVNULL,
            check=True,
            env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch())},
        )
    return package


def main() -> None:
    """
    Make the package in the directory that the command line names.
    """
    parser = argparse.ArgumentParser(prog="deb", description=__doc__)
    parser.add_argument("wheels", type=Path)
    parser.add_argument("directory", type=Path)
    options = parser.parse_args()
    print(build(options.wheels, options.directory))


if __name__ == "__main__":
    main()
