"""hibari: small English voices, about 100 times faster than real time on one core.

In: requests in English.  Out: a clause at a time, with the model's own word times.  Needs nothing
but the package `hibari-tts`, which carries the voice "heart".  On the engine's thread.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from hibari import Hibari, dsp

from tts.engine.types import Pace, Step
from tts.light import english, model
from tts.light.speaker import Limits, Rendered, phoneme_edges, speak
from tts.light.state import state_of
from tts.text.feed import TextFeed
from tts.types import SynthesisRequest, Voice

# Measures -26 LUFS as it comes.
GAIN_DB = 6.0
VOICE = Voice(
    id="heart",
    languages=("en",),
    sample_rate_hz=dsp.SR,
    engine="hibari",
    description="American English, female",
    state=state_of("hibari-tts", gain_db=GAIN_DB),
)

# Tensor of hibari's graph: frames of 25 ms for each phoneme id, two hops of its inverse STFT.
_DURATIONS = "/Cast_32_output_0"
_UNIT_SAMPLES = 2 * dsp.HOP
_LIMITS = Limits(first_chars=240, max_chars=240, max_ids=500)
_NOISE_SEED = 0


class HibariEngine:
    """The model, loaded; see `tts.engine.types.Engine`."""

    name = "hibari"
    rests = False
    voices = (VOICE,)

    def __init__(self, *, threads: int) -> None:
        tts = Hibari(threads=threads)
        self._vocabulary: dict[str, int] = tts.vocab
        self._session, self._shows_durations = model.load(
            Path(tts.model_path).read_bytes(), durations=_DURATIONS, threads=threads
        )

    def gain_db(self, voice_id: str) -> float:
        """The one voice's gain."""
        return GAIN_DB

    def ready(self) -> tuple[str, str]:
        """The one voice."""
        return VOICE.id, VOICE.languages[0]

    def speak(self, request: SynthesisRequest, text: TextFeed, pace: Pace) -> Iterator[Step]:
        """The same request gives the same samples."""
        rng = np.random.default_rng(_NOISE_SEED)
        return speak(
            request,
            text,
            phonemise=english.phonemise,
            render=lambda ids: self._render(ids, request.speed, rng),
            vocabulary=self._vocabulary,
            sample_rate_hz=VOICE.sample_rate_hz,
            limits=_LIMITS,
        )

    def close(self) -> None:
        """Nothing is held but memory."""

    def _render(self, ids: list[int], speed: float, rng: np.random.Generator) -> Rendered:
        outputs = self._session.run(
            None,
            {
                "ids": np.asarray([[0, *ids, 0]], np.int64),
                "speed": np.asarray([speed], np.float32),
            },
        )
        samples = dsp.synth(*(output[0] for output in outputs[:6]), rng)
        edges = None
        if self._shows_durations:
            edges = phoneme_edges(outputs[6].reshape(-1), _UNIT_SAMPLES)
        return Rendered(samples, edges)
