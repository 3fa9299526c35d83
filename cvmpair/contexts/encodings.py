"""
How a context is put into what a cloud takes: files, header lines, JSON, templates.
"""

import gzip
import json
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256

from cvmpair_agent.context.decoding import GZIP_MAGIC

Files = Mapping[str, bytes]
"""Files of a directory by their names."""


def base64(data: bytes) -> bytes:
    """
    Return base64 in one line: clouds take no other.
    """
    return b64encode(data)


def base64_size(data: bytes) -> int:
    """
    Return how many bytes some data have in base64.
    """
    return (len(data) + 2) // 3 * 4


def compress(data: bytes) -> bytes:
    """
    Return data in gzip: the same data are always the same bytes.
    """
    return gzip.compress(data, mtime=0)


def as_it_is(data: bytes) -> bytes:
    """
    Return the context: the tool, or a person, does the rest.
    """
    return data


def occi(data: bytes) -> bytes:
    """
    Return the header lines of an OCCI request that creates a compute resource.

    Mixin and attribute are those of the EGI Federated Cloud.
    """
    scheme = "http://schemas.openstack.org/compute/instance#"
    return (
        f'Category: user_data; scheme="{scheme}"; class="mixin"\n'
        "X-OCCI-Attribute: org.openstack.compute.user_data="
        f'"{base64(data).decode()}"\n'
    ).encode()


def cimi(data: bytes) -> bytes:
    """
    Return the body of a request to a CIMI ``machineCollection``.
    """
    template = {
        "machineImage": {"href": "MACHINE_IMAGE"},
        "machineConfig": {"href": "MACHINE_CONFIG"},
        "userData": base64(data).decode(),
    }
    return json.dumps({"machineTemplate": template}, indent=2).encode() + b"\n"


def opennebula(data: bytes) -> bytes:
    """
    Return the attributes for the ``CONTEXT`` section of a template.

    Base64 needs no escape in it.
    """
    # cloud-init reads USER_DATA and needs its encoding; CernVM reads EC2_USER_DATA.
    word = base64(data).decode()
    return (
        "CONTEXT = [\n"
        f'  EC2_USER_DATA = "{word}",\n'
        f'  USER_DATA = "{word}",\n'
        '  USERDATA_ENCODING = "base64" ]\n'
    ).encode()


def context_sh(data: bytes) -> bytes:
    """
    Return a ``context.sh``, as OpenNebula and CernVM put it on a context disk.
    """
    word = base64(data).decode()
    return (
        f"EC2_USER_DATA='{word}'\n"
        f"USER_DATA='{word}'\n"
        "USERDATA_ENCODING='base64'\n"
        "ONE_CONTEXT_PATH='/var/lib/amiconfig'\n"
    ).encode()


def nocloud(data: bytes) -> Files:
    """
    Return the files of cloud-init's NoCloud disk.
    """
    # cloud-init runs anew for a new instance id. It is seen in logs, so it has fewer
    # bits than would tell which PIN it was made of.
    instance = sha256(data).hexdigest()[:8]
    return {
        "user-data": data,
        "meta-data": f"instance-id: cvmpair-{instance}\n".encode(),
    }


def gce(data: bytes) -> bytes:
    """
    Return the value of the instance attribute ``user-data``.
    """
    # Values are text; what is not has to say so by another attribute.
    return base64(data) if data.startswith(GZIP_MAGIC) else data
