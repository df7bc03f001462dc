"""Systems in the formats that other programs write: SBML, Antimony, BioNetGen, Julia, KeYmaera X, Pauli words."""
