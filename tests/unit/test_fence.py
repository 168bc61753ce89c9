"""Whatever a task does: an outcome in time, no process and no temporary file left."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import shadowagg
from shadowagg.errors import UserError
from shadowagg.fence import Limits, Outcome, private_folder, run_fenced
from shadowagg.fence.processes import descendants
from shadowagg.observation import Cause

# Processes, signals and memory: the kernel and Python, no package.
pytestmark = pytest.mark.once

HERE = Path(__file__).parent
MEBIBYTE = 2**20


def processes_with(mark):
    """Processes that carry the mark in their environment; ended ones carry nothing."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and mark.encode() in (folder / "environ").read_bytes():
                found.append(f"{folder.name} {(folder / 'cmdline').read_bytes()}")
        except OSError:
            continue
    return found


def open_descriptors():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def command_line(pid):
    """Empty for a process that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def parent(pid):
    """None for a process that has ended."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def new_descendants(foreign):
    """The processes below this one, without foreign ones, below which they come and go."""
    known = {below for pid in foreign for below in (pid, *descendants(pid))}
    return [pid for pid in descendants(os.getpid()) if pid not in known]


def eventually(condition, *, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


@pytest.fixture
def mark(monkeypatch):
    text = uuid.uuid4().hex
    monkeypatch.setenv("FENCE_TEST_MARK", text)
    return text


@pytest.fixture
def foreign():
    """Our children before the test: what other tests of the session keep, such as a browser."""
    ours = os.getpid()
    return [pid for pid in descendants(ours) if parent(pid) == ours]


@pytest.fixture(autouse=True)
def nothing_left(temporary, mark, foreign, monkeypatch):
    """Holds for every test of this file."""
    known = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", f"{HERE}{os.pathsep}{known}" if known else str(HERE))
    descriptors = open_descriptors()
    yield
    assert open_descriptors() == descriptors
    assert processes_with(mark) == []
    assert new_descendants(foreign) == []  # no zombie either
    assert list(temporary.iterdir()) == []


@pytest.fixture
def folder(tmp_path):
    run = tmp_path / "run"
    run.mkdir(mode=0o700)
    return run


@pytest.fixture
def fenced(folder):
    """Run a task of `fence_tasks`; the next one must work, whatever this one did."""

    def run(task, request=None, **limits):
        limits = {"seconds": 20.0, "grace_seconds": 0.3, **limits}
        outcome = run_fenced(
            f"fence_tasks:{task}", request or {}, folder=folder, limits=Limits(**limits)
        )
        assert isinstance(outcome, Outcome)
        assert (outcome.value is None) == (outcome.fault is not None)
        again = run_fenced("fence_tasks:answer", {"n": 1}, folder=folder)
        assert again.value == {"asked": {"n": 1}, "folder": str(folder)}
        assert again.left_behind == ()
        return outcome

    return run


@pytest.fixture
def fenced_once_started(fenced, folder):
    """Run a task for a short time, but, on a busy machine, until it has begun."""

    def run(task):
        for seconds in (0.3, 1.5, 7.5):
            outcome = fenced(task, seconds=seconds)
            if (folder / "started").exists():
                break
        return outcome

    return run


# --- tasks that return ---------------------------------------------------------------------------


def test_a_task_gets_request_and_folder_and_its_value_comes_back(fenced, folder):
    request = {"schema": "org1", "days": [1, 2.5, None], "label": 'é\n"\U0001f600'}
    outcome = fenced("answer", request)
    assert outcome.value == {"asked": request, "folder": str(folder)}
    assert outcome.fault is None
    assert outcome.left_behind == ()
    assert (folder / "rows.arrow").read_bytes() == b"rows"


def test_a_trivial_task_costs_a_fraction_of_a_second(folder):
    def seconds():
        begun = time.monotonic()
        assert run_fenced("fence_tasks:answer", {}, folder=folder).fault is None
        return time.monotonic() - begun

    assert min(seconds() for _ in range(5)) < 1  # about 0.08 s on an idle machine


def test_the_worker_lives_in_surroundings_of_its_own(fenced, temporary, monkeypatch):
    monkeypatch.setenv("ORDINARY", "inherited")
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    python_path = os.environ["PYTHONPATH"]
    seen = fenced("surroundings", {"s3": {"secret_key": "hunter22"}}, threads=1).value
    assert seen["threads"] == 1
    assert seen["environment"]["ORDINARY"] == "inherited"
    assert seen["environment"]["PYTHONPATH"] == python_path
    assert Path(seen["temporary"]).is_relative_to(temporary)
    assert Path(seen["temporary"]) != temporary
    assert seen["descriptors"][:3] == [0, 1, 2]
    assert len(seen["descriptors"]) <= 4  # and the one that lists them
    assert seen["oom_score_adj"] > 0
    assert seen["group"]
    assert seen["session"]
    arguments = seen["arguments"] + seen["command_line"] + seen["supervisor"]
    assert "hunter22" not in arguments
    assert "shadowagg.fence" in arguments


def test_the_supervisor_is_light():
    program = (
        "import sys; before = set(sys.modules); import shadowagg.fence\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    output = subprocess.check_output([sys.executable, "-P", "-c", program], text=True)
    heavy = {"pyarrow", "pandas", "numpy", "click", "subprocess", "socket", "logging", "tempfile"}
    assert set() == heavy.intersection(output.split())


def test_a_task_is_found_where_the_caller_finds_it(folder, monkeypatch):
    monkeypatch.delenv("PYTHONPATH")
    monkeypatch.syspath_prepend(str(HERE))
    outcome = run_fenced("fence_tasks:answer", {}, folder=folder)
    assert outcome.fault is None


def test_times_and_memory_include_what_the_task_started(fenced):
    outcome = fenced("burn")
    assert 0.6 <= outcome.cpu_seconds < 5
    assert 0.6 <= outcome.wall_seconds < 10


def test_the_peak_is_the_memory_held(fenced):
    outcome = fenced("hold", {"bytes": 200 * MEBIBYTE})
    assert 200 * MEBIBYTE <= outcome.peak_memory_bytes < 260 * MEBIBYTE


def test_a_large_value_comes_back_whole(fenced):
    assert fenced("much").value == {"text": "x" * 50_000_000}


def test_a_large_request_arrives_whole(fenced):
    text = "y" * 5_000_000
    assert fenced("answer", {"text": text}).value["asked"] == {"text": text}


def test_a_value_that_is_no_json_is_an_error(fenced):
    fault = fenced("unserialisable").fault
    assert fault.cause is Cause.ERROR
    assert "not JSON serializable" in fault.message


def test_a_value_that_is_no_mapping_is_an_error(fenced):
    fault = fenced("no_mapping").fault
    assert fault.cause is Cause.ERROR
    assert fault.message == "TypeError: fence_tasks:no_mapping returned list, not a mapping"


def test_a_request_that_is_no_json_is_the_callers_error(folder):
    with pytest.raises(TypeError, match="not JSON serializable"):
        run_fenced("fence_tasks:answer", {"x": object()}, folder=folder)


def test_a_task_that_does_not_exist_is_an_error(fenced):
    assert "AttributeError" in fenced("no_such_task").fault.message


def test_printed_text_is_not_taken_for_a_result(fenced):
    assert fenced("prints_a_result").value == {"forged": False}


def test_printed_text_is_bounded(fenced):
    assert fenced("prints_megabytes").value["largest"] < 40 * MEBIBYTE  # of 80 printed


def test_a_fenced_task_may_use_the_fence(fenced, folder):
    outcome = fenced("calls_run_fenced")
    assert outcome.value == {"inner": {"asked": {"depth": 2}, "folder": str(folder)}}
    assert outcome.left_behind == ()


# --- tasks that raise ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "cause", "stage", "message"),
    [
        (
            "refused",
            Cause.REFUSED,
            "inputs",
            "inputs: two nodes of one name. Hint: mend the source",
        ),
        ("unreadable", Cause.UNREADABLE, "a.parquet", "a.parquet: it is cut short"),
        ("nonconforming", Cause.NONCONFORMING, "daily", "daily: a column is missing"),
        ("usage", Cause.USAGE, "window", "window: no such source"),
    ],
)
def test_an_error_that_explains_itself_has_no_traceback(fenced, error, cause, stage, message):
    fault = fenced("raises", {"error": error}).fault
    assert (cause, stage, message, "") == (fault.cause, fault.stage, fault.message, fault.detail)


@pytest.mark.parametrize(
    ("error", "cause", "stage", "message"),
    [
        ("error", Cause.ERROR, "daily", "it broke"),
        ("foreign", Cause.ERROR, "", "ZeroDivisionError: division by zero"),
        ("memory", Cause.MEMORY, "", "MemoryError: no more"),
        ("disk", Cause.DISK, "", "OSError: [Errno 28] No space left on device"),
        ("group", Cause.ERROR, "", "BaseExceptionGroup: several (1 sub-exception)"),
    ],
)
def test_any_other_error_has_its_traceback(fenced, error, cause, stage, message):
    fault = fenced("raises", {"error": error}).fault
    assert (cause, stage, message) == (fault.cause, fault.stage, fault.message)
    assert "fence_tasks.py" in fault.detail


def test_no_secret_gets_into_a_fault(fenced, monkeypatch):
    monkeypatch.setenv("STORE_PASSWORD", "correct horse")
    fault = fenced("tells_secrets", {"s3": {"bucket": "lake", "secret_key": "hunter22"}}).fault
    assert fault.message.startswith("RuntimeError: cannot log in with ('***', '***') at https:")
    for secret in ("correct horse", "hunter22", "opensesame"):
        assert secret not in fault.message + fault.detail


def test_an_error_that_cannot_be_said_is_an_error(fenced):
    assert fenced("raises_unspeakable").fault.message == "UnspeakableError: (it cannot say why)"


def test_a_long_error_is_shortened(fenced):
    fault = fenced("raises_at_length").fault
    assert len(fault.message) <= 2_000
    assert len(fault.detail) <= 20_000
    assert fault.detail.startswith("Traceback")


# --- tasks that do not end -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "task",
    ["sleeps", "ignores_sigterm", "ignores_everything", "pauses_in_c", "matches_for_ever"],
)
def test_a_task_that_does_not_end_is_ended(fenced, task):
    begun = time.monotonic()
    outcome = fenced(task, seconds=0.4)
    assert outcome.fault.cause is Cause.TIMEOUT
    assert outcome.fault.message == "it ran past its limit of 0.4 s"
    assert 0.4 <= outcome.wall_seconds < 8
    assert time.monotonic() - begun < 10


def test_a_timeout_shows_where_the_task_was(fenced_once_started):
    assert "in sleeps" in fenced_once_started("sleeps").fault.detail


def test_a_task_has_the_time_of_grace_to_clean_up(fenced_once_started, folder):
    fenced_once_started("cleans_up_when_ended")
    assert (folder / "cancelled").read_text() == "yes"


@pytest.mark.parametrize("task", ["grows", "grows_in_arrow", "grows_in_child"])
def test_a_task_that_grows_is_ended(fenced, task):
    fault = fenced(task, memory_bytes=300 * MEBIBYTE).fault
    assert fault.cause is Cause.MEMORY
    assert fault.message.startswith("resident memory grew to ")
    assert fault.message.endswith(" MiB, past the limit of 300 MiB")


@pytest.mark.parametrize("task", ["fills_the_folder", "fills_the_temporary_directory"])
def test_a_task_that_fills_the_disk_is_ended(fenced, task):
    fault = fenced(task, disk_bytes=20 * MEBIBYTE).fault
    assert fault.cause is Cause.DISK
    assert fault.message.startswith("files grew to ")


# --- tasks that leave something ------------------------------------------------------------------


@pytest.mark.parametrize("task", ["leaves_child", "leaves_orphan"])
def test_a_process_left_behind_is_ended_and_named(fenced, task):
    outcome = fenced(task)
    assert outcome.left_behind == ("process sleep",)
    assert [Path(f"/proc/{pid}").exists() for pid in outcome.value["pids"]] == [False]


def test_a_process_that_is_about_to_end_is_not_left_behind(fenced):
    assert fenced("leaves_short_child").left_behind == ()


def test_a_thread_left_behind_is_named_unless_it_is_a_daemon(fenced):
    outcome = fenced("leaves_thread")
    assert (outcome.value, outcome.left_behind) == ({}, ("thread endless",))


def test_exit_hooks_are_run(fenced, folder):
    assert fenced("leaves_exit_hook", {"hangs": False}).left_behind == ()
    assert (folder / "said goodbye").read_text() == "yes"


def test_an_exit_hook_that_hangs_is_ended_and_the_value_counts(fenced):
    outcome = fenced("leaves_exit_hook", {"hangs": True})
    assert (outcome.value, outcome.left_behind) == ({}, ("an exit hook that did not end",))


def test_temporary_files_left_behind_are_counted(fenced):
    assert fenced("leaves_files").left_behind == ("3 temporary files, 12288 bytes",)


# --- tasks that die ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "message", "said"),
    [
        ("_exit", "its process left with exit code 3", ""),
        ("exit", "its process left with exit code 4", ""),
        ("exit with text", "its process left with exit code 1", "good-bye"),
        ("kill", "its process was ended by SIGKILL (the kernel, for want of memory, or", ""),
        ("abort", "its process was ended by SIGABRT", "Fatal Python error: Aborted"),
        ("segfault", "its process was ended by SIGSEGV", "Segmentation fault"),
        ("terminate", "its process was ended by SIGTERM", "in dies"),
    ],
)
def test_a_task_that_dies_has_died(fenced, how, message, said):
    fault = fenced("dies", {"how": how}).fault
    assert fault.cause is Cause.DIED
    assert fault.message.startswith(message)
    assert said in fault.detail


def test_what_a_task_printed_last_is_the_detail(fenced):
    fault = fenced("prints_and_dies").fault
    assert fault.detail == "said on stdout\nsaid on stderr: \\udcff\n"


def test_the_worker_and_what_it_started_end_with_the_supervisor(fenced):
    outcome = fenced("kills_supervisor")
    assert outcome.fault.cause is Cause.DIED
    assert outcome.fault.message == "the fence's own process was ended"


# --- callers -------------------------------------------------------------------------------------


def test_several_run_at_once_in_threads(tmp_path, folder):
    def run(number):
        own = tmp_path / f"run{number}"
        own.mkdir()
        task, seconds = ("sleeps", 0.5) if number % 2 else ("answer", 20.0)
        limits = Limits(seconds=seconds, grace_seconds=0.2)
        return run_fenced(f"fence_tasks:{task}", {"n": number}, folder=own, limits=limits)

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(run, range(6)))
    values = [outcome.value and outcome.value["asked"]["n"] for outcome in outcomes]
    assert values == [0, None, 2, None, 4, None]
    causes = [outcome.fault.cause for outcome in outcomes if outcome.fault]
    assert causes == [Cause.TIMEOUT] * 3


@pytest.mark.parametrize("task", ["answer", "kills_supervisor"])
@pytest.mark.parametrize("reaper", ["ignored", "reaping"])
def test_the_caller_may_do_what_it_likes_about_sigchld(folder, task, reaper):
    def reap(*_):
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass

    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN if reaper == "ignored" else reap)
    try:
        outcome = run_fenced(f"fence_tasks:{task}", {}, folder=folder)
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert (outcome.fault is None) == (task == "answer")


def test_signals_that_the_caller_blocks_still_end_the_task(folder):
    signals = {signal.SIGTERM, signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        limits = Limits(seconds=0.3, grace_seconds=15)
        outcome = run_fenced("fence_tasks:sleeps", {}, folder=folder, limits=limits)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert outcome.fault.cause is Cause.TIMEOUT
    assert outcome.wall_seconds < 10  # SIGTERM has reached it


def _in_daemon(folder, pipe):
    pipe.send(run_fenced("fence_tasks:answer", {}, folder=folder).value)


def test_a_daemonic_process_may_use_the_fence(folder):
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_in_daemon, args=(folder, theirs), daemon=True)
    process.start()
    assert ours.recv() == {"asked": {}, "folder": str(folder)}
    process.join()
    process.close()
    ours.close()
    theirs.close()


def test_a_caller_whose_working_directory_is_gone_may_use_the_fence(tmp_path, folder, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert run_fenced("fence_tasks:answer", {}, folder=folder).fault is None


def test_a_module_in_the_working_directory_is_not_taken_for_the_librarys(
    tmp_path, folder, monkeypatch
):
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    (tmp_path / "shadowagg.py").write_text("raise SystemExit('the wrong shadowagg')")
    monkeypatch.chdir(tmp_path)
    assert run_fenced("fence_tasks:answer", {}, folder=folder).fault is None


@pytest.mark.parametrize("error", [KeyboardInterrupt, TimeoutError])
def test_an_exception_in_the_caller_ends_the_run_and_goes_on(folder, error, mark):
    """KeyboardInterrupt; and what a service's own time limit raises, an OSError perhaps."""

    def interrupt(*_):
        raise error

    before = signal.signal(signal.SIGUSR1, interrupt)
    main = threading.main_thread().ident

    def send():
        assert eventually((folder / "started").exists)
        signal.pthread_kill(main, signal.SIGUSR1)

    sender = threading.Thread(target=send)
    try:
        sender.start()
        with pytest.raises(error):
            run_fenced("fence_tasks:sleeps_with_child", {}, folder=folder)
        assert processes_with(mark) == []
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)


def test_an_interpreter_that_does_not_start_is_an_error(folder, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    outcome = run_fenced("fence_tasks:answer", {}, folder=folder)
    assert outcome.fault.cause is Cause.ERROR
    assert outcome.fault.message.startswith("the fence cannot start: [Errno 2]")


@pytest.mark.parametrize("program", ["false", "true"])
def test_a_supervisor_that_does_not_listen_has_died(folder, monkeypatch, program):
    monkeypatch.setattr(sys, "executable", f"/bin/{program}")
    outcome = run_fenced("fence_tasks:answer", {"text": "x" * 5_000_000}, folder=folder)
    assert outcome.fault.cause is Cause.DIED


def test_a_supervisor_that_hangs_does_not_hang_the_caller(tmp_path, folder, monkeypatch):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nsleep 600\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr("shadowagg.fence.call._STARTING_SECONDS", 0.5)
    monkeypatch.setattr("shadowagg.fence.call.CLEARING_SECONDS", 0.5)
    limits = Limits(seconds=0.2, grace_seconds=0.1)
    outcome = run_fenced("fence_tasks:answer", {}, folder=folder, limits=limits)
    assert outcome.fault.cause is Cause.TIMEOUT
    assert outcome.wall_seconds < 15


# --- where the fence itself is in trouble --------------------------------------------------------


@pytest.fixture
def in_the_supervisor(tmp_path, monkeypatch):
    """Python to run when the supervisor starts."""

    def put(program):
        (tmp_path / "sitecustomize.py").write_text(textwrap.dedent(program))
        package = Path(shadowagg.__file__).parents[1]
        places = (str(tmp_path), os.environ["PYTHONPATH"], str(package))
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(places))

    return put


@pytest.mark.parametrize(
    ("task", "cause"), [("leaves_child", None), ("sleeps", Cause.TIMEOUT), ("dies", Cause.DIED)]
)
def test_without_the_kernels_help_the_process_group_is_ended(
    folder, in_the_supervisor, task, cause
):
    """As on a system without `prctl` and `/proc`."""
    in_the_supervisor("""
        from shadowagg.fence import supervisor
        supervisor.adopt_orphans = lambda: False
        supervisor.descendants = lambda root: []
        supervisor.resident_bytes = lambda pid: 0
    """)
    limits = Limits(seconds=0.5, grace_seconds=0.2)
    outcome = run_fenced(f"fence_tasks:{task}", {"how": "kill"}, folder=folder, limits=limits)
    assert cause == (outcome.fault and outcome.fault.cause)
    assert outcome.peak_memory_bytes > 0
    for pid in (outcome.value or {}).get("pids", []):  # reaped by whoever adopts orphans
        assert eventually(lambda pid=pid: not command_line(pid))


def test_a_fence_that_fails_while_it_watches_ends_the_task_first(folder, in_the_supervisor, mark):
    in_the_supervisor("""
        from shadowagg.fence.supervisor import Supervisor
        def fail(self, now):
            if (self.order.folder / "started").exists():
                raise ZeroDivisionError("wrong by one")
        Supervisor._check = fail
    """)
    outcome = run_fenced("fence_tasks:sleeps_with_child", {}, folder=folder)
    assert outcome.fault.cause is Cause.ERROR
    assert outcome.fault.message == "ZeroDivisionError: wrong by one"
    assert outcome.left_behind[-2:] == ("process sleep", "process sleep")


def test_a_fence_that_cannot_be_imported_has_died_and_says_why(folder, in_the_supervisor):
    in_the_supervisor("""
        import sys
        sys.modules["shadowagg.fence.supervisor"] = None
    """)
    outcome = run_fenced("fence_tasks:answer", {}, folder=folder)
    assert outcome.fault.cause is Cause.DIED
    assert "import of shadowagg.fence.supervisor halted" in outcome.fault.detail


def test_no_place_for_temporary_files_is_an_error(folder, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    outcome = run_fenced("fence_tasks:answer", {}, folder=folder)
    assert outcome.fault.cause is Cause.ERROR
    assert outcome.fault.message.startswith("the fence cannot start: [Errno 2]")


# --- a caller that ends in the middle ------------------------------------------------------------

CALLER = """
    import sys
    from pathlib import Path
    from shadowagg.fence import private_folder, run_fenced

    with private_folder() as kept:
        (kept / "evidence").write_text("rows")
        outcome = run_fenced("fence_tasks:sleeps_with_child", {}, folder=Path(sys.argv[1]))
        print(outcome)
"""


@pytest.fixture
def caller(folder, mark):
    """A program in the middle of a fenced run, with everything that may be left."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CALLER), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert eventually((folder / "started").exists, seconds=10)
    # caller, supervisor, worker, child; the other child has no environment
    assert eventually(lambda: len(processes_with(mark)) == 4)
    with process:
        yield process


def nothing_of(mark, temporary):
    return not processes_with(mark) and not list(temporary.iterdir())


def test_a_caller_that_is_killed_leaves_nothing(caller, mark, temporary):
    tree = descendants(caller.pid)
    assert len(tree) == 4
    caller.kill()
    assert eventually(lambda: nothing_of(mark, temporary))
    assert eventually(lambda: not any(command_line(pid) for pid in tree))


def test_a_caller_that_is_terminated_leaves_nothing(caller, mark, temporary):
    caller.terminate()
    assert eventually(lambda: nothing_of(mark, temporary))


def test_a_caller_that_is_interrupted_ends_the_run_first(caller, mark, temporary):
    caller.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in caller.communicate(timeout=10)[1]
    assert nothing_of(mark, temporary)


def test_a_supervisor_that_is_killed_in_the_middle_has_died(caller, mark, temporary):
    (supervisor,) = (
        pid
        for pid in descendants(caller.pid)
        if b"shadowagg.fence" in command_line(pid)
        and f"PPid:\t{caller.pid}\n" in Path(f"/proc/{pid}/status").read_text()
    )
    tree = descendants(caller.pid)
    os.kill(supervisor, signal.SIGKILL)
    assert "the fence's own process was ended" in caller.communicate(timeout=10)[0]
    assert nothing_of(mark, temporary)
    # what has shed both the mark and the session is out of anybody's reach by then
    left = [pid for pid in tree if command_line(pid)]
    assert [command_line(pid) for pid in left] == [b"sleep\x00601\x00"]
    os.kill(left[0], signal.SIGKILL)


@pytest.mark.parametrize("kernel_keeps_lists", [True, False])
def test_descendants_are_found_at_any_depth(monkeypatch, foreign, kernel_keeps_lists):
    if not kernel_keeps_lists:
        monkeypatch.setattr("shadowagg.fence.processes._keeps_lists", lambda pid: False)
    with subprocess.Popen(["sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE) as sh:
        below = int(sh.stdout.readline())
        assert new_descendants(foreign) == [sh.pid, below]
        os.kill(below, signal.SIGKILL)


# --- limits, folders, by hand --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["seconds", "memory_bytes", "disk_bytes", "threads"])
def test_a_limit_of_nothing_is_refused(name):
    with pytest.raises(UserError, match=rf"limits: {name} is 0"):
        Limits(**{name: 0})


def test_a_private_folder_is_private_and_goes(temporary):
    with private_folder() as folder:
        assert folder.parent == temporary
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "below").mkdir()
        (folder / "below" / "file").write_text("text")
        (folder / "below").chmod(0)
        assert list(temporary.iterdir()) == [folder]
    assert list(temporary.iterdir()) == []


def test_a_private_folder_goes_after_an_error(temporary):
    with pytest.raises(ZeroDivisionError), private_folder():
        raise ZeroDivisionError
    assert list(temporary.iterdir()) == []


def test_a_private_folder_whose_owner_died_goes_with_the_next_one(temporary):
    program = (
        "import os; from shadowagg.fence import private_folder\n"
        "with private_folder(): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program], check=False)
    (orphan,) = temporary.iterdir()
    with private_folder() as living:
        assert set(temporary.iterdir()) == {orphan, living}  # too young to be judged
        hour_ago = time.time() - 3600
        for folder in (orphan, living):
            os.utime(folder, (hour_ago, hour_ago))
        with private_folder() as next_one:
            assert set(temporary.iterdir()) == {living, next_one}


def test_started_by_hand_it_says_one_line(mark):
    for how in ({"stdin": subprocess.DEVNULL}, {"input": json.dumps({"task": "x:y"})}):
        process = subprocess.run(
            [sys.executable, "-m", "shadowagg.fence"],
            capture_output=True,
            text=True,
            check=False,
            **how,
        )
        assert process.returncode == 2
        assert process.stdout == ""
        assert process.stderr.startswith("shadowagg.fence: no order on standard input. Hint:")
        assert process.stderr.count("\n") == 1
