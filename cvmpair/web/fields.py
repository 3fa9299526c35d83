"""
From the fields of a body to legal names and values.

The wording of the reasons is that of the original service, which clients show.
"""

from collections.abc import Callable, Mapping
from typing import Final

from cvmpair.core.errors import InvalidFields
from cvmpair.core.names import key_name, key_value

_CHECKS: Final[Mapping[str, Callable[[str], str]]] = {
    "key": key_name,
    "value": key_value,
}


def key_fields(
    fields: Mapping[str, object], *, partial: bool = False
) -> dict[str, str]:
    """
    Return the fields of a key, checked and trimmed; others are ignored.

    :param partial: whether a field may be missing.

    :raises InvalidFields: with all that is wrong.
    """
    legal: dict[str, str] = {}
    errors: dict[str, list[str]] = {}
    for name, check in _CHECKS.items():
        if name not in fields:
            if not partial:
                errors[name] = ["This field is required."]
            continue
        try:
            legal[name] = check(_text(fields[name]))
        except ValueError as error:
            errors[name] = [str(error)]
    if errors:
        raise InvalidFields(errors)
    return legal


def _text(value: object) -> str:
    if value is None:
        raise ValueError("This field may not be null.")
    if isinstance(value, str):
        return value
    raise ValueError("Not a valid string.")
