"""The built-in language model: an OpenAI-compatible server on llama.cpp, as a process of its own.

    python -m agent.llm.local_server --port 8081 [--host 127.0.0.1] [--model FILE.gguf]
        [--threads 2] [--slots 2] [--exit-with-parent]

In: chat completion requests at `/v1`.  Out: streamed answers; `GET /health` is 200 once the model
is loaded and warm.  Without `--model` it serves SmolLM2-135M-Instruct from its package: English
small talk, and little more.  Knows nothing of calls.  SIGTERM and SIGINT end it with code 0.

A slot keeps the prompt it read last, so a conversation's next turn only costs its new words.
"""

import argparse
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from agent.lifeline import exit_with_parent
from agent.weights import SMOLLM2, WeightsMissing, find

MODEL_NAME = "default"
SLOT_TOKENS = 2048
"""Context of a slot: prompt and answer."""
# One or two plain sentences: left alone, a model this small falls into loops after them, and then
# copies the loop from its own earlier answers for the rest of the call.
_GRAMMAR = """
root ::= sentence (" " sentence)?
sentence ::= [A-Z] [^.!?*#<>\\n]{3,140} [.!?]
"""
SAMPLING: Mapping[str, Any] = {
    "grammar": _GRAMMAR,
    "min_p": 0.1,
    "dry_multiplier": 0.8,
    "dry_allowed_length": 4,
    "dry_penalty_last_n": 256,
    # Each is looked for in the whole vocabulary at every request; the usual four cost 36 ms.
    "dry_sequence_breakers": ["\n"],
    # The words that its loops begin with.
    "logit_bias": [
        [word, False]
        for word in (" sorry", "Sorry", " Sorry", " misunderstanding", " apologize", " unable")
    ],
}
"""Parameters of a request that suit the built-in model."""
_PROMPT_CACHE_MIB = 128  # prompts of conversations that lost their slot to another
_HTTP_THREADS = 4
_LOG_WARNINGS = 2


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code, 2 for what cannot be served."""
    options = _parse(arguments)
    if options.exit_with_parent:
        exit_with_parent()
    stop = threading.Event()
    _stop_on_signals(stop)
    try:
        model = options.model or find(SMOLLM2)
        server = _start(model, options)
    except (WeightsMissing, OSError, RuntimeError) as error:
        print(f"local language model: {error}", file=sys.stderr)
        return 2
    print(f"local language model: {model.name} at {server.listening_address}/v1", flush=True)
    stop.wait()
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="agent.llm.local_server")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="TCP port; 0 picks a free one")
    parser.add_argument("--model", type=Path, help="GGUF file; default: SmolLM2 of its package")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--slots", type=int, default=2, help="answers written at once")
    parser.add_argument("--exit-with-parent", action="store_true", help="die with the parent")
    return parser.parse_args(arguments)


def _stop_on_signals(stop: threading.Event) -> None:
    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)


def _start(model: Path, options: argparse.Namespace) -> Any:
    """Load the model and listen.  Raises `OSError` or `RuntimeError`."""
    if not model.is_file():
        raise FileNotFoundError(f"--model {model}: no such file; a GGUF file is needed")
    import xllamacpp  # heavy: only once the arguments are known to be good

    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = [MODEL_NAME]
    params.hostnames = [options.host]
    params.port = options.port
    params.n_parallel = options.slots
    params.n_ctx = SLOT_TOKENS * options.slots
    params.cpuparams.n_threads = options.threads
    params.cpuparams_batch.n_threads = options.threads
    params.n_threads_http = _HTTP_THREADS
    params.n_gpu_layers = 0
    params.cache_prompt = True
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    params.warmup = True
    params.ui = False
    params.endpoint_slots = False
    params.cors_origins = ""
    params.verbosity = _LOG_WARNINGS
    return xllamacpp.Server(params)


if __name__ == "__main__":
    sys.exit(main())
