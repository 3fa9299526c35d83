"""
Packages and dependencies; build and tool settings are in pyproject.toml.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "(.+)"$', (HERE / "cvmpair/__init__.py").read_text(), re.MULTILINE
)
assert VERSION is not None
AGENT_ROOMS = [f"cvmpair_agent.{room}" for room in find_packages("agent")]

setup(
    name="cvmpair",
    version=VERSION[1],
    description="Boot any set of machines into one cluster with one short PIN.",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=[
        *find_packages(include=["cvmpair", "cvmpair.*"]),
        *["cvmpair_agent", *AGENT_ROOMS],
        "twisted.plugins",
    ],
    # A package of the name of its folder would collide with others.
    package_dir={"cvmpair_agent": "agent"},
    package_data={
        "cvmpair": ["py.typed"],
        "cvmpair_agent": ["py.typed"],
        "cvmpair.snapshots": ["schema/*.sql"],
        "cvmpair.web": ["assets/*"],
        "twisted.plugins": ["cvmpair_plugin.py"],
    },
    entry_points={
        "console_scripts": [
            "cvmpair = cvmpair.cli:main",
            "cvmpair-agent = cvmpair_agent.main:main",
        ]
    },
    install_requires=[
        # 26.4 is the first with tls: endpoints; it has the fixes of all request
        # smuggling reports up to then.
        "twisted[tls]>=26.4,<28",
        "klein>=24.8,<27",
        # Klein takes any Werkzeug, and has broken with new ones before.
        "werkzeug>=3.1,<4",
        # The agent and the command line ask with it.
        "treq>=26.7",
        "attrs>=25.1",
        "zope-interface>=8",
        # The figures of --admin-listen, as Prometheus reads them; needs nothing else.
        "prometheus-client>=0.22,<1",
        # The agent reads disks by these. Of pyfatfs only PyFat.py is imported: the rest
        # needs fs, which does not work without setuptools < 82 (pkg_resources).
        "pycdlib>=1.22,<2",
        "pyfatfs>=1.1,<2",
    ],
    extras_require={
        "bench": ["matplotlib>=3.10"],
        "test": [
            # For tests/evidence/fuzzing: it follows which lines the bytes reach.
            "atheris>=3",
            "hypothesis>=6.100",
            "mypy>=2.4,<2.5",
            "mypy-zope>=1.0.17",
            # What validates bodies by their schemas; the other brings it.
            "openapi-schema-validator>=0.9",
            "openapi-spec-validator>=0.9",
            # What reads requirements, in tools/.
            "packaging>=24",
            "playwright>=1.65",
            "pyyaml>=6",
            "pytest>=9",
            "pytest-twisted>=1.14.3",
            "pytest-xdist>=3.8",
            "ruff>=0.17",
            "schemathesis>=4.32",
            # Builds the package without the network, in tools/.
            "setuptools>=77",
            "towncrier>=26",
        ],
    },
)
