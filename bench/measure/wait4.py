# Runs a command and writes what it took, as wait4(2) says of it and its children, which Node cannot ask of a child.
#   python3 wait4.py RESULT-FILE COMMAND [ARGUMENT]…
# A program of its own, and a small one, because a child's peak memory begins with that of the process it is forked from.
import json
import os
import signal
import sys
import time

started = time.monotonic()
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda got, _: os.kill(pid, got))
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], "w") as result:
    json.dump(
        {
            "wallSeconds": time.monotonic() - started,
            "userSeconds": usage.ru_utime,
            "systemSeconds": usage.ru_stime,
            "peakRssMiB": usage.ru_maxrss / 1024,
            "exitCode": os.waitstatus_to_exitcode(status),
        },
        result,
    )
