"""
The context file that the command line names.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from attrs import frozen

from cvmpair_agent.errors import ContextWrong
from cvmpair_agent.userdata.files import read_regular
from cvmpair_agent.userdata.source import Kind, SourceUnusable, UserData


@frozen(kw_only=True)
class ContextFile:
    """
    The only source that has to be there, as somebody asked for it.

    :ivar path: where it is; whoever makes this has put the root before it.
    """

    path: Path

    name: ClassVar[str] = "context-file"
    kind: ClassVar[Kind] = Kind.FILE

    async def look(self) -> Sequence[UserData]:
        """
        Return the file.

        :raises ContextWrong: if it is not there or cannot be read.
        """
        try:
            # It may be a link, unlike what others put somewhere.
            data = read_regular(self.path.resolve(), guarded=False)
        except (SourceUnusable, OSError, RuntimeError, ValueError) as error:
            # RuntimeError: a circle of links, in Python before 3.13.
            raise ContextWrong(f"--context-file {self.path}: {error}") from error
        if data is None:
            raise ContextWrong(f"--context-file {self.path}: there is no such file")
        return [UserData(source=self.name, place=str(self.path), data=data)]
