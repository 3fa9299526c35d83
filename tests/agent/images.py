"""
Disks as the clouds make them, by the tools that they use.
"""

import os
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

Files = Mapping[str, bytes]

SBIN = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
"""mkfs.vfat is where only root looks."""


def write_tree(directory: Path, files: Files) -> Path:
    for name, data in files.items():
        path = directory / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return directory


def make_iso(image: Path, files: Files, *options: str, label: str = "") -> Path:
    """
    Make a disc with these options of genisoimage; ``-J -R`` is the usual.
    """
    image.parent.mkdir(parents=True, exist_ok=True)
    tree = write_tree(image.parent / f"{image.name}.tree", files)
    tree.mkdir(exist_ok=True)
    command = ["genisoimage", "-quiet", "-V", label, *options, "-o", image, tree]
    subprocess.run(command, check=True, capture_output=True)
    return image


def make_vfat(
    image: Path, files: Files, *, bits: int = 16, label: str = "", kib: int = 16384
) -> Path:
    """
    Make a file system with so many bits for a cluster: 12, 16 or 32.
    """
    image.parent.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(kib * 1024)
    options = ["-F", str(bits), "-s", "1", *(["-n", label] if label else [])]
    run_with_image("mkfs.vfat", *options, str(image))
    made: set[str] = set()
    for name, data in files.items():
        for parent in reversed(Path(name).parents[:-1]):
            if str(parent) not in made:
                run_with_image("mmd", "-i", str(image), f"::{parent}")
                made.add(str(parent))
        run_with_image("mcopy", "-i", str(image), "-", f"::{name}", data=data)
    return image


def run_with_image(*command: str, data: bytes = b"") -> None:
    subprocess.run(command, check=True, capture_output=True, input=data, env=SBIN)


def bend_chains(image: Path) -> None:
    """
    Let each cluster in use of a FAT16 or FAT32 be followed by itself.
    """
    data = bytearray(image.read_bytes())
    size, _, reserved, tables = struct.unpack_from("<HBHB", data, 11)
    (sectors,) = struct.unpack_from("<H", data, 22)
    width, code = (2, "<H") if sectors else (4, "<L")
    if not sectors:
        (sectors,) = struct.unpack_from("<L", data, 36)
    for table in range(tables):
        start = (reserved + table * sectors) * size
        for cluster in range(2, sectors * size // width):
            place = start + cluster * width
            if struct.unpack_from(code, data, place)[0]:
                struct.pack_into(code, data, place, cluster)
    image.write_bytes(data)
