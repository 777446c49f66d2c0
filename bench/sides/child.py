"""One side in a process: `python -m bench.sides.child NAME TASK`, TASK being a `Task` as JSON.

In: lines on stdin, "sentence" or "first_packet".  Out: on stdout one line of JSON for what the side
is and then one for each line of stdin; what the side itself prints goes to stderr.  The Python
that runs it needs only what the side needs, and this repository as its folder.
"""

import importlib
import json
import os
import sys
from dataclasses import asdict

from bench.sides.task import Side, Task

REQUESTS = ("sentence", "first_packet")


def main(name: str, task: str) -> None:
    """Serve requests until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    side: Side = importlib.import_module(f"bench.sides.{name}").load(Task(**json.loads(task)))
    about = {"about": side.about, "first_packet_way": side.first_packet_way}
    print(json.dumps(about), file=answers, flush=True)
    for line in sys.stdin:
        request = line.strip()
        if request not in REQUESTS:
            raise ValueError(f"request {request!r}: one of {', '.join(REQUESTS)} is allowed")
        print(json.dumps(asdict(getattr(side, request)())), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
