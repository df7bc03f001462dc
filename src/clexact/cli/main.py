"""The ``clexact`` command. Exit status 0: an answer; 2: wrong input; 3: a limit was reached; 130: Ctrl-C."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NoReturn

from clexact.cli import bench_laws as bench_laws_command
from clexact.cli import doctor as doctor_command
from clexact.cli import eliminate as eliminate_command
from clexact.cli import export as export_command
from clexact.cli import families as family_command
from clexact.cli import fit as fit_command
from clexact.cli import plot as plot_command
from clexact.cli import reproduce as reproduce_command
from clexact.cli import results as results_command
from clexact.cli import show
from clexact.cli import sweep as sweep_command
from clexact.cli import systems as system_commands
from clexact.cli import theorem as theorem_command
from clexact.cli import verify as verify_command
from clexact.cli.inputs import add_input, notes_of, read_flow, reading
from clexact.cli.near import check_near, read_start, starts_of
from clexact.cli.parser import WRONG_INPUT, CommandParser
from clexact.counting.certify import certify
from clexact.counting.count import LawCount
from clexact.counting.dimension import dimension
from clexact.counting.memory import MemoryLimitError
from clexact.counting.orbit import ORBIT_DEPTH, orbit_dimension
from clexact.counting.starts import BIAS_INITS, INITS, STARTS
from clexact.laws.darboux import check_listable_fields
from clexact.laws.logarithmic import Law
from clexact.laws.polynomial_laws import polynomial_laws
from clexact.laws.relations import further_than
from clexact.laws.result import ConservationLaws
from clexact.lie.closure import MAX_DEPTH
from clexact.models import FAMILIES
from clexact.programs.gates import FREE
from clexact.proofs.fields_certificate import check_listable
from clexact.support.extras import needed
from clexact.support.files import check_place
from clexact.support.limits import Limits, limits
from clexact.support.nearest import unknown
from clexact.support.progress import shown_progress
from clexact.support.threads import set_threads
from clexact.support.version import __version__

LIMIT_REACHED, INTERRUPTED = 3, 130
SHELLS = ("bash", "zsh", "tcsh")

EPILOG = """\
examples:
  clexact certify linear 4 3 5                 U_1 U_2 with U_1 of 4 x 3, U_2 of 3 x 5
  clexact certify relu 2 5 3 --bias
  clexact certify neuron 2 1 --powers 3        one neuron: inputs, outputs, powers of its activation
  clexact certify attention 8 4 --heads 2
  clexact certify nmf 4 2 5 --flow mirror
  clexact certify linear 4 3 5 --flow momentum --damping heavy-ball --tau 1/2
  clexact certify linear n r m --where "n >= r"        a theorem for all sizes
  clexact certify lorenz.ode --degree 3        equations; also SBML, Antimony, .net, .jl, .kyx
  clexact certify mymodel.py:net               a Model, Flow or VectorFields called net
"""

FIT_EPILOG = """\
examples:
  clexact fit linear --grid "n=1..5,m=1..5,r=1..6"       U of n x r, V of m x r: sizes n r m
  clexact fit linear --grid "depth=2..5,width=1..4"      all layers equally wide
  clexact fit relu --grid "a=1..4,b=1|3|5,c=2" --sizes "a b b c"
  clexact fit nmf --grid "n=1..4,r=1..5,m=1..4" --flow mirror
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command and exit with its status."""
    sys.exit(run(argv))


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    arguments = build_parser().parse_args(argv)
    try:
        if getattr(arguments, "threads", None) is not None:
            set_threads(arguments.threads)
        arguments.command(arguments)
        sys.stdout.flush()
    except (ValueError, TypeError, OverflowError, OSError, ArithmeticError) as error:
        _drop_unwritten()
        return 0 if isinstance(error, BrokenPipeError) else _failed(arguments, _said(error))  # nobody reads on
    except ImportError as error:  # an optional package is missing
        return _failed(arguments, str(error))
    except MemoryLimitError as error:
        print(f"clexact: {error}", file=sys.stderr)
        return LIMIT_REACHED
    except MemoryError:
        return _failed(arguments, "the machine's memory does not suffice for this size.")
    except KeyboardInterrupt:
        print("clexact: interrupted.", file=sys.stderr)
        return INTERRUPTED
    return 0


def _drop_unwritten() -> None:
    """What standard output does not take is not tried again at exit, where it would be another error."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _said(error: Exception) -> str:
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    return f"{error.strerror}." if error.filename is None else f"cannot open {error.filename!r}: {error.strerror}."


def _failed(arguments: argparse.Namespace, message: str) -> int:
    print(f"clexact {arguments.name}: error: {' '.join(message.split())}", file=sys.stderr)
    return WRONG_INPUT


def build_parser() -> argparse.ArgumentParser:
    """The command line: certify, laws, eliminate, orbit, dimension, fit, models, sweep, results, verify, ..."""
    parser = CommandParser(
        prog="clexact",
        description="Exact conservation laws of gradient flows and polynomial vector fields, counted and proved.",
        epilog=EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"clexact {__version__}")
    commands = parser.add_subparsers(
        dest="name",
        required=True,
        metavar="COMMAND",
    )
    for name, command, summary in (
        ("certify", _certify, "count the independent laws, with bounds that are proved"),
        ("laws", _laws, "list all polynomial laws up to a degree"),
    ):
        sub = commands.add_parser(
            name, help=summary, description=summary, epilog=EPILOG.replace("clexact certify", f"clexact {name}"),
            )  # fmt: skip
        add_input(sub)
        sub.add_argument("--degree", type=int, default=2, metavar="K", help="degree of the polynomial laws (default 2)")
        _add_output(sub)
        sub.set_defaults(command=command)
    certifier, lister = commands.choices["certify"], commands.choices["laws"]
    _add_depth(certifier, None, f"none while they are small polynomials, else {MAX_DEPTH}")
    certifier.add_argument("--laws", action="store_true", help="print the laws too: families in one line")
    certifier.add_argument("--polynomials", action="store_true", help="print the laws as polynomials, one by one")
    _add_near(certifier)
    certifier.add_argument("--where", metavar="CONDITIONS", help="of sizes that are letters, such as 'n >= r, m >= 2'")
    certifier.add_argument("--direct", action="store_true", help="certify large sizes themselves, not by a theorem")
    fitter = _add_fit(commands)
    for sub in (certifier, lister, fitter):
        _add_limits(sub)
    certifier.add_argument("--save", metavar="FILE", help="write the proof as a certificate")
    lister.add_argument("--forms", action="store_true", help="also rational and logarithmic laws, those found")
    system_commands.add_choices(lister)
    lister.add_argument("--homogeneous", action="store_true", help="only laws homogeneous of that degree")
    lister.add_argument("--latex", action="store_true", help="print the laws as LaTeX")
    smaller = commands.add_parser(
        "eliminate", help="remove variables of a system by its laws", epilog=eliminate_command.EPILOG,
    )  # fmt: skip
    eliminate_command.add_arguments(smaller)
    smaller.set_defaults(command=eliminate_command.run)
    traveller = commands.add_parser("orbit", help="the dimension of the set that can be reached from a special start")
    add_input(traveller)
    starts = ", ".join(STARTS)
    traveller.add_argument("--at", required=True, metavar="START", help=f"{starts}, or a file of rationals")
    _add_depth(traveller, ORBIT_DEPTH, str(ORBIT_DEPTH))
    _add_limits(traveller)
    _add_output(traveller)
    traveller.set_defaults(command=_orbit)
    measurer = commands.add_parser("dimension", help="the functional dimension: directions that change the function")
    add_input(measurer)
    measurer.add_argument("--near", metavar="START", help="near a start, as for certify")
    _add_limits(measurer)
    _add_output(measurer)
    measurer.set_defaults(command=_dimension)
    library = commands.add_parser("models", help="list the families of architectures, or show one with its options")
    family_command.add_arguments(library)
    library.set_defaults(command=family_command.run)
    _add_sweep(commands)
    _add_results(commands)
    checker = commands.add_parser("verify", help="verify certificates, without the engine")
    verify_command.add_arguments(checker)
    checker.set_defaults(command=_verify)
    exporter = commands.add_parser("export", help="write a certificate as a proof that Coq checks")
    export_command.add_arguments(exporter)
    exporter.set_defaults(command=export_command.run)
    truth = commands.add_parser(
        "bench-laws", help="systems of the literature with certified laws and absences, as JSON",
        epilog=bench_laws_command.EPILOG,
    )  # fmt: skip
    bench_laws_command.add_arguments(truth)
    truth.set_defaults(command=bench_laws_command.run)
    again = commands.add_parser("reproduce", help="check every statement of the sources, and write a report")
    reproduce_command.add_arguments(again)
    _add_output(again)
    again.set_defaults(command=_reproduce)
    drawer = commands.add_parser(
        "plot", help="draw a picture: level sets, drift, ...", epilog=plot_command.EPILOG,
    )  # fmt: skip
    plot_command.add_arguments(drawer)
    _add_output(drawer)
    drawer.set_defaults(command=plot_command.run)
    doctor = commands.add_parser("doctor", help="what is installed here, and how the kernels were built")
    doctor_command.add_arguments(doctor)
    doctor.set_defaults(command=doctor_command.run)
    about = commands.add_parser("help", help="what a command or a family takes")
    about.add_argument("word", nargs="?", metavar="COMMAND or FAMILY")
    about.set_defaults(command=partial(_help, parser))
    version = commands.add_parser("version", help="print the version")
    version.set_defaults(command=lambda arguments: print(f"clexact {__version__}"))
    completer = commands.add_parser("completion", help="print a script that completes words in a shell")
    completer.add_argument("shell", choices=SHELLS)
    completer.set_defaults(command=partial(_complete, parser))
    return parser


def _help(parser: CommandParser, arguments: argparse.Namespace) -> None:
    """The help of a command, the page of a family, or that of clexact."""
    commands, word = parser.commands(), arguments.word
    if word is None:
        parser.print_help()
    elif word in commands:
        commands[word].print_help()
    elif word in FAMILIES:
        print(family_command.page(word))
    else:
        raise ValueError(unknown("command or family", word, [*commands, *FAMILIES]))


def _complete(parser: CommandParser, arguments: argparse.Namespace) -> None:
    """Of the extra ``completion``."""
    print(needed("shtab", "completion").complete(parser, arguments.shell))


def _add_near(parser: argparse.ArgumentParser) -> None:
    starts = ", ".join(STARTS)
    parser.add_argument(
        "--near", metavar="START", help=f"near a start, with its true gates: random, {starts}, or a file of rationals"
    )
    parser.add_argument("--init", choices=INITS, help="how --near random draws weights (default uniform)")
    parser.add_argument("--bias-init", choices=BIAS_INITS, help="and biases (default uniform)")
    parser.add_argument("--starts", type=int, metavar="N", help="near N random starts: the table of counts")
    parser.add_argument("--data", metavar="FILE", help="these inputs alone: a row of numbers for each, or a .npy file")


def _add_fit(commands: argparse._SubParsersAction[CommandParser]) -> CommandParser:
    summary = "certify a family on a grid of sizes and find a formula for the counts"
    fitter = commands.add_parser("fit", help=summary, description=summary, epilog=FIT_EPILOG)
    add_input(fitter)
    fit_command.add_arguments(fitter)
    _add_output(fitter)
    fitter.set_defaults(command=_fit)
    return fitter


def _add_sweep(commands: argparse._SubParsersAction[CommandParser]) -> None:
    summary = "certify all cases of a spec in parallel, within a budget each, into a store"
    sweeper = commands.add_parser("sweep", help=summary, description=summary, epilog=sweep_command.EPILOG)
    sweep_command.add_arguments(sweeper)
    sweeper.set_defaults(command=_sweep)


def _add_results(commands: argparse._SubParsersAction[CommandParser]) -> None:
    summary = "what the store of a sweep holds"
    lister = commands.add_parser("results", help=summary, description=summary, epilog=results_command.EPILOG)
    results_command.add_arguments(lister)
    lister.set_defaults(command=results_command.run)


def _add_depth(parser: argparse.ArgumentParser, default: int | None, meaning: str) -> None:
    text = f"depth of nested brackets, at most (default: {meaning})"
    parser.add_argument("--max-depth", type=int, default=default, metavar="K", help=text)


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--time-limit", type=float, metavar="S", help="stop after S seconds with what is known")
    parser.add_argument("--memory-limit", type=int, metavar="MIB", help="do not start, or stop, above so much memory")


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--threads", type=int, metavar="N", help="threads of the dense kernels (default: all cores)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all random choices (default 0)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quiet", action="store_true", help="no progress, and only the answer")


def _certify(arguments: argparse.Namespace) -> None:
    if theorem_command.has_letters(arguments):
        theorem_command.run(arguments)
        return
    if theorem_command.by_theorem(arguments):
        return
    if arguments.save is not None:
        check_place(Path(arguments.save))
    check_near(arguments)
    if arguments.starts is not None:
        _print_starts(arguments)
        return
    with _limited(arguments) as limited, shown_progress(quiet=arguments.quiet) as progress:
        flow = read_flow(arguments)
        near = read_start(arguments, flow)
        if arguments.save is not None:
            check_listable(flow)
        limited.doing = f"certifying {flow.description}"
        count = certify(
            flow,
            degree=arguments.degree,
            seed=arguments.seed,
            near=near,
            max_depth=arguments.max_depth,
            progress=progress,
            keep_partial=True,
            memory_limit=arguments.memory_limit,
        )
    _print_count(count, arguments)
    if count.nothing_yet:
        _stop(limited, f"during {count.stage!r}", f"no bound beyond 0 <= laws <= {count.dimension} yet")
    if arguments.save is not None:  # after the answer, which a full disk must not take away
        _save(count, arguments, limited)
    if count.stopped:
        print(f"clexact: {count.stopped}.", file=sys.stderr)
    if count.left_out:
        print(f"clexact: {count.left_out}.", file=sys.stderr)
        raise SystemExit(LIMIT_REACHED)
    if count.interrupted:
        _stop(limited, f"during {count.stage!r}", "these are the bounds so far")


def _print_starts(arguments: argparse.Namespace) -> None:
    """The counts near so many random starts, as they come, and how often each was met."""
    with _limited(arguments) as limited, shown_progress(quiet=arguments.quiet) as progress:
        flow = read_flow(arguments)
        limited.doing = f"certifying {flow.description} near {arguments.starts} starts"
        counts = starts_of(arguments, flow, progress)
    print(counts.to_json() if arguments.json else counts)


def _save(count: LawCount, arguments: argparse.Namespace, before: Limits) -> None:
    """Within what is left of the limits; without, once one of them has ended the search: its bounds get their proof."""
    if before.reached:
        count.certificate.save(arguments.save)
        return
    with _limited(arguments, f"{arguments.save} is not written", before.start) as limited:
        limited.doing = "making the certificate"
        count.certificate.save(arguments.save)


@contextmanager
def _limited(
    arguments: argparse.Namespace, left: str = "nothing is known yet", start: float | None = None
) -> Iterator[Limits]:
    """Limits over a block. Where one is reached, or Ctrl-C comes, the command ends and says what it was doing."""
    with limits(arguments.time_limit, arguments.memory_limit, start) as limited:
        limited.doing = reading(arguments)
        try:
            yield limited
        except KeyboardInterrupt:
            _stop(limited, f"while {limited.doing}", left)


def _stop(limited: Limits, where: str, left: str) -> NoReturn:
    """End after an interruption, by a limit or by Ctrl-C."""
    what = f"stopped by {limited.limit}" if limited.limit else "interrupted"
    print(f"clexact: {what} {where}: {left}.", file=sys.stderr)
    raise SystemExit(LIMIT_REACHED if limited.limit else INTERRUPTED)


def _print_count(count: LawCount, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print(count.to_json(laws=arguments.laws, polynomials=arguments.polynomials))
        return
    if not arguments.quiet:
        print(count.description)
        for note in notes_of(count.flow):
            show.detail(note)
    show.headline(str(count))
    if not arguments.quiet:
        _print_evidence(count)
    if arguments.laws:
        for line in count.laws.lines(plain=not _can_print("ᵀ²−≤Σ·")):
            print(line)
    if arguments.polynomials:
        _print_laws(count.laws.polynomials(), latex=False)


def _can_print(text: str) -> bool:
    """Whether standard output has the letters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _print_evidence(count: LawCount) -> None:
    show.bound(f"at least {count.lower}", count.evidence.lower, count.exact)
    show.bound(f"at most  {count.upper}", count.evidence.upper, count.exact)
    if count.blocks:
        blocks = "; ".join(f"{n} of {', '.join(names)}" for names, n in count.blocks.items())
        whole = " (these are all)" if count.exhibited == count.upper else ""
        show.detail(f"laws by the parameters they touch: {blocks}{whole}")
    for sentence in (*count.explanation, *([count.hint] if count.hint else [])):
        show.detail(sentence)
    if FREE in count.headline:
        show.detail("the laws of the network near a start, with its true gates: --near random, a name or a file")
    show.detail(f"assuming: {'; '.join(count.assumptions)}")
    show.detail(f"seed {count.seed}, {count.seconds:.3f} s")


def _orbit(arguments: argparse.Namespace) -> None:
    with _limited(arguments) as limited, shown_progress(quiet=arguments.quiet):
        flow = read_flow(arguments)
        limited.doing = f"following {flow.description}"
        orbit = orbit_dimension(flow, arguments.at, seed=arguments.seed, max_depth=arguments.max_depth)
    if arguments.json:
        print(orbit.to_json())
        return
    if not arguments.quiet:
        print(f"{flow.description}, at {arguments.at}")
    show.headline(str(orbit))
    if not arguments.quiet:
        show.bound("exact" if orbit.closed else "lower bound", orbit.evidence, orbit.closed)
        show.detail(f"generic: {orbit.generic}")


def _dimension(arguments: argparse.Namespace) -> None:
    with _limited(arguments) as limited, shown_progress(quiet=arguments.quiet) as progress:
        flow = read_flow(arguments)
        limited.doing = f"finding the functional dimension of {flow.description}"
        found = dimension(
            flow,
            near=arguments.near,
            seed=arguments.seed,
            progress=progress,
            memory_limit=arguments.memory_limit,
        )
    if arguments.json:
        print(found.to_json())
        return
    if not arguments.quiet:
        print(f"{found.description} ({found.scope})")
    show.headline(str(found))
    if not arguments.quiet:
        for redundancy in found.groups:
            show.detail(redundancy)


def _fit(arguments: argparse.Namespace) -> None:
    interrupted, limited = fit_command.run(arguments)
    if interrupted:
        _stop(limited, f"while certifying {arguments.target[0]}", "these are the counts so far")


def _sweep(arguments: argparse.Namespace) -> None:
    if status := sweep_command.run(arguments):
        raise SystemExit(status)


def _verify(arguments: argparse.Namespace) -> None:
    if worst := verify_command.run(arguments):
        raise SystemExit(worst)


def _laws(arguments: argparse.Namespace) -> None:
    system_commands.check_choices(arguments)
    if arguments.forms and arguments.homogeneous:
        raise ValueError("give either --forms or --homogeneous: rational and logarithmic laws are not homogeneous.")
    further, darboux = list[Law](), None
    with _limited(arguments) as limited, shown_progress(quiet=arguments.quiet):
        flow = read_flow(arguments)
        if arguments.forms:
            check_listable_fields(flow)
        limited.doing = f"searching for laws of {flow.description}"
        if arguments.cases:
            system_commands.print_cases(flow, arguments)
            return
        if arguments.on is not None:
            system_commands.print_on(flow, arguments)
            return
        laws = polynomial_laws(flow, arguments.degree, arguments.homogeneous, seed=arguments.seed)
        shown = system_commands.chosen(laws, arguments)
        independent = len(laws.independent)
        if arguments.forms:
            general = further_than(flow, laws, arguments.degree, arguments.seed)
            further, darboux = list(general.further), general.darboux
        if arguments.kyx is not None:
            system_commands.write_kyx(flow, shown, darboux, arguments.kyx)
    if arguments.json:
        forms = [{"form": law.form.value, "law": law.written()} for law in further]
        print(json.dumps(json.loads(shown.to_json()) | ({"further": forms} if arguments.forms else {})))
        return
    if not arguments.quiet:
        degree = f"degree {laws.degree}" if laws.homogeneous else f"degree at most {laws.degree}"
        laws_word = "polynomial law" + "s" * (len(laws) != 1)
        least = "" if independent == len(laws) else "at least "
        print(f"{flow.description}: {len(laws)} {laws_word} of {degree}, {least}{independent} independent")
        print(f"  {laws.known}")
        for line in system_commands.remarks(flow, laws, shown):
            print(f"  {line}")
    _print_laws(shown, latex=arguments.latex)
    if arguments.forms and not arguments.quiet:
        print(f"{len(further)} more found in other forms, independent of these")
    for law in further:
        print(law.to_latex() if arguments.latex else law.written())


def _print_laws(laws: ConservationLaws, latex: bool) -> None:
    for h in laws.to_latex() if latex else laws.written():
        print(h)


def _reproduce(arguments: argparse.Namespace) -> None:
    if reproduce_command.run(arguments):  # it has said how to go on
        raise SystemExit(INTERRUPTED)
