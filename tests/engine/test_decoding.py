"""Decoding in several threads at once, in a process of its own: what goes wrong there takes the process with it."""

import subprocess
import sys

_STRESS = """
import sys, threading
import msgspec
from dockersweep.engine.api import decoding

sys.setswitchinterval(1e-6)
for number in range(400):
    inner = msgspec.defstruct("Inner", [(f"field_{field}", "int | None", None) for field in range(20)])
    outer = msgspec.defstruct("Outer", [("inner", list[inner]), ("more", dict[str, inner] | None, None)])
    start = threading.Barrier(4)
    decode = decoding.decode if sys.argv[1] == "ours" else lambda data, shape: msgspec.json.decode(data, type=shape)

    def work():
        start.wait()
        decode(b'{"inner": [{"field_1": 1}]}', outer)

    threads = [threading.Thread(target=work) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
"""


def test_a_type_may_be_met_by_several_threads_at_once() -> None:
    done = subprocess.run([sys.executable, "-c", _STRESS, "ours"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:]
