"""Build the Cython kernels; everything else stands in pyproject.toml.

``CLEXACT_DEBUG=1 pip install .`` builds them with bounds checks on.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("CLEXACT_DEBUG", "0") not in ("", "0")
HERE = Path(__file__).parent
SOURCES = sorted(HERE.glob("src/clexact/_kernels/*.pyx"))
HEADERS = [
    path.relative_to(HERE).as_posix() for kind in ("h", "pxd") for path in HERE.glob(f"src/clexact/_kernels/*.{kind}")
]

setup(
    ext_modules=cythonize(
        [
            Extension(
                f"clexact._kernels.{source.stem}",
                [source.relative_to(HERE).as_posix()],
                include_dirs=["src/clexact/_kernels"],
                depends=HEADERS,
                extra_compile_args=["-O1", "-g"] if DEBUG else ["-O3"],
            )
            for source in SOURCES
        ],
        compiler_directives={
            "language_level": "3",
            "boundscheck": DEBUG,
            "wraparound": False,
            "initializedcheck": False,
            "cdivision": True,
        },
    )
)
