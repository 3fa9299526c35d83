"""
The targets of a context: each cloud, and each of its tools, with its limits.
"""

from collections.abc import Callable, Mapping
from typing import Final

from attrs import frozen

from cvmpair.contexts import encodings
from cvmpair.contexts.encodings import Files


@frozen(kw_only=True)
class Limit:
    """
    The most that a target takes.

    :ivar measure: what it counts.
    """

    size: int
    measure: Callable[[bytes], int]
    unit: str


def _bytes(size: int) -> Limit:
    return Limit(size=size, measure=len, unit="bytes")


def _in_base64(size: int) -> Limit:
    return Limit(size=size, measure=encodings.base64_size, unit="bytes of base64")


@frozen(kw_only=True)
class Format:
    """
    One way to hand over a context.

    :ivar about: what is written, for the help.
    :ivar encode: makes one file, or the files of a directory.
    :ivar command: how to hand it over; ``{file}`` stands for where it is.
    :ivar compressed_command: likewise, if it is another one for gzip.
    :ivar plain: whether a text stays a text, come what may.
    :ivar mime: whether it is always a MIME message.
    :ivar takes_gzip: whether the target understands it.
    :ivar no_comma: whether the command would split the name of the file at one.
    :ivar caution: the size in base64 above which something may go wrong, and what.
    """

    about: str
    encode: Callable[[bytes], bytes | Files] = encodings.as_it_is
    limit: Limit | None = None
    command: str | None = None
    compressed_command: str | None = None
    plain: bool = False
    mime: bool = False
    always_gzip: bool = False
    takes_gzip: bool = True
    no_comma: bool = False
    caution: tuple[int, str] | None = None

    @property
    def is_directory(self) -> bool:
        """
        Whether it is a directory of several files.
        """
        return self.encode is encodings.nocloud


FORMATS: Final[Mapping[str, Format]] = {
    "raw": Format(about="the text itself", plain=True),
    "mime": Format(about="a MIME message of several parts", mime=True),
    "gzip": Format(about="compressed", always_gzip=True),
    "base64": Format(about="in base64, one line", encode=encodings.base64),
    "openstack": Format(
        about="a file for openstack server create",
        limit=_in_base64(65535),
        command="openstack server create --user-data {file} --image IMAGE "
        "--flavor FLAVOR NAME",
    ),
    "ec2": Format(
        about="a file for aws ec2 run-instances",
        limit=_bytes(16384),
        command="aws ec2 run-instances --user-data file://{file} --image-id IMAGE "
        "--instance-type TYPE",
        compressed_command="aws ec2 run-instances --user-data fileb://{file} "
        "--image-id IMAGE --instance-type TYPE",
    ),
    "occi": Format(
        about="header lines of an OCCI request",
        encode=encodings.occi,
        # rOCCI-server; others may take more, none is known to take less.
        limit=_in_base64(16384),
        command="curl --header @{file} --header 'Content-Type: text/occi' "
        "--request POST OCCI_URL/compute/",
    ),
    "occi-cli": Format(
        about="a file for the occi command",
        limit=_in_base64(16384),
        command="occi --endpoint OCCI_URL --action create --resource compute "
        "--mixin os_tpl#IMAGE --mixin resource_tpl#FLAVOR "
        "--attribute occi.core.title=NAME --context user_data=file://{file}",
        no_comma=True,
    ),
    "cimi": Format(
        about="the JSON body of a CIMI request; put in your machineImage and "
        "machineConfig",
        encode=encodings.cimi,
        command="curl --header @TOKEN_FILE --header 'Content-Type: application/json' "
        "--header 'Accept: application/json' --data @{file} "
        "CIMI_URL/machineCollection",
    ),
    "opennebula": Format(
        about="the CONTEXT section of a template",
        encode=encodings.opennebula,
        command="onetemplate update TEMPLATE --append {file}    # it takes the place "
        "of the template's CONTEXT: add what else that has, such as NETWORK, to it",
    ),
    "context-sh": Format(
        about="the context.sh of a context disk",
        encode=encodings.context_sh,
        command="genisoimage -output context.iso -volid CONTEXT -rock -joliet "
        "-graft-points context.sh={file}",
    ),
    "nocloud": Format(
        about="a directory with the files of cloud-init's NoCloud disk",
        encode=encodings.nocloud,
        command="genisoimage -output cidata.iso -volid cidata -rock -joliet {file}",
    ),
    "gce": Format(
        about="a file for gcloud compute instances create",
        encode=encodings.gce,
        limit=Limit(
            size=256 * 1024, measure=lambda data: len(encodings.gce(data)), unit="bytes"
        ),
        command="gcloud compute instances create NAME "
        "--metadata-from-file=user-data={file}",
        compressed_command="gcloud compute instances create NAME "
        "--metadata-from-file=user-data={file} --metadata=user-data-encoding=base64",
        no_comma=True,
    ),
    "azure": Format(
        about="a file for az vm create",
        limit=_bytes(65535),
        command="az vm create --custom-data {file} --image IMAGE --name NAME "
        "--resource-group GROUP",
        # az reads the file as text.
        takes_gzip=False,
    ),
    "cloudstack": Format(
        about="base64 for deployVirtualMachine",
        encode=encodings.base64,
        limit=_in_base64(32768),
        # cmk reads the file by itself: no list of processes shows what is in it.
        command="cmk deploy virtualmachine userdata=@{file} "
        "serviceofferingid=OFFERING templateid=TEMPLATE zoneid=ZONE",
        caution=(4096, "CloudStack takes it only in a POST request, not in a GET."),
    ),
}
