"""Forged certificates that hold a program, of models with analytic functions above all; and what is true of them.

The truth is found in floating point by PyTorch, from the document alone: its program, with true functions, moves no law
that it lists, the laws' gradients are independent, and brackets have the rank that its upper bound needs.
"""

import copy
import json
import random
import re
from functools import cache
from itertools import islice
from math import prod

import torch
from function_programs import output_of
from mutants import VALUES, changed_list, changed_object, changed_text, slots

import clexact
from clexact import models
from clexact.proofs import program_certificate
from clexact.proofs.program_certificate import ranges
from clexact.proofs.verifier import large

SAMPLES, TOLERANCE = 3, 1e-8
NUMBERS = [0, 1, -1, 2, 3, 7, 10**6, 2**40, 2**64 + 13]


@cache
def flows():
    """Models that have more laws without their functions, or as many; and polynomial ones."""
    return [
        clexact.gradient_flow(models.tanh(2, 2, 2)),
        clexact.gradient_flow(models.tanh(2, 1, 2)),
        clexact.gradient_flow(models.gelu(1, 2, 1)),
        clexact.gradient_flow(models.silu(2, 1, 1)),
        clexact.gradient_flow(models.swiglu(1, 2, 1)),
        clexact.gradient_flow(models.attention(2, 2, tokens=2)),
        clexact.gradient_flow(models.attention(2, 1, tokens=2), "cross_entropy"),
        clexact.gradient_flow(models.moe(2, 2, 1)),
        clexact.gradient_flow(models.moe(2, 2, 1, gate="sigmoid")),
        clexact.gradient_flow(models.moe(1, 2, 1), "cross_entropy"),
        clexact.gradient_flow(models.linear([2, 2, 2])),
        clexact.gradient_flow(models.relu([2, 2, 1])),
        clexact.gradient_flow(models.shared(2, 3)),  # whose laws are no polynomials: closed at random points
    ]


@cache
def bases():
    """Their certificates."""
    return [json.loads(json.dumps(program_certificate.of_count(clexact.certify(flow)))) for flow in flows()]


@cache
def lies():
    """Documents that say of a model what is true of it without its functions: explicit ones, and with a program."""
    found = []
    for base in bases():
        if not any(node[0] in large.FUNCTIONS for node in base["program"]["nodes"]):
            continue
        output = output_of(base["program"], linear=True)
        count = clexact.certify(clexact.gradient_flow(clexact.Model(base["parameters"], base["probes"], output)))
        about = {key: base[key] for key in ("model", "assumptions")}
        found.append(json.loads(clexact.certify(count.flow.fields).certificate.to_json()) | about)
        if count.lower == count.exhibited:
            found.append(json.loads(json.dumps(program_certificate.of_count(count))) | about)
        point = {j: int(x) for j, x in enumerate(count.shown.point) if x}
        place = program_certificate.ModularPoint(point, count.shown.prime)
        shown = {**place.written(), "laws": ranges(count.shown.laws), "rank": count.exhibited}
        lie = base | {"laws": [{"polynomials": [str(h) for h in count.laws.polynomials()]}], "independence": shown}
        found.append(lie | {"claim": base["claim"] | {"lower": count.exhibited}})
    return found


def mutants(count, seed):
    """(what was changed, the document)."""
    rng = random.Random(seed)
    for n in range(count):
        document = copy.deepcopy(rng.choice(lies() if n % 3 == 0 else bases()))
        said = [
            rng.choice(CHANGES)(rng, document)
            for _ in range(rng.choice([0, 1, 1, 2]) if n % 3 == 0 else rng.choice([1, 1, 2]))
        ]
        yield "; ".join(said) or "a lie", repaired(rng, document)


def repaired(rng, document):
    """Mostly with the hash and the numbers that the change asks for, so that more than those is examined."""
    try:
        if rng.random() < 0.7:
            listed = document["independence"]["laws"]
            lower = sum(last - first + 1 for first, last in listed)
            document["independence"]["rank"] = document["claim"]["lower"] = lower
            members = document["lie"]["members"]
            document["claim"]["upper"] = document["dimension"] - len(members)
            if "closure" in document:
                document["claim"]["lower"] = document["claim"]["upper"]
            depths = max(map(len, members), default=1)
            document["lie"]["ranks"] = [sum(len(m) <= k for m in members) for k in range(1, depths + 1)]
        if rng.random() < 0.85:
            document["sha256"] = large.program_hash(document)
    except (AttributeError, KeyError, TypeError, ValueError, large.NotACertificate):
        pass
    return document


def anywhere(rng, document):
    """One value, wherever it stands."""
    *path, key = rng.choice([path for path in slots(document) if path])
    place = document
    for step in path:
        place = place[step]
    value = place[key]
    if rng.random() < 0.15:
        place[key] = copy.deepcopy(rng.choice(VALUES))
    elif isinstance(value, str):
        place[key] = changed_text(rng, value) if value else "x"
    elif isinstance(value, list):
        place[key] = changed_list(rng, value)
    elif isinstance(value, dict):
        place[key] = changed_object(rng, value)
    else:
        place[key] = rng.choice([*NUMBERS, value + 1 if type(value) is int else 1])
    return f"{'.'.join(map(str, (*path, key)))[:60]} changed"


def of_another(rng, document):
    """A part of another certificate."""
    key = rng.choice(["laws", "program", "lie", "independence", "model", "claim"])
    document[key] = copy.deepcopy(rng.choice(bases())[key])
    return f"{key} of another"


def nodes_of(document):
    """The nodes of functions, as far as there are nodes."""
    program = document.get("program")
    nodes = program.get("nodes") if isinstance(program, dict) else None
    found = [n for n in nodes if isinstance(n, list) and len(n) == 4] if isinstance(nodes, list) else []
    return [n for n in found if n[0] in large.FUNCTIONS]


def without_functions(rng, document):
    """One or all of them the identity."""
    nodes = nodes_of(document)
    for node in nodes if rng.random() < 0.5 else nodes[:1]:
        node[0], node[3] = "reshape", None
    return "without functions"


def another_function(rng, document):
    """A function, or the axis of a softmax."""
    if nodes := nodes_of(document):
        node = rng.choice(nodes)
        node[0], node[3] = rng.choice([("softmax", 0), *(("function", name) for name in large.NAMES)])
    return "another function"


def another_homomorphism(rng, document):
    """Another field, base or key, or one less."""
    lie = document.get("lie")
    if isinstance(lie, dict) and isinstance(lie.get("fields"), list) and isinstance(lie.get("bases"), list):
        which = rng.choice(["fields", "bases", "key", "prime", "shorter"])
        if which == "shorter":
            lie["fields"], lie["bases"] = lie["fields"][:-1], lie["bases"][:-1]
        elif which in ("fields", "bases") and lie[which]:
            n = rng.randrange(len(lie[which]))
            lie[which][n] = rng.choice([lie[which][n] ** 2 % 1000003, lie[which][n] // 2, 3, 1, 16, *lie["fields"]])
        else:
            lie[which] = rng.choice([0, 7, "7", str(2**22 - 17)])
    return "another homomorphism"


def further_law(rng, document):
    """A law more: one of those listed times or plus something, or a parameter."""
    names = [
        f"{name}[{','.join('0' * len(shape))}]" if shape else name
        for name, shape in document.get("parameters", {"u": []}).items()
    ]
    law = rng.choice(["{}", "{}^2", "{}^2 - {}^2", "{}*{}", "2*{} + {}"])
    text = law.format(*(rng.choice(names) for _ in range(law.count("{}"))))
    if isinstance(document.get("laws"), list):
        document["laws"].append({"polynomials": [text]})
        if isinstance(document.get("independence"), dict) and isinstance(document["independence"].get("laws"), list):
            total = sum(map(size_of(document), document["laws"])) - 1
            document["independence"]["laws"] = [*document["independence"]["laws"], [total, total]]
    return f"the law {text}"


def wrong(rng, text, variables):
    """Another polynomial: a coefficient, a sign or a variable changed, a term left out or one too many."""
    terms = text.replace(" - ", " + -").split(" + ")
    n = rng.randrange(len(terms))
    match rng.randrange(4):
        case 0:
            head, sign = terms[n].removeprefix("-"), "-" * terms[n].startswith("-")
            terms[n] = sign + (f"{int(head[0]) + 1}{head[1:]}" if head[0].isdigit() else f"2*{head}")
        case 1:
            terms[n] = terms[n].removeprefix("-") if terms[n].startswith("-") else f"-{terms[n]}"
        case 2:
            factors = terms[n].split("*")
            factors[-1] = rng.choice(variables) + factors[-1].partition("^")[1] + factors[-1].partition("^")[2]
            terms[n] = "*".join(factors)
        case _:
            terms.append(f"{rng.choice(variables)}*{rng.choice(variables)}")
    return " + ".join(terms).replace("+ -", "- ")


def wrong_law(rng, document):
    """One of the polynomials listed, changed a little."""
    lists = [f["polynomials"] for f in document.get("laws", []) if isinstance(f, dict) and f.get("polynomials")]
    names = [
        f"{name}[{','.join(str(rng.randrange(n)) for n in shape)}]" if shape else name
        for name, shape in document.get("parameters", {"u": []}).items()
    ]
    if lists and all(isinstance(text, str) and text for listed in lists for text in listed):
        listed = rng.choice(lists)
        n = rng.randrange(len(listed))
        listed[n] = wrong(rng, listed[n], names)
        return f"the law {listed[n]}"
    return "no law"


def size_of(document):
    def size(family):
        ((kind, data),) = family.items() if isinstance(family, dict) and len(family) == 1 else [("", [])]
        if kind == "polynomials":
            return len(data)
        try:
            name, axis, _ = data["parts"][0]
            r = document["parameters"][name][axis]
        except (KeyError, IndexError, TypeError, ValueError):
            return 0
        return r if kind == "diagonal" else r * (r + 1) // 2

    return size


def another_family(rng, document):
    """Weights and axes of the parts of a family, or a gram family of a diagonal one."""
    families = [f for f in document.get("laws", []) if isinstance(f, dict) and list(f) in (["gram"], ["diagonal"])]
    if families:
        family = rng.choice(families)
        ((kind, data),) = family.items()
        if rng.random() < 0.3:
            del family[kind]
            family["gram" if kind == "diagonal" else "diagonal"] = data
        else:
            part = rng.choice(data["parts"])
            part[rng.choice([1, 2])] = rng.choice([-2, -1, 0, 1, 2])
    return "another family"


def another_model(rng, document):
    """What is said to be certified."""
    model = document.get("model")
    if isinstance(model, dict) and len(model) > 1:
        key = rng.choice(list(model))
        model[key] = (
            model[key] + 1 if type(model[key]) is int else rng.choice([model[key], "tanh", "gelu", [2, 2, 2], "full"])
        )
    return "another model"


def another_closure(rng, document):
    """Closed, or so is said, by one field or at random points, with a member less or not."""
    document.pop("closure", None)
    kind = rng.choice(["", large.ONE_FIELD, large.RANDOM_POINTS])
    for _ in range(rng.choice([0, 1, 1, 2])):
        if members := document["lie"]["members"]:
            members.pop(rng.randrange(len(members)))
    if kind:
        document["closure"] = kind
    document["claim"]["lower_evidence"] = large.CLOSED if kind == large.RANDOM_POINTS else "proved"
    return f"closure {kind or 'left out'}, {len(document['lie']['members'])} members"


CHANGES = [
    another_closure,
    anywhere,
    anywhere,
    of_another,
    without_functions,
    another_function,
    another_homomorphism,
    further_law,
    wrong_law,
    another_family,
    another_model,
]


# --- the truth -------------------------------------------------------------------------------------------------------

STARTS, TRIES = 8, 30  # of points, and of fields for each that is wanted
FUNCTIONS = {
    "exp": torch.exp, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "reciprocal": torch.reciprocal,
    "rsqrt": torch.rsqrt, "normal_cdf": torch.special.ndtr, "softplus": torch.nn.functional.softplus,
    "log": torch.log, "sin": torch.sin, "cos": torch.cos,
}  # fmt: skip


def run(program, leaves):
    """The output of a program of a document."""
    values = []
    for op, inputs, shape, data in program["nodes"]:
        a = values[inputs[0]] if inputs else None
        match op:
            case "parameter" | "probe":
                values.append(leaves[data])
            case "constant":
                flat = torch.zeros(prod(shape), dtype=torch.float64)
                for i, c in zip(data[::2], data[1::2], strict=True):
                    top, _, bottom = c.partition("/")
                    flat[i] = int(top) / int(bottom or 1)
                values.append(flat.reshape(shape))
            case "add":
                values.append(a + values[inputs[1]])
            case "multiply":
                values.append(a * values[inputs[1]])
            case "matmul":
                values.append(a @ values[inputs[1]])
            case "transpose":
                values.append(a.permute(data))
            case "reshape":
                values.append(a.reshape(shape))
            case "take":
                values.append(a.reshape(-1)[torch.tensor(data, dtype=torch.int64)].reshape(shape))
            case "concatenate":
                values.append(torch.cat([values[i] for i in inputs], data))
            case "sum":
                values.append(a.sum(data))
            case "softmax":
                values.append(torch.softmax(a, data))
            case "function" if data in FUNCTIONS:
                values.append(FUNCTIONS[data](a))
            case _:  # any other function that a forger names: one without symmetries
                values.append(torch.sin(a + 0.7) + a * a)
    return values[program["output"]]


def split(flat, shapes):
    """{name: array} of a flat vector."""
    out, first = {}, 0
    for name, shape in shapes.items():
        out[name] = flat[first : first + prod(shape)].reshape(shape)
        first += prod(shape)
    return out


def field(document, generator):
    """A random member: theta -> gradient of <C, output>."""
    probes = {n: torch.randn(s, dtype=torch.float64, generator=generator) for n, s in document["probes"].items()}

    def output(theta):
        return run(document["program"], split(theta, document["parameters"]) | probes)

    theta = torch.randn(document["dimension"], dtype=torch.float64, generator=generator)
    C = torch.randn(output(theta).shape, dtype=torch.float64, generator=generator)
    return torch.func.grad(lambda theta: (C * output(theta)).sum())


def bracket(X, Y):
    return lambda theta: torch.func.jvp(X, (theta,), (Y(theta),))[1] - torch.func.jvp(Y, (theta,), (X(theta),))[1]


def rank(rows):
    """Numerical rank of rows, each scaled to length 1."""
    if not len(rows):
        return 0
    lengths = rows.norm(dim=1, keepdim=True)
    singular = torch.linalg.svdvals(rows[lengths[:, 0] > 1e-12] / lengths[lengths[:, 0] > 1e-12])
    return int((singular > TOLERANCE * singular.max()).sum()) if len(singular) else 0


@cache
def reached(text):
    """Rank of many brackets, of depth 2 at most, of a program, at a random point; ``text``: of the document."""
    document = json.loads(text)
    generator = torch.Generator().manual_seed(7)
    draw = lambda: field(document, generator)  # noqa: E731
    starts = torch.randn((STARTS, document["dimension"]), dtype=torch.float64, generator=generator)
    theta = max(starts, key=lambda start: sum(bool(draw()(start).isfinite().all()) for _ in range(4)))
    count = document["dimension"] + 2
    rows = defined(draw, theta, count)
    for nest in (lambda: bracket(draw(), draw()), lambda: bracket(draw(), bracket(draw(), draw()))):
        if rank(rows) < document["dimension"]:
            rows = torch.cat([rows, defined(nest, theta, count)])
    return rank(rows)


def defined(draw, theta, count):
    """The values of so many drawn fields that are defined at the point: roots and logarithms are so in places only."""
    values = (draw()(theta) for _ in range(TRIES * count))
    found = list(islice((value for value in values if value.isfinite().all()), count))
    return torch.stack(found) if found else torch.zeros((0, len(theta)), dtype=torch.float64)


def _about(document):
    """What decides the rank of its brackets, as text."""
    return json.dumps({part: document[part] for part in ("dimension", "parameters", "probes", "program")})


def law_values(document, theta):
    """All laws of a document at a point, by their definitions."""
    arrays, out = split(theta, document["parameters"]), []
    for family in document["laws"]:
        ((kind, data),) = family.items()
        if kind == "polynomials":
            out += [polynomial(text, arrays) for text in data]
            continue
        gram = 0
        for name, axis, sign in data["parts"]:
            rows = arrays[name].movedim(axis, 0).reshape(arrays[name].shape[axis], -1)
            gram = gram + sign * rows @ rows.T
        r = len(gram)
        out += [gram[k, m] for k in range(r) for m in range(k, r) if kind == "gram" or k == m]
    return torch.stack(out) if out else torch.zeros(0, dtype=torch.float64)


def polynomial(text, arrays):
    """The value of a polynomial written as text."""
    total = torch.zeros((), dtype=torch.float64)
    for sign, term in re.findall(r"([+-]?)([^+-]+)", text.replace(" ", "")):
        value = torch.tensor(-1.0 if sign == "-" else 1.0, dtype=torch.float64)
        for factor in term.split("*"):
            if factor[0].isdigit():
                top, _, bottom = factor.partition("/")
                value = value * (int(top) / int(bottom or 1))
                continue
            base, _, power = factor.partition("^")
            name, _, index = base.partition("[")
            place = tuple(int(i) for i in index.rstrip("]").split(",")) if index else ()
            value = value * arrays[name][place] ** int(power or 1)
        total = total + value
    return total


def is_true(document):
    """Whether what is claimed of the program holds."""
    generator = torch.Generator().manual_seed(3)
    chosen = [n for first, last in document["independence"]["laws"] for n in range(first, last + 1)]
    for sample in range(SAMPLES):
        theta = torch.randn(document["dimension"], dtype=torch.float64, generator=generator)
        jacobian = torch.func.jacrev(lambda theta: law_values(document, theta))(theta)
        for X in defined(lambda: field(document, generator), theta, 1) if len(jacobian) else ():
            sizes = (jacobian.abs() @ X.abs()).clamp(min=1e-30)
            if (abs(jacobian @ X) > TOLERANCE * sizes).any():
                return False
        if not sample and rank(jacobian[chosen]) < len(chosen):
            return False
    lower, left = document["claim"]["lower"], document["dimension"] - reached(_about(document))
    return lower == (left if "closure" in document else len(chosen)) and left <= document["claim"]["upper"]
