"""Build the Cython kernels; everything else stands in pyproject.toml.

``CLEXACT_DEBUG=1 pip install .`` builds them with bounds checks on, ``CLEXACT_PORTABLE=1`` without what not all
compilers have: integers of 128 bits, loops for AVX2.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

DEBUG, PORTABLE = (os.environ.get(f"CLEXACT_{word}", "0") not in ("", "0") for word in ("DEBUG", "PORTABLE"))
HERE = Path(__file__).parent
SOURCES = sorted(HERE.glob("src/clexact/_kernels/*.pyx"))
HEADERS = [
    path.relative_to(HERE).as_posix() for kind in ("h", "pxd") for path in HERE.glob(f"src/clexact/_kernels/*.{kind}")
]


class BuildKernels(build_ext):
    """With the words of the compiler at hand for the same: optimized, and nothing for a debugger."""

    def build_extensions(self) -> None:
        """Set the options, then compile."""
        msvc = self.compiler.compiler_type == "msvc"
        fast, debug = (["/O2", "/std:c11"], ["/Od", "/std:c11"]) if msvc else (["-O3", "-g0"], ["-O1", "-g"])
        for extension in self.extensions:
            extension.extra_compile_args = debug if DEBUG else fast
        super().build_extensions()


setup(
    cmdclass={"build_ext": BuildKernels},
    ext_modules=cythonize(
        [
            Extension(
                f"clexact._kernels.{source.stem}",
                [source.relative_to(HERE).as_posix()],
                include_dirs=["src/clexact/_kernels"],
                depends=HEADERS,
                define_macros=[("CLEXACT_PORTABLE", "1")] if PORTABLE else [],
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
    ),
)
