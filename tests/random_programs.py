"""Random programs of the model API, as the text a user would write: every operation, with shapes that fit.

A statement is drawn freely and kept if NumPy can run it on zeros: so shapes need no rules of their own. What is known
of each value besides is its degree, and whether it is surely positive: reciprocals are taken of such.
"""

import random
import re
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count, permutations
from math import prod

import numpy as np

SHAPES = [(), (1,), (2,), (2,), (3,), (1, 2), (2, 1), (2, 2), (2, 2), (2, 3), (3, 2), (1, 2, 2), (2, 1, 2), (2, 2, 2)]
PROBE_SHAPES = [(), (), (2,), (2,), (3,), (1, 2), (2, 2), (3, 2), (2, 1, 2)]
MOST_PARAMETERS, MOST_PROBES, MOST_ENTRIES = 14, 9, 16
SIGNED, POSITIVE = ("tanh", "silu", "gelu"), ("exp", "sigmoid")  # functions
CONSTANTS = ["2", "-1", "3", "F(1, 2)", "F(-2, 3)", "0"]


@dataclass(frozen=True)
class Value:
    """A variable of the program."""

    name: str
    shape: tuple[int, ...]
    degree: int
    positive: bool
    varies: bool  # whether it depends on the probes


@dataclass(frozen=True)
class Case:
    """A program with all that ``certify`` is asked about it."""

    seed: int
    parameters: dict[str, tuple[int, ...]]
    probes: dict[str, tuple[int, ...]]
    lines: tuple[tuple[str, str], ...]  # (variable, expression), in order
    result: str
    loss: object = "full"
    flow: dict[str, object] = field(default_factory=lambda: {"flow": "gradient"})
    words: frozenset[str] = frozenset()  # the operations used

    @property
    def source(self):
        """The function, as text."""
        body = "".join(f"    {name} = {expression}\n" for name, expression in self.lines)
        return f"def output({', '.join([*self.parameters, *self.probes])}):\n{body}    return {self.result}\n"

    @property
    def flow_text(self):
        """The flow as it is made of ``model``."""
        f, said = self.flow, [repr(self.loss)]
        match f["flow"]:
            case "momentum":
                said.insert(
                    0, {"none": "None", "heavy-ball": f"HeavyBall(F('{f.get('tau')}'))"}.get(f["damping"], "Nesterov()")
                )
                said += [f"positive={f['positive']}"] if f.get("positive") else []
            case "mirror":
                given = f"positive={f['positive']}" if "positive" in f else f"metric={f['metric']}"
                said = [given, f"loss={self.loss!r}"]
        said += [f"weight_decay=F('{f['weight_decay']}')"] if f.get("weight_decay", "0") != "0" else []
        return f"{f['flow']}_flow(model, {', '.join(said)})"

    @property
    def script(self):
        """All of it as a script that anyone can run."""
        return (
            "from fractions import Fraction as F\nimport numpy as np\nfrom clexact import *\n"
            f"from clexact.functions import *\n\n{self.source}\n"
            f"model = Model({self.parameters}, {self.probes}, output)\n"
            f"print(certify({self.flow_text}))\n"
        )

    def namespace(self, **functions):
        """The function's names, with what stands for the operations that are no methods."""
        return {"F": Fraction, "np": np, **functions}

    def function(self, **functions):
        """The function, which calls the operations given."""
        space = self.namespace(**functions)
        exec(self.source, space)
        return space["output"]


def numpy_operations():
    """Operations on NumPy arrays, with values of no meaning where these do not matter: for the shapes."""
    same = {name: lambda z, *_: np.asarray(z) * 1 for name in (*SIGNED, *POSITIVE, "reciprocal", "relu")}
    return same | {
        "concatenate": np.concatenate,
        "softmax": lambda z, axis=-1: np.moveaxis(np.moveaxis(z, axis, 0), 0, axis),
        "maximum": lambda z, axis=-1: z.max(axis=axis),
    }


class Draft:
    """A program under way: the values so far, and the statements that made them."""

    def __init__(self, rng, kind):
        self.rng, self.lines, self.words, self.kind = rng, [], set(), kind
        self.analytic, self.names = kind == "softmax" or rng.random() < 0.5, count(1)
        # how often an operation takes the last value, as in a network
        self.following = 0.9 if kind == "network" else rng.choice([0, 0.5, 0.8])
        self.parameters = self._leaves("ABCG", SHAPES, MOST_PARAMETERS, rng.choice([1, 2, 2, 3, 3]))
        self.probes = self._leaves("xyz", PROBE_SHAPES, MOST_PROBES, rng.choice([1, 1, 2, 2, 3]))
        leaves = self.parameters | self.probes
        self.pool = [Value(n, s, 1, False, n in self.probes) for n, s in leaves.items()]
        self.arrays = {name: np.zeros(shape) for name, shape in leaves.items()}
        self.most_degree = 4 if self.analytic else 6

    def _leaves(self, names, shapes, most, wanted):
        """Shapes of so many leaves, with at most so many entries together."""
        found, left = {}, most
        for name in names[:wanted]:
            found[name] = self.rng.choice([s for s in shapes if prod(s) <= left])
            left -= prod(found[name])
            if left < 1:
                break
        return found

    def emit(self, expression, degree, positive, word):
        """Append a statement; None if NumPy cannot run it, or if it grows too large."""
        try:
            value = np.asarray(eval(expression, {"np": np, "F": Fraction, **numpy_operations()}, dict(self.arrays)))
        except (ValueError, IndexError, TypeError, np.exceptions.AxisError):
            return None
        if degree > self.most_degree or value.ndim > 3 or not 0 < value.size <= MOST_ENTRIES:
            return None
        varies = any(v.varies for v in self.pool if re.search(rf"\b{v.name}\b", expression))
        made = Value(f"t{next(self.names)}", value.shape, degree, positive, varies)
        self.lines.append((made.name, expression))
        self.arrays[made.name] = np.zeros(value.shape)
        self.pool.append(made)
        self.words.add(word)
        return made

    def pick(self, suits=lambda v: True):
        """A value, a late one more likely; None if none suits."""
        fitting = [v for v in self.pool if suits(v)]
        if fitting and self.rng.random() < self.following:
            return fitting[-1]
        return self.rng.choice([*fitting, *fitting[-4:]]) if fitting else None

    def parameter(self):
        """A parameter."""
        return self.rng.choice([v for v in self.pool if v.name in self.parameters])

    def probe(self):
        """A probe."""
        return self.rng.choice([v for v in self.pool if v.name in self.probes])


# --- operations: each takes a draft, and appends a statement or nothing ----------------------------------------------


def binary(d):
    """+, - or * of two values that NumPy can broadcast."""
    a, b, op = d.pick(), d.pick(), d.rng.choice("+-***")
    if op == "*":
        return d.emit(f"{a.name} * {b.name}", a.degree + b.degree, a.positive and b.positive, "*")
    positive = op == "+" and a.positive and b.positive
    return d.emit(f"{a.name} {op} {b.name}", max(a.degree, b.degree), positive, op)


def matmul(d):
    """a @ b, of vectors, matrices or stacks."""
    a, b = d.pick(lambda v: v.shape), d.pick(lambda v: v.shape)
    if a is None or b is None:
        return None
    word = "stacked @" if max(len(a.shape), len(b.shape)) > 2 else "@"
    return d.emit(f"{a.name} @ {b.name}", a.degree + b.degree, a.positive and b.positive, word)


def with_constant(d):
    """An exact constant on either side of + - * /, or of @."""
    a, c = d.pick(), d.rng.choice(CONSTANTS)
    size = a.shape[-1] if a.shape else 0
    if size and d.rng.random() < 0.5:
        c = str([d.rng.choice([0, 0, 1, 1, -1, 2]) for _ in range(size)])
        if d.rng.random() < 0.3:
            c = f"np.array({c})"
    choices = [f"{a.name} * {c}", f"{c} * {a.name}" if c[0] != "[" else f"{a.name} * {c}"]
    choices += [f"{a.name} + {c}", f"{a.name} - {c}"]
    if c[0] not in "[n":
        choices += [f"{c} - {a.name}", f"{a.name} / {c.replace('0', '5')}"]
    elif c[0] == "n":
        choices += [f"{c} @ {a.name}", f"{a.name} @ {c}"]
    return d.emit(d.rng.choice(choices), a.degree, False, "constant")


def one_plus(d):
    """One more than a positive value, or a square."""
    a = d.pick()
    text = f"1 + {a.name}" if a.positive else f"1 + {a.name} * {a.name}"
    return d.emit(text, a.degree * (2 - a.positive), True, "constant")


def power(d):
    """a ** k."""
    a, k = d.pick(), d.rng.choice([0, 1, 2, 2, 2, 3])
    return d.emit(f"{a.name} ** {k}", a.degree * k, a.positive or k == 0, "**")


def divided(d):
    """The mean over the first axis, by len."""
    a = d.pick(lambda v: v.shape)
    return a and d.emit(f"{a.name}.sum(0) / len({a.name})", a.degree, a.positive, "len")


def transposed(d, a=None):
    """T or transpose."""
    a = a or d.pick(lambda v: len(v.shape) > 1)
    if a is None:
        return None
    axes = d.rng.choice(list(permutations(range(len(a.shape)))))
    how = d.rng.choice([".T", ".transpose()", f".transpose({', '.join(map(str, axes))})"])
    return d.emit(f"{a.name}{how}", a.degree, a.positive, "transpose")


def reshaped(d, a=None):
    """reshape, to a vector or by moving a factor from one axis to another."""
    a = a or d.pick()
    size = prod(a.shape)
    shapes = [(-1,), (1, -1), (size, 1), *((k, size // k) for k in (2, 3) if size % k == 0)]
    return d.emit(f"{a.name}.reshape({d.rng.choice(shapes)})", a.degree, a.positive, "reshape")


def index(rng, shape):
    """The text of an index into an array of one axis or more."""
    n = shape[0]
    entry = rng.randrange(n)
    picks = [rng.randrange(n) for _ in range(rng.choice([1, 2, 2, 3]))]
    whole = rng.sample(range(n), n)
    first = [str(entry), "-1", ":", "::-1", f"0:{n}", f"0:{max(1, n - 1)}", "1:", str(picks), str(whole), str(whole),
             f"{[entry, entry]}", "..."]  # fmt: skip
    texts = [*first, f"None, {rng.choice(first[:8])}", f"{rng.choice(first[2:8])}, None"]
    if len(shape) > 1:
        m = shape[1]
        second = [str(rng.randrange(m)), ":", "::-1", f"0:{m}", str(rng.sample(range(m), m)), "None"]
        texts += [f"{rng.choice(first[:9])}, {rng.choice(second)}" for _ in range(4)]
        texts += [f"..., {rng.choice(['0', '-1', '::-1', 'None', '[0, 0]'])}", f":, {rng.choice(second)}"]
    return rng.choice(texts)


def indexed(d, a=None):
    """Integers, slices, picks, an ellipsis, a new axis."""
    a = a or d.pick(lambda v: v.shape)
    if a is None:
        return None
    text = index(d.rng, a.shape)
    word = "pick" if "[" in text else "new axis" if "None" in text else "ellipsis" if "..." in text else "slice"
    return d.emit(f"{a.name}[{text}]", a.degree, a.positive, word)


def summed(d):
    """sum over an axis, or all."""
    a = d.pick(lambda v: v.shape)
    if a is None:
        return None
    axis = d.rng.choice(["", *map(str, range(-1, len(a.shape)))])
    return d.emit(f"{a.name}.sum({axis})", a.degree, a.positive, "sum")


def joined(d, a=None):
    """concatenate, at times with one value twice, or with zeros."""
    a = a or d.pick(lambda v: v.shape)
    if a is None:
        return None
    b = d.rng.choice([a, d.pick(lambda v: len(v.shape) == len(a.shape))])
    axis = d.rng.randrange(-1, len(a.shape))
    if d.rng.random() < 0.15:
        zeros = f"np.zeros({a.shape}, dtype=int)"
        return d.emit(f"concatenate([{a.name}, {zeros}], axis={axis})", a.degree, False, "join")
    positive = a.positive and b.positive
    return d.emit(f"concatenate([{a.name}, {b.name}], axis={axis})", max(a.degree, b.degree), positive, "concatenate")


def rectified(d, a=None):
    """relu, leaky or not."""
    any_source = d.rng.random() < 0.1
    a = a or d.pick(lambda v: v.degree < d.most_degree and (any_source or v.varies))
    if a is None:
        return None
    slope = d.rng.choice(["", "", "", ", F(1, 10)", ", -1"])
    return d.emit(f"relu({a.name}{slope})", a.degree, False, "relu")


def maximal(d):
    """maximum over an axis."""
    any_source = d.rng.random() < 0.1
    a = d.pick(lambda v: v.shape and v.degree < d.most_degree and (any_source or v.varies))
    if a is None:
        return None
    axis = d.rng.randrange(-1, len(a.shape))
    return d.emit(f"maximum({a.name}, {axis})", a.degree, False, "maximum")


def repeated(d):
    """An earlier statement once more: a gate or a function of the same value, or an equal expression."""
    if not d.lines:
        return None
    likely = [line for line in d.lines if "(" in line[1]] or d.lines
    name, expression = d.rng.choice(likely)
    old = next(v for v in d.pool if v.name == name)
    for inner, text in list(d.lines):  # its operand is written out anew
        if d.rng.random() < 0.5 and re.search(rf"\({inner}\b", expression):
            like = next(v for v in d.pool if v.name == inner)
            again = d.emit(text, like.degree, like.positive, "equal expression")
            expression = re.sub(rf"\({inner}\b", f"({again.name}", expression, count=1)
    return d.emit(expression, old.degree, old.positive, "repeated")


def analytic(d):
    """An analytic function of anything."""
    a, name = d.pick(), d.rng.choice([*SIGNED, *POSITIVE])
    return d.emit(f"{name}({a.name})", a.degree, name in POSITIVE, name)


def softmax(d, a=None):
    """softmax over any axis."""
    a = a or d.pick(lambda v: v.shape)
    if a is None:
        return None
    axis = d.rng.randrange(-1, len(a.shape))
    return d.emit(f"softmax({a.name}, {axis})" if axis != -1 else f"softmax({a.name})", a.degree, True, "softmax")


def reciprocal(d):
    """1 / z for a positive z."""
    a = d.pick(lambda v: v.positive)
    return a and d.emit(f"reciprocal({a.name})", a.degree, True, "reciprocal")


# --- motifs: shapes of networks, in which symmetries are likely ------------------------------------------------------


def layer(d, x=None):
    """A parameter times a probe, or times what went before."""
    w, x = d.parameter(), x or d.rng.choice([d.probe(), d.pick()])
    ways = [f"{w.name} * {x.name}", f"{w.name} @ {x.name}", f"{x.name} @ {w.name}", f"{w.name}.T @ {x.name}"]
    made = None
    for text in d.rng.sample(ways, len(ways)):
        made = made or d.emit(text, w.degree + x.degree, False, "@" if "@" in text else "*")
    return made


def pair(d):
    """Two parameters contracted with each other."""
    a, b = d.parameter(), d.parameter()
    ways = [f"{p.name}{s} @ {q.name}{t}" for p, q in ((a, b), (b, a)) for s in ("", ".T") for t in ("", ".T")]
    for text in d.rng.sample(ways, len(ways)):
        if made := d.emit(text, 2, False, "@"):
            return made
    return None


def logits(d):
    """A sum of one or two terms that are linear in a parameter."""
    a = layer(d, d.probe())
    b = layer(d, d.probe()) if d.rng.random() < 0.5 else None
    both = a and b and d.emit(f"{a.name} + {b.name}", 2, False, "+")
    made = both or a
    return made if made and made.shape else None


def shifted_logits(d):
    """softmax of what is picked from logits or moved, which are used elsewhere too; at times a second softmax."""
    made = source = logits(d)
    for _ in range(d.rng.choice([0, 1, 1, 2])):
        if made is None or not made.shape:
            return None
        made = d.rng.choice([indexed, indexed, transposed, reshaped, joined])(d, made) or made
    probability = made and softmax(d, made)
    if not probability:
        return None
    used = d.rng.choice([source, made, probability])
    if d.rng.random() < 0.4 and used.shape:
        used = d.rng.choice([indexed, transposed, softmax])(d, used) or used
    if d.rng.random() < 0.6:
        other = d.rng.choice([d.parameter(), d.parameter(), used])
        text = d.rng.choice([f"{other.name} * {used.name}", f"{other.name} @ {used.name}"])
        d.emit(text, used.degree + other.degree, False, text.split()[1])
    return probability


def two_gates(d):
    """A layer with relu, and a second gate of the same source or of one like it."""
    a = layer(d, d.probe())
    if a is None:
        return None
    first = rectified(d, a)
    how = d.rng.choice(["again", "equal", "multiple", "multiple"])
    if how == "multiple":
        factor = d.rng.choice(["-1", "2", "F(-1, 2)"])
        scaled = d.emit(f"{factor} * {a.name}", a.degree, a.positive, "constant")
        second = rectified(d, scaled)
        if first and second:
            d.emit(f"{d.parameter().name} * {first.name} + {second.name}", a.degree + 1, False, "+")
        return second
    return rectified(d, a) if how == "again" else repeated(d)


def mirrored(d):
    """f(z) and f(-z) together: for odd functions, and for some others, little is left."""
    a, name, sign = d.pick(), d.rng.choice([*SIGNED, *POSITIVE]), d.rng.choice("+-*")
    text = f"{name}({a.name}) {sign} {name}(-{a.name})"
    return d.emit(text, a.degree * (1 + (sign == "*")), name in POSITIVE and sign != "-", name)


PLAIN = [(binary, 7), (matmul, 5), (with_constant, 3), (power, 1), (divided, 1), (transposed, 2), (reshaped, 2),
         (indexed, 6), (summed, 2), (joined, 3), (rectified, 3), (maximal, 2), (repeated, 2), (layer, 6), (pair, 3),
         (two_gates, 3), (one_plus, 1)]  # fmt: skip
ANALYTIC = [(analytic, 6), (softmax, 5), (mirrored, 4), (reciprocal, 2), (shifted_logits, 8), (one_plus, 1)]
NETWORK = [(layer, 12), (rectified, 4), (maximal, 1), (indexed, 2), (transposed, 1), (matmul, 3), (summed, 1),
           (joined, 2), (repeated, 2), (two_gates, 2), (pair, 2), (with_constant, 1)]  # fmt: skip
SOFTMAX = [(shifted_logits, 6), (softmax, 2), (binary, 2), (indexed, 2), (joined, 1), (summed, 1), (layer, 2),
           (matmul, 2), (with_constant, 1), (repeated, 1), (analytic, 1), (transposed, 1)]  # fmt: skip
LENGTHS = {"free": [1, 1, 2, 2, 3, 4, 5, 6], "network": [1, 2, 2, 3, 4], "softmax": [0, 0, 1, 1, 2, 3]}


def program(rng):
    """A draft with a result. Three kinds: any operations; a network, layer on layer; logits that a softmax sees."""
    d = Draft(rng, rng.choice(["free", "network", "softmax"]))
    listed = {"free": PLAIN + ANALYTIC * d.analytic, "network": NETWORK + ANALYTIC[:3] * d.analytic, "softmax": SOFTMAX}
    operations, weights = zip(*listed[d.kind], strict=True)
    first = shifted_logits if d.kind == "softmax" else rng.choice([layer, pair, layer])
    first(d)
    for operation in rng.choices(operations, weights, k=rng.choice(LENGTHS[d.kind])):
        operation(d)
    used = " ".join(text for _, text in d.lines)
    for name in d.parameters:  # one that nothing uses says little
        if not d.lines or (name not in used and rng.random() < 0.85):
            use(d, next(v for v in d.pool if v.name == name))
    return d, result(d)


def use(d, p):
    """Multiply something by a parameter."""
    other = d.pick(lambda v: v.degree < d.most_degree)
    for text in (f"{p.name} * {other.name}", f"{p.name}.sum() * {other.name}"):
        if d.emit(text, other.degree + 1, False, "*"):
            return


def result(d):
    """The output: the last value, with others that nothing uses yet."""
    made = [v for v in d.pool if v.name.startswith("t")]
    used = set(re.findall(r"\w+", " ".join(text for _, text in d.lines)))
    unused = [v for v in made[:-1] if v.name not in used]
    out = made[-1] if made else d.pool[0]
    few = d.kind != "free" and d.rng.random() < 0.5
    for other in [] if few else unused[-3:]:
        ways = [f"{out.name} + {other.name}", f"concatenate([{out.name}.reshape(-1), {other.name}.reshape(-1)])",
                f"{out.name} + {other.name}.sum()"]  # fmt: skip
        for way in d.rng.sample(ways, len(ways)):
            if new := d.emit(way, max(out.degree, other.degree), False, "concatenate" if "conc" in way else "+"):
                out = new
                break
    return out


def loss_of(rng, shape):
    """full, cross-entropy or covectors given."""
    if not shape or rng.random() < 0.5:
        return "full"
    if rng.random() < 0.7:
        return "cross_entropy"
    return [[rng.choice([0, 0, 1, -1, 2]) for _ in range(shape[-1])] for _ in range(rng.choice([1, 2]))]


def flow_of(rng, parameters):
    """The flow and its options."""
    kind = rng.choice(["gradient"] * 5 + ["momentum", "mirror"])
    decay = rng.choice(["0"] * 4 + ["1", "1/2", "-1"])
    names = rng.sample(list(parameters), rng.randint(0, len(parameters)))
    if kind == "mirror" and rng.random() < 0.2:
        name = rng.choice(list(parameters))
        metric = rng.choice([f"{name} * {name} + 1", f"{name} / 3", f"{name} + F(1, 2)"])
        text = f"lambda {', '.join(parameters)}: {{{name!r}: {metric}}}"
        return {"flow": kind, "metric": text, "weight_decay": decay}
    if kind == "mirror":
        return {"flow": kind, "positive": names, "weight_decay": decay}
    if kind == "momentum":
        damping = rng.choice(["none", "heavy-ball", "nesterov"])
        chosen = names if rng.random() < 0.25 else []
        rate = {"tau": rng.choice(["1", "1/2", "3"])} if damping == "heavy-ball" else {}
        return {"flow": kind, "damping": damping, **rate, "positive": chosen, "weight_decay": decay}
    return {"flow": kind, "weight_decay": decay}


def case(seed):
    """The program of a seed."""
    rng = random.Random(seed)
    d, out = program(rng)
    flow = flow_of(rng, d.parameters)
    if flow["flow"] == "momentum" and sum(map(prod, d.parameters.values())) > 8:
        flow = {"flow": "gradient", "weight_decay": flow["weight_decay"]}
    return Case(seed, d.parameters, d.probes, tuple(d.lines), out.name, loss_of(rng, out.shape), flow,
                frozenset(d.words))  # fmt: skip
