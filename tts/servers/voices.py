"""REST: which voices there are, and making and deleting them.

In: requests, clips as files of forms.  Out: voices as JSON, 202 while one is compiled.  Translates
for `tts.voices.managing` and decides nothing.  On the event loop's thread.
"""

import datetime
from typing import Annotated
from urllib.parse import quote

from aiohttp import hdrs, web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tts.config import HttpConfig
from tts.errors import BadRequest, ClipRefused, Overloaded, VoiceConflict, VoiceNotFound
from tts.pretrained.official import WEIGHTS
from tts.servers.operations import Answer, Operation
from tts.servers.reading import Upload, context_of, form_body
from tts.voices import managing
from tts.voices.adding import NewVoice
from tts.voices.managing import ManagedVoice, VoiceManager
from tts.voices.manifest import MAX_TEXT_CHARS, ConsentTable, Emotion, Language

DOOR = "voices"
DEFAULT_EMOTION = "neutral"
DEFAULT_WEIGHTS = "v2Pro"
MAX_FIELDS_BYTES = 65_536
"""What a form may have besides its clip."""

_TAG = "voices"
_SHORT = Field(max_length=2000)


class VoiceState(BaseModel):
    """A voice and whether it can speak."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    name: str
    """What people call it."""
    description: str
    licence: str
    """Terms under which it may be used."""
    engine: str
    """"gpt-sovits" for a cloned voice; "hibari" and "kokoro" for voices that come with the service
    and stay as they are."""
    languages: list[str]
    """BCP 47 codes, the first its own; empty before it was compiled."""
    emotions: list[str]
    """Ways it can speak, the first unless a request says otherwise."""
    sample_rate_hz: int | None
    """null while it cannot speak."""
    state: str
    """"ready"; "stale": it speaks as it was before its files were changed; "uploading" and
    "compiling": wait; "failed": nothing of it was kept, or it is as it was before; "not compiled",
    "broken" and "not offered": somebody has to see to its files."""
    reason: str
    """Why it is not ready; empty when it is."""
    consent: bool
    """Whether there is a record of the person's consent."""


class VoiceList(BaseModel):
    """All voices, by id."""

    voices: list[VoiceState]


class VoiceAccepted(BaseModel):
    """A voice that is being compiled."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    state: str
    """"compiling"."""
    warnings: list[str]
    """What would make it sound better."""


def _given(consent: bool) -> bool:
    if not consent:
        raise ValueError("allowed is true: say that the person whose voice it is agreed")
    return consent


class ReferenceForm(BaseModel):
    """A clip of a person speaking, what is said in it, and that the person agreed."""

    model_config = ConfigDict(
        use_attribute_docstrings=True, extra="forbid", arbitrary_types_allowed=True
    )

    clip: Upload
    """3 to 10 s of one person speaking: WAV, FLAC, MP3, Ogg or AIFF."""
    text: Annotated[str, Field(min_length=1, max_length=MAX_TEXT_CHARS)]
    """What is said in the clip, word for word."""
    language: Language
    """Of the text."""
    emotion: Emotion = DEFAULT_EMOTION
    """Name that requests choose this way of speaking by."""
    consent: Annotated[bool, AfterValidator(_given), Field(json_schema_extra={"const": True})]
    """Must be true: the person whose voice it is agreed to its use. Kept in the voice's record."""
    consent_by: Annotated[str, _SHORT] = ""
    """Who agreed; without, the record says who uploaded the clip and said so."""
    consent_to: Annotated[str, _SHORT] = ""
    """What they agreed to."""
    consent_evidence: Annotated[str, _SHORT] = ""
    """Where that is written or heard."""


class VoiceForm(ReferenceForm):
    """A new voice."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]
    """1 to 64 lower-case letters, digits, "-" and "_"."""
    name: Annotated[str, _SHORT] = ""
    """What people call it; without, the id."""
    description: Annotated[str, _SHORT] = ""
    licence: Annotated[str, _SHORT] = ""
    """Terms under which it may be used."""
    weights: Annotated[str, Field(json_schema_extra={"enum": [*WEIGHTS]})] = DEFAULT_WEIGHTS
    """Official weights."""
    t2s: Annotated[str, Field(max_length=256)] = ""
    """Instead: a .ckpt file in the folder `api_v2.weights_dir`, by its name there."""
    sovits: Annotated[str, Field(max_length=256)] = ""
    """The same for a .pth file."""
    denoise: bool = False
    """Take the noise out of its clips."""


class VoicesApi:
    """The operations on voices."""

    def __init__(self, manager: VoiceManager, config: HttpConfig) -> None:
        self._manager = manager
        self._max_body_bytes = config.max_upload_bytes + MAX_FIELDS_BYTES

    def operations(self) -> list[Operation]:
        """For the HTTP door."""
        one = {"application/json": VoiceState}
        accepted = {
            202: Answer(
                description="Its clip was accepted; it is being compiled, which takes a minute.",
                content={"application/json": VoiceAccepted},
                headers={hdrs.LOCATION: "Where to ask for its state."},
                links={
                    operation: {"voice": "$response.body#/id"}
                    for operation in ("getVoice", "deleteVoice")
                },
            )
        }
        refusals = (BadRequest, ClipRefused, VoiceConflict, Overloaded)
        return [
            Operation(
                id="listVoices",
                method="GET",
                path="/v1/voices",
                tag=_TAG,
                summary="List the voices and what state they are in.",
                handler=self._list,
                answers={200: Answer(description="All.", content={"application/json": VoiceList})},
            ),
            Operation(
                id="getVoice",
                method="GET",
                path="/v1/voices/{voice}",
                tag=_TAG,
                summary="Show one voice.",
                handler=self._show,
                answers={200: Answer(description="It.", content=one)},
                errors=(VoiceNotFound,),
            ),
            Operation(
                id="createVoice",
                method="POST",
                path="/v1/voices",
                tag=_TAG,
                summary="Make a voice of a clip.",
                handler=self._create,
                form=VoiceForm,
                answers=accepted,
                errors=refusals,
                manages=True,
                max_body_bytes=self._max_body_bytes,
            ),
            Operation(
                id="createReference",
                method="POST",
                path="/v1/voices/{voice}/references",
                tag=_TAG,
                summary="Give a voice another emotion.",
                handler=self._extend,
                form=ReferenceForm,
                answers=accepted,
                errors=(*refusals, VoiceNotFound),
                manages=True,
                max_body_bytes=self._max_body_bytes,
            ),
            Operation(
                id="deleteVoice",
                method="DELETE",
                path="/v1/voices/{voice}",
                tag=_TAG,
                summary="Delete a voice; what is being spoken in it is spoken to the end.",
                handler=self._delete,
                answers={204: Answer(description="It is gone.")},
                errors=(VoiceNotFound, VoiceConflict),
                manages=True,
            ),
        ]

    async def _list(self, request: web.Request) -> web.StreamResponse:
        voices = [_shown(voice) for voice in await self._manager.list()]
        return _json(VoiceList(voices=voices))

    async def _show(self, request: web.Request) -> web.StreamResponse:
        return _json(_shown(await self._manager.find(request.match_info["voice"])))

    async def _create(self, request: web.Request) -> web.StreamResponse:
        async with form_body(request, VoiceForm) as form:
            new = NewVoice(
                name=form.name or form.id,
                t2s=form.t2s or form.weights,
                sovits=form.sovits or form.weights,
                description=form.description,
                licence=form.licence,
                denoise=form.denoise,
                consent=_consent(request, form),
            )
            warnings = await self._manager.add(form.id, new, _upload(form))
            return _accepted(form.id, list(warnings))

    async def _extend(self, request: web.Request) -> web.StreamResponse:
        voice_id = request.match_info["voice"]
        async with form_body(request, ReferenceForm) as form:
            consent = _consent(request, form)
            warnings = await self._manager.add_emotion(voice_id, _upload(form), consent)
            return _accepted(voice_id, list(warnings))

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        await self._manager.delete(request.match_info["voice"])
        return web.Response(status=204)


def _upload(form: ReferenceForm) -> managing.Upload:
    return managing.Upload(
        form.clip.file, form.clip.content_type, form.text, form.language, form.emotion
    )


def _consent(request: web.Request, form: ReferenceForm) -> ConsentTable:
    caller = context_of(request, DOOR).caller.name or "somebody without a key"
    return ConsentTable(
        who=form.consent_by.strip() or f"as {caller} said, who uploaded the clip",
        when=datetime.datetime.now(datetime.UTC).date(),
        what=form.consent_to.strip() or f"the use of this voice, as {caller} said",
        evidence=form.consent_evidence,
    )


def _shown(voice: ManagedVoice) -> VoiceState:
    offered, stored = voice.offered, voice.stored
    manifest = stored.manifest if stored else None
    compiled = stored.compiled if stored else None
    languages = offered.languages if offered else compiled.languages if compiled else ()
    emotions = offered.emotions if offered else tuple(compiled.prompts) if compiled else ()
    return VoiceState(
        id=voice.id,
        name=manifest.name if manifest else voice.id,
        description=offered.description if offered else manifest.description if manifest else "",
        licence=manifest.licence if manifest else "",
        engine=offered.engine if offered else "gpt-sovits",
        languages=list(languages),
        emotions=list(emotions),
        sample_rate_hz=offered.sample_rate_hz if offered else None,
        state=voice.state,
        reason=voice.reason,
        consent=bool(manifest and manifest.consent),
    )


def _accepted(voice_id: str, warnings: list[str]) -> web.Response:
    body = VoiceAccepted(id=voice_id, state="compiling", warnings=warnings)
    location = f"/v1/voices/{quote(voice_id, safe='')}"
    return web.json_response(
        text=body.model_dump_json(), status=202, headers={hdrs.LOCATION: location}
    )


def _json(body: BaseModel) -> web.Response:
    return web.json_response(text=body.model_dump_json())
