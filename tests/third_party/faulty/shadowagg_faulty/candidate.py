"""One way to misbehave per function; the parameter `candidate` of the window names it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from shadowagg_toy.candidate import turnover as good


def turnover(context):
    return globals()[context.window.parameters["candidate"]](context)


def behaves(context):
    return good(context)


def raises(context):
    raise ZeroDivisionError("the candidate broke")


def sleeps_for_ever(context):
    while True:
        time.sleep(3600)


def ignores_sigterm(context):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sleeps_for_ever(context)


def grows_in_python(context):
    hoard = []
    while True:
        hoard.append(bytearray(os.urandom(1 << 20) * 16))


def grows_in_arrow(context):
    hoard = []
    while True:
        hoard.append(pc.random(4 << 20))


def gives_wrong_types(context):
    table = good(context)
    index = table.column_names.index("amount")
    return table.set_column(index, "amount", table.column("amount").cast(pa.string()))


def gives_no_table(context):
    return None


def loses_a_row(context):
    return good(context).slice(1)


def doubles_a_row(context):
    table = good(context)
    return pa.concat_tables([table, table.slice(0, 1)])


def differs_from_itself(context):
    table = good(context)
    noise = pa.repeat(float(time.time_ns() % 1_000_003), table.num_rows)
    index = table.column_names.index("amount")
    return table.set_column(index, "amount", pc.add(table.column("amount"), noise))


def leaves_a_grandchild(context):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    return good(context)


def leaves_a_temporary_file(context):
    import tempfile

    Path(tempfile.mkdtemp(), "left").write_text("behind")
    return good(context)


def dies(context):
    os.kill(os.getpid(), signal.SIGKILL)


def exits(context):
    os._exit(7)
