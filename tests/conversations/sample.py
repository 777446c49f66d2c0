"""The call in docs/turns-sample.jsonl: a whole session in virtual time, without words in its log.

`python -m tests.conversations.sample` writes it; then draw it again with
`parley replay docs/turns-sample.jsonl --timeline docs/turns-timeline.svg`.
"""

import json
from pathlib import Path

from agent.events import shown
from tests.conversations.harness import Call
from tests.fakes.llm import FakeLlm, Say
from tests.fakes.tts import FakeTts

SAMPLE = Path(__file__).parents[2] / "docs" / "turns-sample.jsonl"
ENDS_S = 20.0


def main() -> None:
    """Hold the call and write its log."""
    answers = [
        "Thank you. Your parcel left our warehouse this morning and will be with you on Friday "
        "before noon.",
        "Of course. It goes to your office then.",
    ]
    llm = FakeLlm([Say(answer) for answer in answers], first_token_s=0.25)
    call = Call(llm=llm, tts=FakeTts(first_chunk_s=0.1), stt_s=0.22)
    stopped_s = call.says("where is my parcel um", at=2.0)
    stopped_s = call.says("the one from monday", at=stopped_s + 0.7)
    call.says("mm-hm", at=stopped_s + 2.2)
    call.says("wait can you send it to my office", at=stopped_s + 4.4)
    call.run(until=ENDS_S)
    lines = []
    for at_s, name, fields in call.log.events:
        entry: dict[str, object] = {"t": round(at_s, 4), "event": name}
        for key, value in fields.items():
            entry |= shown(key, value, log_text=False)
        lines.append(json.dumps(entry, separators=(",", ":")))
    lines.append(json.dumps({"t": ENDS_S, "event": "log_closed"}, separators=(",", ":")))
    SAMPLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
