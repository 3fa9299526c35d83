"""
A context as its target takes it, or the reason why it would not.
"""

import shlex

from attrs import field, frozen

from cvmpair.contexts.encodings import Files, base64_size, compress
from cvmpair.contexts.formats import FORMATS, Format, Limit
from cvmpair.contexts.merging import Context
from cvmpair_agent.errors import ContextWrong


@frozen(kw_only=True)
class Rendering:
    """
    A context as a target takes it.

    :ivar body: one file, or the files of a directory.
    :ivar size: of the context, in bytes, as the machine will find it.
    :ivar encoded_size: the same in base64.
    :ivar warnings: in words for people; nothing secret is in them.
    """

    body: bytes | Files = field(repr=False)
    size: int
    encoded_size: int
    limit: Limit | None
    warnings: tuple[str, ...]

    def sizes(self) -> str:
        """
        Return the sizes in words.
        """
        sizes = f"{self.size} bytes, {self.encoded_size} in base64"
        if self.limit is None:
            return sizes
        return f"{sizes}; at most {self.limit.size} {self.limit.unit} are taken"


def render(name: str, context: Context, *, compressed: bool = False) -> Rendering:
    """
    Encode a context for a target.

    :param name: of :data:`~cvmpair.contexts.formats.FORMATS`.
    :param compressed: compress it first.
    :raises ContextWrong: if the target would refuse it.
    """
    target = FORMATS[name]
    if compressed and not target.takes_gzip:
        raise ContextWrong(f"--gzip does not work with --format {name}.")
    data = context.data
    sent = compress(data) if compressed or target.always_gzip else data
    limit = target.limit
    if limit is not None and limit.measure(sent) > limit.size:
        raise ContextWrong(
            f"The context has {limit.measure(sent)} {limit.unit}, and {name} takes at "
            f"most {limit.size}{_way_out(target, limit, data, compressed=compressed)}."
        )
    warnings = context.warnings
    if target.caution is not None and base64_size(sent) > target.caution[0]:
        warnings += (target.caution[1],)
    return Rendering(
        body=target.encode(sent),
        size=len(sent),
        encoded_size=base64_size(sent),
        limit=limit,
        warnings=warnings,
    )


def _way_out(target: Format, limit: Limit, data: bytes, *, compressed: bool) -> str:
    if compressed or not target.takes_gzip:
        return ""
    size = limit.measure(compress(data))
    fits = "" if size <= limit.size else ", which is still too large"
    return f"; with --gzip it has {size}{fits}"


def command_line(name: str, file: str, *, compressed: bool = False) -> str | None:
    """
    Return the command for a person to go on with, or None if there is none.

    :param file: the path of what was written.
    :raises ContextWrong: if the command could not take a file of that name.
    """
    target = FORMATS[name]
    command = target.compressed_command if compressed else None
    command = command or target.command
    if command is None:
        return None
    if target.no_comma and "," in file:
        raise ContextWrong(
            f"The command of {name} takes no file with a comma in its name."
        )
    return command.replace("{file}", shlex.quote(file))
