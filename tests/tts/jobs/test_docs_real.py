"""What docs/protocols/jobs.md tells receivers of call-backs to run."""

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import playwright
import pytest

from tts.jobs.webhook import signature

pytestmark = pytest.mark.real

PAGE = (Path(__file__).parents[3] / "docs" / "protocols" / "jobs.md").read_text(encoding="utf-8")
# Playwright, which the tests of the page need too, brings one along.
NODE = Path(playwright.__file__).parent / "driver" / "node"

SECRET, BODY = "geheim", '{"state": "done", "text": "naïve 好"}'.encode()


def code(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def in_python(header: str, body: bytes) -> bool:
    names: dict[str, Any] = {}
    exec(code("python"), names)
    return bool(names["verified"](SECRET, header, body))


def in_node(header: str, body: bytes) -> bool:
    call = (
        f"verified({json.dumps(SECRET)}, {json.dumps(header)}, Buffer.from('{body.hex()}', 'hex'))"
    )
    done = subprocess.run(
        [str(NODE), "-e", f"{code('js')}\nconsole.log({call})"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return {"true\n": True, "false\n": False}[done.stdout]


@pytest.mark.parametrize("verified", [in_python, in_node])
def test_the_code_of_the_page_tells_true_call_backs_from_others(verified: Any) -> None:
    now_s = int(time.time())
    header = signature(SECRET, BODY, now_s)
    assert verified(header, BODY)
    assert not verified(header, BODY + b" ")
    assert not verified(signature("another", BODY, now_s), BODY)
    assert not verified(header.replace(f"t={now_s}", f"t={now_s - 1}"), BODY)
    assert not verified(signature(SECRET, BODY, now_s - 301), BODY)
    for broken in ("", "t=", "v1=", f"t={now_s}", f"t={now_s},v1=", f"t={now_s},v1=zz", "t=x,v1=y"):
        assert not verified(broken, BODY)
