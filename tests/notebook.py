"""Run a notebook anew: ``python notebook.py IN OUT FOLDER`` writes it with fresh outputs; a process of its own.

The kernel is the Python that runs this, whatever kernels are installed; it works in FOLDER.
"""

import json
import sys
from pathlib import Path

import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient


def run(source, target, folder):
    """CellExecutionError for a cell that fails."""
    specs = Path(folder) / "specs"
    (specs / "here").mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (specs / "here" / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "", "language": "python"}))
    known = KernelSpecManager(kernel_dirs=[str(specs)], ensure_native_kernel=False)
    manager = AsyncKernelManager(kernel_name="here", kernel_spec_manager=known)
    notebook = nbformat.read(source, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    work = Path(folder) / "work"
    work.mkdir()
    NotebookClient(notebook, km=manager, timeout=120, resources={"metadata": {"path": str(work)}}).execute()
    nbformat.write(notebook, target)


if __name__ == "__main__":
    run(*sys.argv[1:])
