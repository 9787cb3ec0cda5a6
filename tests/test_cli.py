"""The `fixlab` command: the demo, the notebooks, and what a user changed is never lost."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pandas as pd
import pytest

import fixlab
from fixlab.cli import _demo, _folder, _lab, main
from fixlab.cli._folder import LIST_NAME, Fate, Folder
from fixlab.errors import FixLabError
from fixlab.rules import RULES

PAGE = "index.html"
PICTURES = ("sequence-sell.png", "sequence-buy.png", "ladder.png")
FRAMES = ("transitions.csv", "gaps.csv", "flights.csv")
FILES = {PAGE, *PICTURES, *FRAMES}
PNG = b"\x89PNG\r\n"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """What `python -m fixlab demo` leaves behind and prints, without a display."""
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "fixlab", "demo"],
        cwd=folder,
        env={"PATH": "", "HOME": str(folder), "MPLBACKEND": "tkagg", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return folder / "fixlab-demo", done.stdout


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo without its pictures, which take most of its time."""
    monkeypatch.setattr(_demo, "_pictures", lambda transitions, lab: [])


class TestDemo:
    def test_it_writes_the_page_the_pictures_and_the_frames(
        self, demo: tuple[Path, str]
    ) -> None:
        folder, _ = demo
        assert {p.name for p in folder.iterdir()} == {*FILES, LIST_NAME}
        for name in PICTURES:
            assert (folder / name).read_bytes().startswith(PNG)

    def test_the_story_holds_what_it_tells(self, demo: tuple[Path, str]) -> None:
        folder, text = demo
        gaps = pd.read_csv(folder / "gaps.csv")
        assert set(gaps["session"]) == {"FIX.4.4:BUY->SELL", "FIX.4.4:SELL->BUY"}
        assert {"resent", "mixed"} <= set(gaps["how"])
        rows = pd.read_csv(folder / "transitions.csv", keep_default_na=False)
        assert {"RESENT", "FILL_SENT", "GAP_CLOSED", "QUEUED", "RESET_BOTH"} <= set(
            rows["kind"]
        )
        assert rows["state"].iloc[-1] == "DISCONNECTED"
        flights = pd.read_csv(folder / "flights.csv", keep_default_na=False)
        assert (flights["fate"] == "LOST").sum() == 3
        for title in ("Two orders are lost", "Back again, both behind", "A fresh start"):
            assert title in text

    def test_it_prints_ladder_gaps_rules_and_what_to_do_next(
        self, demo: tuple[Path, str]
    ) -> None:
        folder, text = demo
        assert "FIX.4.4 session of BUY and SELL" in text
        assert "---X " in text
        assert re.search(r"FIX\.4\.4:SELL->BUY +4 +5 +6 +1 +resent", text)
        rows = pd.read_csv(folder / "transitions.csv", keep_default_na=False)
        for name in set(rows["rule"]) - {""}:
            assert f"\n{name} {RULES[name].title}\n" in text
        assert all(name in text for name in FILES)
        assert "fixlab lab" in text
        assert max(map(len, text.splitlines())) <= 100

    def test_the_page_needs_nothing_else(self, demo: tuple[Path, str]) -> None:
        folder, _ = demo
        page = (folder / PAGE).read_text(encoding="utf-8")
        assert page.count('src="data:image/png;base64,') == len(PICTURES)
        # Neither a script nor anything that is fetched.
        assert not re.search(r"<script|<link|@import|url\(|(src|href)=\"(?!data:)", page)
        assert "color-scheme: light dark" in page
        assert "FIX.4.4:SELL-&gt;BUY" in page
        assert "SELL->BUY" not in page
        assert not re.search(r">(NaN|NaT|None)<", page)
        assert "&lt;NA&gt;" not in page

    def test_two_runs_give_the_same_bytes(
        self, demo: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder, text = demo
        assert main(["demo", "--out", str(tmp_path / "x")]) == 0
        for name in FILES:
            assert (tmp_path / "x" / name).read_bytes() == (folder / name).read_bytes(), name
        printed = capsys.readouterr().out
        assert printed.replace(str(tmp_path / "x"), "fixlab-demo") == text

    @pytest.mark.usefixtures("quick")
    def test_a_second_run_and_another_seed_replace_its_own_files(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["demo", "--out", str(tmp_path)]) == 0
        before = (tmp_path / "transitions.csv").read_bytes()
        assert main(["demo", "--out", str(tmp_path), "--seed", "8"]) == 0
        assert (tmp_path / "transitions.csv").read_bytes() != before
        assert {p.name for p in tmp_path.iterdir()} == {PAGE, *FRAMES, LIST_NAME}
        assert "it was kept" not in capsys.readouterr().out

    @pytest.mark.usefixtures("quick")
    def test_a_file_of_the_users_is_kept_and_named(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / PAGE).write_text("mine")
        assert main(["demo", "--out", str(tmp_path)]) == 0
        assert (tmp_path / PAGE).read_text() == "mine"
        assert "<h1>" in (tmp_path / "index.new.html").read_text(encoding="utf-8")
        printed = capsys.readouterr().out
        assert "index.new.html" in printed
        assert (
            "index.html was not written by fixlab, or you changed it: it was kept." in printed
        )


@pytest.mark.usefixtures("quick")
class TestErrors:
    def test_a_folder_that_cannot_be_made_is_one_line_on_stderr(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "file").write_text("mine")
        assert main(["demo", "--out", str(tmp_path / "file" / "deeper")]) == 1
        error = capsys.readouterr().err
        assert re.fullmatch(r"fixlab: .*Not a directory.*\n", error)
        assert (tmp_path / "file").read_text() == "mine"

    def test_out_that_is_a_file_is_left_alone(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "file").write_text("mine")
        assert main(["demo", "--out", str(tmp_path / "file")]) == 1
        assert capsys.readouterr().err.count("\n") == 1
        assert (tmp_path / "file").read_text() == "mine"

    def test_a_reader_that_has_seen_enough(self, tmp_path: Path) -> None:
        # As `fixlab demo | head -1`, with output that is flushed at every line.
        code = (
            "import sys\n"
            "sys.stdout.reconfigure(line_buffering=True)\n"
            "from fixlab.cli import main\n"
            "sys.exit(main(['demo']))\n"
        )
        child = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        error = child.stderr.read()
        child.stderr.close()
        assert (child.wait(timeout=60), error) == (141, b"")

    @pytest.mark.parametrize(
        "words",
        [["dmo"], ["demo", "--seed", "x"], ["lab", "--port", "99999"], ["lab", "--port", "-1"]],
    )
    def test_a_command_line_without_sense_is_2(
        self, words: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as caught:
            main(words)
        assert caught.value.code == 2
        assert words[-1] in capsys.readouterr().err

    def test_no_command_shows_the_help(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([]) == 2
        assert "fixlab demo" in capsys.readouterr().out


class TestHelp:
    def test_version(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as caught:
            main(["--version"])
        assert caught.value.code == 0
        assert capsys.readouterr().out == f"fixlab {fixlab.__version__}\n"

    def test_help_names_the_commands_and_comes_without_pandas(self) -> None:
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "fixlab", "--help"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0
        for word in ("demo", "lab", "--version"):
            assert word in done.stdout
        assert not re.search(r"\| +(pandas|numpy|matplotlib)$", done.stderr, re.M)


class TestFolder:
    def put(self, folder: Path, content: bytes, name: str = "a.ipynb") -> tuple[str, Fate]:
        placed = Folder(folder).put(name, content)
        assert placed.name == name
        return placed.path, placed.fate

    def test_a_new_file_is_written_and_then_the_same(self, tmp_path: Path) -> None:
        assert self.put(tmp_path / "new", b"1") == ("a.ipynb", Fate.WRITTEN)
        assert self.put(tmp_path / "new", b"1") == ("a.ipynb", Fate.SAME)
        assert (tmp_path / "new" / "a.ipynb").read_bytes() == b"1"

    def test_an_untouched_file_is_replaced_by_a_newer_version(self, tmp_path: Path) -> None:
        self.put(tmp_path, b"1")
        assert self.put(tmp_path, b"2") == ("a.ipynb", Fate.WRITTEN)
        assert (tmp_path / "a.ipynb").read_bytes() == b"2"

    def test_an_edited_file_is_kept_when_there_is_nothing_new(self, tmp_path: Path) -> None:
        self.put(tmp_path, b"1")
        (tmp_path / "a.ipynb").write_bytes(b"mine")
        assert self.put(tmp_path, b"1") == ("a.ipynb", Fate.KEPT)
        assert {p.name for p in tmp_path.iterdir()} == {"a.ipynb", LIST_NAME}

    def test_an_edited_file_is_kept_and_the_newer_version_goes_beside_it(
        self, tmp_path: Path
    ) -> None:
        self.put(tmp_path, b"1")
        (tmp_path / "a.ipynb").write_bytes(b"mine")
        assert self.put(tmp_path, b"2") == ("a.new.ipynb", Fate.BESIDE)
        assert (tmp_path / "a.ipynb").read_bytes() == b"mine"
        assert (tmp_path / "a.new.ipynb").read_bytes() == b"2"
        # Offered once: it does not come back when the user has dealt with it.
        (tmp_path / "a.new.ipynb").unlink()
        assert self.put(tmp_path, b"2") == ("a.ipynb", Fate.KEPT)
        # The next version takes the place of an offer that was not touched.
        assert self.put(tmp_path, b"3") == ("a.new.ipynb", Fate.BESIDE)
        assert self.put(tmp_path, b"4") == ("a.new.ipynb", Fate.BESIDE)
        assert (tmp_path / "a.new.ipynb").read_bytes() == b"4"

    def test_an_offer_that_was_edited_is_kept_too(self, tmp_path: Path) -> None:
        self.put(tmp_path, b"1")
        (tmp_path / "a.ipynb").write_bytes(b"mine")
        self.put(tmp_path, b"2")
        (tmp_path / "a.new.ipynb").write_bytes(b"mine too")
        assert self.put(tmp_path, b"3") == ("a.new2.ipynb", Fate.BESIDE)
        assert (tmp_path / "a.new.ipynb").read_bytes() == b"mine too"

    def test_a_file_that_was_there_before_is_the_users(self, tmp_path: Path) -> None:
        (tmp_path / "a.ipynb").write_bytes(b"mine")
        assert self.put(tmp_path, b"1") == ("a.new.ipynb", Fate.BESIDE)
        assert (tmp_path / "a.ipynb").read_bytes() == b"mine"

    def test_a_deleted_file_comes_back(self, tmp_path: Path) -> None:
        self.put(tmp_path, b"1")
        (tmp_path / "a.ipynb").unlink()
        assert self.put(tmp_path, b"1") == ("a.ipynb", Fate.WRITTEN)

    @pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff", b'{"a.ipynb": 1}'])
    def test_a_damaged_list_never_costs_a_file(self, tmp_path: Path, damage: bytes) -> None:
        self.put(tmp_path, b"1")
        (tmp_path / LIST_NAME).write_bytes(damage)
        assert self.put(tmp_path, b"2") == ("a.new.ipynb", Fate.BESIDE)
        assert (tmp_path / "a.ipynb").read_bytes() == b"1"

    def test_a_link_is_not_followed_and_a_folder_not_replaced(self, tmp_path: Path) -> None:
        target = tmp_path / "elsewhere"
        target.write_bytes(b"1")
        folder = tmp_path / "folder"
        self.put(folder, b"1")
        (folder / "a.ipynb").unlink()
        (folder / "a.ipynb").symlink_to(target)
        assert self.put(folder, b"2")[1] is Fate.WRITTEN
        assert target.read_bytes() == b"1"
        (folder / "b.ipynb").mkdir()
        assert self.put(folder, b"2", "b.ipynb") == ("b.new.ipynb", Fate.BESIDE)
        (folder / "c.ipynb").symlink_to(tmp_path / "nowhere")
        assert self.put(folder, b"2", "c.ipynb") == ("c.new.ipynb", Fate.BESIDE)

    def test_names_in_a_folder_below_work_as_well(self, tmp_path: Path) -> None:
        assert self.put(tmp_path, b"1", "data/x.csv") == ("data/x.csv", Fate.WRITTEN)
        (tmp_path / "data/x.csv").write_bytes(b"mine")
        assert self.put(tmp_path, b"2", "data/x.csv") == ("data/x.new.csv", Fate.BESIDE)

    def test_it_gives_up_when_everything_is_taken(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_folder, "_BESIDE_MAX", 2)
        for name in ("a.ipynb", "a.new.ipynb", "a.new2.ipynb"):
            (tmp_path / name).write_bytes(b"mine")
        with pytest.raises(FixLabError, match=r"a\.ipynb and 2 files beside it"):
            self.put(tmp_path, b"1")

    def test_a_failed_write_leaves_the_old_file_and_nothing_else(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.put(tmp_path, b"1")

        def full(self: Path, target: Path) -> Path:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "replace", full)
        with pytest.raises(OSError, match="No space left"):
            self.put(tmp_path, b"2")
        assert {p.name for p in tmp_path.iterdir()} == {"a.ipynb", LIST_NAME}
        assert (tmp_path / "a.ipynb").read_bytes() == b"1"
        assert set(json.loads((tmp_path / LIST_NAME).read_text())) == {"a.ipynb"}


class FakeServer:
    """Stands in for JupyterLab: remembers how it was started and ends as it is told."""

    started: ClassVar[list[list[str]]] = []
    interrupts = 0

    def __init__(self, words: list[str]) -> None:
        self.started.append(words)
        self.terminated = False

    def wait(self, timeout: float | None = None) -> int:
        if type(self).interrupts:
            type(self).interrupts -= 1
            raise KeyboardInterrupt
        if timeout is not None and not self.terminated:
            raise subprocess.TimeoutExpired("jupyterlab", timeout)
        return 3

    def terminate(self) -> None:
        self.terminated = True


class TestLab:
    @pytest.fixture(autouse=True)
    def home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        home = tmp_path / "home"
        for name in ("00_first_session.ipynb", "01_x.ipynb", "data/y.csv"):
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text(f"{name}, version 1")
        (home / ".ipynb_checkpoints").mkdir()
        (home / ".ipynb_checkpoints" / "01_x-checkpoint.ipynb").write_text("not for you")
        monkeypatch.setattr(_lab, "notebooks_home", lambda: home)
        return home

    @pytest.fixture(autouse=True)
    def server(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(FakeServer, "started", [])
        monkeypatch.setattr(FakeServer, "interrupts", 0)
        monkeypatch.setattr("fixlab.cli._lab.subprocess.Popen", FakeServer)

    def test_it_copies_and_opens_jupyterlab_on_this_machine_only(self, tmp_path: Path) -> None:
        folder = tmp_path / "mine"
        assert main(["lab", str(folder)]) == 3
        copied = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
        assert copied == {"00_first_session.ipynb", "01_x.ipynb", "data/y.csv", LIST_NAME}
        (words,) = FakeServer.started
        assert words[:3] == [sys.executable, "-m", "jupyterlab"]
        assert "--ServerApp.ip=127.0.0.1" in words
        assert f"--ServerApp.root_dir={folder}" in words
        assert "--no-browser" not in words
        assert not any("port" in word for word in words)

    def test_options_are_passed_on(self, tmp_path: Path) -> None:
        main(["lab", str(tmp_path / "mine"), "--no-browser", "--port", "9001"])
        (words,) = FakeServer.started
        assert {"--no-browser", "--ServerApp.port=9001"} <= set(words)

    def test_edits_survive_and_a_newer_version_is_offered(
        self, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = tmp_path / "mine"
        main(["lab", str(folder)])
        (folder / "01_x.ipynb").write_text("edited")
        main(["lab", str(folder)])
        assert "Kept as you changed them: 01_x.ipynb" in capsys.readouterr().out
        for name in ("00_first_session.ipynb", "01_x.ipynb"):
            (home / name).write_text("version 2")
        main(["lab", str(folder)])
        assert (folder / "00_first_session.ipynb").read_text() == "version 2"
        assert (folder / "01_x.ipynb").read_text() == "edited"
        assert (folder / "01_x.new.ipynb").read_text() == "version 2"
        printed = capsys.readouterr().out
        assert (
            "You changed 01_x.ipynb, so it stays; the new version is 01_x.new.ipynb" in printed
        )

    def test_without_jupyterlab_it_says_how_to_install_it(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr(_lab, "find_spec", lambda name: None)
        assert main(["lab", str(tmp_path / "mine")]) == 1
        assert "pip install 'fixlab[lab]'" in capsys.readouterr().err
        assert not (tmp_path / "mine").exists()
        assert FakeServer.started == []

    @pytest.mark.parametrize("interrupts", [1, 2])
    def test_ctrl_c_ends_it_quietly(
        self, interrupts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(FakeServer, "interrupts", interrupts)
        assert main(["lab", str(tmp_path / "mine")]) == 0


class TestNotebooksHome:
    @pytest.mark.parametrize("place", ["fixlab/_notebooks", "notebooks"])
    def test_inside_an_installed_package_or_beside_it_in_a_checkout(
        self, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_lab, "PACKAGE", tmp_path / "fixlab")
        with pytest.raises(FixLabError, match="no notebooks found"):
            _lab.notebooks_home()
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "00_first_session.ipynb").write_text("{}")
        assert _lab.notebooks_home() == tmp_path / place
