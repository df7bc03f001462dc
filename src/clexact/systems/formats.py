"""Which reader a file has, by the end of its name; and the way from a file to fields."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clexact.algebra.fields import VectorFields
from clexact.algebra.parse import read_text
from clexact.support.extras import needed
from clexact.systems.bionetgen import read_net
from clexact.systems.julia import read_julia
from clexact.systems.keymaera import read_kyx
from clexact.systems.network import Network
from clexact.systems.pauli import read_pauli
from clexact.systems.sbml import read_sbml

NETWORKS = (".xml", ".sbml", ".ant", ".net")
SYSTEMS = (".ode", *NETWORKS, ".jl", ".kyx", ".pauli")  # ends of names of files that hold systems


def is_system(name: str) -> bool:
    """Whether the name is one of a file with a system."""
    return Path(name).suffix.lower() in SYSTEMS


def load_system(path: str | Path, parameters: Sequence[str] = (), *, structural: bool = False) -> VectorFields:
    r"""Read a system from a file of any format: .ode, SBML, Antimony, BioNetGen's .net, Julia's or KeYmaera X's text.

    Parameters
    ----------
    path : str or Path
        The file: ``.ode``; ``.xml`` or ``.sbml``; ``.ant``; ``.net``; ``.jl`` (Catalyst's ``@reaction_network``,
        ``@ODEmodel`` or ModelingToolkit's equations); ``.kyx``; ``.pauli``, a sum of Pauli words a line.
    parameters : sequence of str
        Names that are parameters, whatever values they have: laws have coefficients in Q(parameters).
    structural : bool
        Of a reaction network: a field for each reaction, so that laws hold for all rates.

    Returns
    -------
    VectorFields
        The fields; ``notes`` says what was done and what was left out.

    Raises
    ------
    ValueError
        For what cannot be read, with the file.
    OSError
        If the file cannot be opened.
    ImportError
        For Antimony without the extra ``systems``.

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "enzyme.jl")
    ...     with open(path, "w") as file:
    ...         _ = file.write("@reaction_network begin\n (k1, k2), S + E <--> C\n k3, C --> P + E\nend")
    ...     print(load_system(path, structural=True))
    VectorFields(2 fields on Q^4: [1, 1, -1, 0]; [0, 1, -1, 1])
    """
    return parse_text(read_text(path), str(path), tuple(parameters), structural)


def parse_text(text: str, file: str, parameters: tuple[str, ...] = (), structural: bool = False) -> VectorFields:
    """The fields of a text, of the format that the name of its file says; ValueError with the file."""
    suffix = Path(file).suffix.lower()
    if suffix not in SYSTEMS or suffix == ".ode":
        if structural:
            raise ValueError(f"{file}: laws for all rates are of reactions, which a text of equations does not show.")
        return VectorFields.from_ode(text, file, parameters)
    try:
        if suffix == ".kyx":
            return read_kyx(text, parameters)
        if suffix == ".pauli" and not (parameters or structural):
            return read_pauli(text)
        if suffix == ".pauli":
            raise ValueError("sums of Pauli words have no parameters and no reactions.")
        found = _network(text, suffix, parameters)
        if isinstance(found, VectorFields):
            return found
        return found.structural() if structural else found.kinetic()
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


def _network(text: str, suffix: str, parameters: tuple[str, ...]) -> Network | VectorFields:
    match suffix:
        case ".net":
            return read_net(text, parameters)
        case ".jl":
            return read_julia(text, parameters)
        case ".ant":
            return read_sbml(sbml_of_antimony(text), parameters)
        case _:
            return read_sbml(text, parameters)


def sbml_of_antimony(text: str) -> str:
    """Antimony's text as SBML, by the library of its authors; ValueError with its words."""
    library = needed("antimony", "systems")
    library.clearPreviousLoads()
    if library.loadAntimonyString(text) < 0:
        raise ValueError(" ".join(str(library.getLastError()).split()))
    return str(library.getSBMLString(library.getMainModuleName()))
