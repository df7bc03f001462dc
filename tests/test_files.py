"""Files written whole: their permissions, links, what is refused before the work, and what a failure leaves."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import clexact
from clexact.algebra.parse import read_text
from clexact.claims.archive import Archive
from clexact.cli import main as cli
from clexact.plot import figures
from clexact.support import files
from clexact.support.files import check_place, replacing, write_atomically
from clexact.sweeps import tables

FLOW = clexact.gradient_flow(clexact.models.linear([1, 1]))


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o022, 0o027, 0o000, 0o077], ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def certificate(path):
    clexact.certify(FLOW).certificate.save(path)


def figure(path):
    figures.save(clexact.plot.level_sets(), path)


def table(path):
    tables.save("csv", path, [{"label": "a"}], ["label"])


WRITERS = {"c.json": certificate, "c.json.gz": certificate, "f.svg": figure, "t.csv": table}


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_a_new_file_has_the_permissions_of_the_umask(tmp_path, umask, name):
    WRITERS[name](tmp_path / name)
    assert mode(tmp_path / name) == 0o666 & ~umask
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("permissions", [0o600, 0o640, 0o666, 0o755])
def test_an_existing_file_keeps_its_permissions(tmp_path, permissions):
    path = tmp_path / "a"
    path.write_text("before")
    path.chmod(permissions)
    write_atomically(path, b"after")
    assert path.read_text() == "after" and mode(path) == permissions


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "folder").mkdir()
    link, target = tmp_path / "link", tmp_path / "folder" / "target"
    link.symlink_to(target)
    for data in (b"new", b"again"):
        check_place(link)
        write_atomically(link, data)
        assert link.is_symlink() and target.read_bytes() == data
    assert os.listdir(target.parent) == ["target"]


@pytest.mark.parametrize("length", [1, 200, 255])
def test_names_of_any_length(tmp_path, length):
    write_atomically(tmp_path / ("a" * length), b"x")
    assert (tmp_path / ("a" * length)).read_bytes() == b"x"


def test_a_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "a"
    path.write_text("before")
    with pytest.raises(RuntimeError), replacing(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert path.read_text() == "before" and os.listdir(tmp_path) == ["a"]


REFUSED = {
    "a folder": ("folder{}", "Is a directory"),
    "a pipe": ("pipe{}", "Not a regular file"),
    "no folder": ("nowhere/a{}", "No such file or directory"),
    "a file for a folder": ("file/a{}", "Not a directory"),
    "no place for files": ("/proc/a{}", "No such file or directory"),
    "too long a name": ("a" * 300 + "{}", "File name too long"),
}
COMMANDS = {
    ".json": "certify linear 2 2 --save",
    ".svg": "plot filtration linear 2 2 --out",
    ".csv": "results store.db --out",
}


@pytest.fixture(params=REFUSED)
def place(tmp_path, monkeypatch, request):
    """The name of a file that cannot be written, but for its end, and why."""
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("a file")
    clexact.Store("store.db").close()
    for suffix in ("", *COMMANDS):
        Path(f"folder{suffix}").mkdir()
        os.mkfifo(f"pipe{suffix}")
    return REFUSED[request.param]


def test_what_cannot_be_written_is_refused_before_and_by_the_writer(place):
    path, before = Path(place[0].format("")), sorted(Path().rglob("*"))
    for refuse in (check_place, lambda path: write_atomically(path, b"x")):
        with pytest.raises(OSError, match=re.escape(place[1])) as error:
            refuse(path)
        assert error.value.filename == str(path)
    assert sorted(Path().rglob("*")) == before


def test_a_device_stays_a_device():
    """Root may replace it by a file."""
    for refuse in (check_place, lambda path: write_atomically(path, b"x")):
        with pytest.raises(OSError, match="Not a regular file"):
            refuse(Path("/dev/full"))
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


@pytest.mark.parametrize(("suffix", "command"), COMMANDS.items())
def test_commands_refuse_before_the_work(place, suffix, command, monkeypatch, capsys):
    """One sentence and status 2; nothing is computed or read."""
    path = place[0].format(suffix)
    for owner, work in ((cli, "certify"), (cli.plot_command, "certify"), (clexact.Store, "rows")):
        monkeypatch.setattr(owner, work, lambda *_, **__: pytest.fail("it worked first"))
    assert cli.run([*command.split(), path]) == 2
    out, err = capsys.readouterr()
    assert not out and re.fullmatch(rf"clexact \w+: error: cannot open {re.escape(repr(path))}: {place[1]}\.\n", err)


def test_the_folder_of_findings(tmp_path):
    """Its folders are probed, and the permissions of its files are those of the umask."""
    before = os.umask(0o022)
    try:
        store = Archive(tmp_path / "out", None, 0)
        store.open()
        assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
        (tmp_path / "file").write_text("")
        with pytest.raises(FileExistsError):
            Archive(tmp_path / "file", None, 0).open()
    finally:
        os.umask(before)


def test_a_new_store_has_the_permissions_of_the_umask(tmp_path, umask):
    clexact.Store(tmp_path / "s.db").close()
    assert mode(tmp_path / "s.db") == 0o666 & ~umask


@pytest.mark.parametrize("words", ["certify --system /dev/zero", "orbit linear 2 2 --at /dev/zero", "verify /dev/zero"])
def test_what_never_ends_is_not_read(words, monkeypatch, capsys):
    """Before, it was read until the memory was full."""
    monkeypatch.setattr(files, "MOST_READ", 2**20)
    assert cli.run(words.split()) == 2
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1
    assert ("more than 1 MiB, which is not read." if "orbit" not in words else "the start must be one of") in err


def test_verify_knows_before_that_a_file_is_missing(tmp_path, capsys):
    certificate(tmp_path / "a.json")
    assert cli.run(["verify", str(tmp_path / "a.json"), str(tmp_path / "missing.json")]) == 2
    out, err = capsys.readouterr()
    assert not out and "missing.json': No such file or directory." in err


@pytest.mark.slow
def test_a_full_disk_behind_the_output_is_said_in_one_sentence():
    words = [sys.executable, "-m", "clexact", "certify", "linear", "1", "1"]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with open("/dev/full", "w") as full:
        done = subprocess.run(words, env=buffered, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2 and done.stderr == "clexact certify: error: No space left on device.\n"


def test_texts_are_read_with_any_line_ends(tmp_path):
    (tmp_path / "a.ode").write_bytes(b"x' = y\r\ny' = x\r---\n x' = 1")
    assert read_text(tmp_path / "a.ode") == "x' = y\ny' = x\n---\n x' = 1"
