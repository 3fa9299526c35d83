"""
A state as lines of JSON, for a backup, for another machine, or for ``jq``.

The first line is about the whole, then comes one for each record, in the order of
their PINs, and the last one closes it. Each ends with the CRC-32 of what precedes that
in its line, so that damage has a place; the last has the SHA-256 of all lines before
it, so that none of them is missing or new.

The records are spelled as they are kept (see :mod:`cvmpair.core.packing`), and are
taken over as they are.
"""

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from itertools import chain, islice
from typing import Any, BinaryIO, Final, NoReturn, Protocol
from zlib import crc32

from attrs import asdict, define, field, fields

from cvmpair.core.codec import FORMAT, check_record, checksum, decode_record
from cvmpair.core.packing import Packed
from cvmpair.core.pseudonym import KEY_BYTES
from cvmpair.core.timeline import FARTHEST
from cvmpair.snapshots.errors import ExportDamaged, ExportForeign
from cvmpair.snapshots.summary import LAST_VERSION, MODULUS, Summary

EXPORT: Final = 1
"""The version of the lines; that of the records is :data:`.codec.FORMAT`."""

LONGEST_LINE: Final = 2**30
"""In bytes; the largest cluster that any limits allow has fewer."""

_sealed: Final = re.compile(rb'(\{.*),"crc32":([0-9]{1,10})\}\n', re.DOTALL).fullmatch
_record: Final = re.compile(
    r'\{"pin":"([a-z0-9]{12})","record":(.*)', re.DOTALL
).fullmatch


class Reader(Protocol):
    """
    What a state is read with, wherever it is.
    """

    @property
    def summary(self) -> Summary:
        """
        What is true of the whole; there once :meth:`read` has yielded or ended.
        """

    def read(self) -> Iterator[tuple[str, Packed]]:
        """
        Yield every record; all of them are good once this has come to its end.
        """


def export_lines(reader: Reader) -> Iterator[bytes]:
    """
    Yield a state line by line.
    """
    records = reader.read()
    # The summary is there from then on.
    first = list(islice(records, 1))
    digest = sha256()
    for body in chain(
        [_header(reader.summary)],
        (f'{{"pin":"{pin}","record":{text}' for pin, text in chain(first, records)),
    ):
        line = _seal(body)
        digest.update(line)
        yield line
    end = {"end": True, "clusters": reader.summary.clusters}
    yield _seal(_body(end | {"sha256": digest.hexdigest()}))


def _header(summary: Summary) -> str:
    members = {"cvmpair": "snapshot", "export": EXPORT, "format": FORMAT}
    members |= asdict(summary) | {"pseudonym_key": summary.pseudonym_key.hex()}
    return _body(members)


def _body(members: dict[str, Any]) -> str:
    return json.dumps(members, separators=(",", ":"))[:-1]


def _seal(body: str) -> bytes:
    data = body.encode()
    return b'%b,"crc32":%d}\n' % (data, crc32(data))


@define(eq=False)
class ExportReader:
    """
    Reads one export once.

    :ivar name: what to call it.
    :ivar summary: is there once :meth:`read` has yielded or ended.
    """

    name: str
    file: BinaryIO = field(repr=False)
    summary: Summary = field(init=False)
    _number: int = field(init=False, default=0)

    def read(self) -> Iterator[tuple[str, Packed]]:
        """
        Check the export and yield every record in it.

        :raises ExportDamaged: if anything in it is not as it was written.
        :raises ExportForeign: if it is no export, or one of a later release.
        :raises OSError: if it cannot be read.
        """
        digest = sha256()
        self.summary = self._read_header(line := self._line())
        count = total = 0
        last = ""
        while True:
            digest.update(line)
            line = self._line()
            found = _record(self._body(line))
            if found is None:
                break
            pin, text = found.groups()
            if pin <= last:
                self._refuse("its PIN is not in order")
            yield pin, self._check(text)
            count, total, last = count + 1, total + checksum(pin, text), pin
        if (count, total % MODULUS) != (self.summary.clusters, self.summary.checksum):
            self._refuse(f"{count} of {self.summary.clusters} clusters precede it")
        end = self._members(line)
        if end != {"end": True, "clusters": count, "sha256": digest.hexdigest()}:
            self._refuse("it does not close what precedes it")
        if self.file.read(1):
            self._number += 1
            self._refuse("it comes after the end")

    def _line(self) -> bytes:
        self._number += 1
        line = self.file.readline(LONGEST_LINE)
        if not line:
            self._refuse("it is missing, the file was cut off")
        return line

    def _body(self, line: bytes) -> str:
        sealed = _sealed(line)
        if sealed is None:
            self._refuse("it is not whole")
        if crc32(sealed[1]) != int(sealed[2]):
            self._refuse("it does not fit its checksum")
        try:
            return sealed[1].decode()
        except UnicodeDecodeError:
            self._refuse("it is no UTF-8")

    def _members(self, line: bytes) -> dict[str, Any]:
        try:
            members = json.loads(f"{self._body(line)}}}")
        except (ValueError, RecursionError):
            members = None
        if not isinstance(members, dict):
            self._refuse("it is no JSON object")
        return members

    def _check(self, text: str) -> Packed:
        try:
            record = decode_record(text)
            check_record(record)
        except ValueError as error:
            self._refuse(f"it is {error}")
        return record

    def _read_header(self, line: bytes) -> Summary:
        if not line.startswith(b'{"cvmpair":"snapshot",'):
            raise ExportForeign(
                f"the file {self.name} is no export of cvmpair",
                "name a file that 'cvmpair snapshot export' has written",
            )
        members = self._members(line)
        for name, known in ("export", EXPORT), ("format", FORMAT):
            version = members.get(name)
            if type(version) is not int or version < 1:
                self._refuse(f"it does not say its {name}")
            if version > known:
                raise ExportForeign(
                    f"the export {self.name} has {name} {version}, and this release "
                    f"knows no later one than {known}",
                    "use the release that wrote it, or a later one",
                )
        return self._summary(members)

    def _summary(self, members: dict[str, Any]) -> Summary:
        values = {one.name: members.get(one.name) for one in fields(Summary)}
        key = values["pseudonym_key"]
        if not re.fullmatch(rf"[0-9a-f]{{{2 * KEY_BYTES}}}", str(key)):
            self._refuse("its pseudonym_key is wrong")
        values["pseudonym_key"] = bytes.fromhex(str(key))
        for one in fields(Summary):
            value = values[one.name]
            if type(value) is not one.type or not _is_possible(value):
                self._refuse(f"its {one.name} is wrong")
        return Summary(**values)  # type: ignore[arg-type]

    def _refuse(self, reason: str) -> NoReturn:
        raise ExportDamaged(self.name, self._number, reason) from None


def _is_possible(value: object) -> bool:
    if isinstance(value, float):
        # It is not so of what is no number.
        return abs(value) <= FARTHEST
    return not isinstance(value, int) or 0 <= value <= LAST_VERSION
