"""
From the fields of a body to legal names and values.

The wording of the reasons is that of the original service, which clients show. A key
is taken with other fields beside its own, which the original ignores. What has no
counterpart there is stricter: whoever asks for protection or a short life in the wrong
way must not get a cluster without, or a token that lives long.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from cvmpair.core.errors import InvalidFields
from cvmpair.core.model import Scope
from cvmpair.core.names import key_name, key_value
from cvmpair.core.tokens import SCOPES
from cvmpair.web.errors import ProtectionRequired

_CHECKS: Final[Mapping[str, Callable[[str], str]]] = {
    "key": key_name,
    "value": key_value,
}

_ONLY_PROTECTED: Final = (
    "The only field here is protected. Send the form protected=true, or "
    '{"protected": true} with the header Content-Type: application/json.'
)

_ONLY_KEY: Final = "What can be changed is key and value, and it has neither."
_ONLY_SCOPE: Final = "The only fields here are scope and lifetime."

# To JSON Schema 60.0 is whole.
_SECONDS: Final = re.compile(r"[1-9][0-9]{0,11}(?:\.0+)?")


def key_fields(
    fields: Mapping[str, object], *, partial: bool = False
) -> dict[str, str]:
    """
    Return the fields of a key, checked and trimmed.

    :param partial: whether a field may be missing; all of them only if there is no
        other.

    :raises InvalidFields: with all that is wrong.
    """
    if partial and fields and not fields.keys() & _CHECKS.keys():
        # It would be a success that changed nothing.
        raise InvalidFields({"non_field_errors": [_ONLY_KEY]})
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


def protected_field(fields: Mapping[str, object], *, required: bool) -> bool:
    """
    Return whether a new cluster is to be protected.

    :param required: whether every one is; it is also what holds if nothing is said.

    :raises InvalidFields: if that is not said with ``true`` or ``false``, or if there
        is another field.
    :raises ProtectionRequired: if it is said that this one is not.
    """
    if fields.keys() - {"protected"}:
        # Also JSON that was sent as a form: it is the name of a field then.
        raise InvalidFields({"non_field_errors": [_ONLY_PROTECTED]})
    if "protected" not in fields:
        return required
    wanted = fields["protected"]
    # A form has words only.
    if wanted in (False, "false"):
        if required:
            raise ProtectionRequired
        return False
    if wanted in (True, "true"):
        return True
    raise InvalidFields({"protected": ["Must be a valid boolean: true or false."]})


def token_fields(fields: Mapping[str, object]) -> tuple[Scope, float | None]:
    """
    Return the scope of a new token, and its lifetime in seconds if that is given.

    :raises InvalidFields: with all that is wrong.
    """
    errors: dict[str, list[str]] = {}
    if fields.keys() - {"scope", "lifetime"}:
        # Their names are not repeated: they may be anything.
        errors["non_field_errors"] = [_ONLY_SCOPE]
    scopes = [scope for scope in SCOPES if scope == fields.get("scope")]
    if "scope" not in fields:
        errors["scope"] = ["This field is required."]
    elif not scopes:
        errors["scope"] = ["Must be read, write or admin."]
    # A number of a JSON body is text by now.
    lifetime = fields.get("lifetime", "1")
    if not isinstance(lifetime, str) or not _SECONDS.fullmatch(lifetime):
        errors["lifetime"] = ["Must be a whole number of seconds, 1 or more."]
    if errors:
        raise InvalidFields(errors)
    return scopes[0], float(str(lifetime)) if "lifetime" in fields else None


def _text(value: object) -> str:
    if value is None:
        raise ValueError("This field may not be null.")
    if isinstance(value, str):
        return value
    raise ValueError("Not a valid string.")
