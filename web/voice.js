// "Try a voice": speaks a text over the speech service's WebSocket and plays it while it arrives.
// In: the panel's elements and the API with its token. Knows nothing of calls.
// The protocol is docs/protocols/websocket.md.

import { Problem } from "./api.js";
import { LANGUAGE_NAMES, Line, language } from "./strings.js";

const SUBPROTOCOL = "parley.tts.v1";
const HEADER_BYTES = 16;
const LAST_AUDIO = 1; // flag of the header
const REQUEST = "1"; // one at a time: its id
const FULL_SCALE = 32768;
const REFUSALS = { overloaded: "problem_voiceBusy", rate_limited: "problem_voiceBusy" };

/** One text on its way: events "accepted", "audio", "marks", "over" with a `problem` or null. */
class Speech extends EventTarget {
  constructor(request, token) {
    super();
    this.over = false;
    this.socket = new WebSocket(...address(token));
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => this.send({ type: "synthesize", id: REQUEST, ...request });
    this.socket.onmessage = ({ data }) => this.receive(data);
    this.socket.onclose = () => this.end(new Problem("problem_unreachable"));
  }

  cancel() {
    this.end(null);
  }

  send(message) {
    this.socket.send(JSON.stringify(message));
  }

  receive(data) {
    if (this.over) return;
    if (data instanceof ArrayBuffer) {
      const flags = new DataView(data).getUint8(1);
      const isLast = (flags & LAST_AUDIO) !== 0;
      this.tell("audio", { samples: floats(new Int16Array(data, HEADER_BYTES)), isLast });
      return;
    }
    const event = JSON.parse(data);
    if (event.type === "accepted" || event.type === "marks") this.tell(event.type, event);
    else if (event.type === "done") this.end(null);
    else if (event.type === "error") this.end(refusal(event));
  }

  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** Closing the connection ends the work at the service too. */
  end(problem) {
    if (this.over) return;
    this.over = true;
    this.socket.close();
    this.tell("over", { problem });
  }
}

/** Where to connect, and how to show the token: as a subprotocol if it can be one. */
function address(token) {
  const url = new URL("ws/tts", window.location.href);
  url.protocol = url.protocol.replace("http", "ws");
  if (token === null) return [url, [SUBPROTOCOL]];
  if (/^[\w!#$%&'*+.^`|~-]+$/.test(token)) return [url, [SUBPROTOCOL, `parley-key.${token}`]];
  url.searchParams.set("key", token);
  return [url, [SUBPROTOCOL]];
}

function refusal({ code, message }) {
  return new Problem(REFUSALS[code] ?? "problem_voice", { detail: message });
}

function floats(pcm) {
  return Float32Array.from(pcm, (sample) => sample / FULL_SCALE);
}

/** An audio context at the rate of a voice, and the worklet that plays in it. */
class Player {
  constructor(rate) {
    this.context = new AudioContext({ sampleRate: rate });
    this.ready = this.load();
    // What comes before the worklet is there waits for it.
    this.node = null;
    this.early = [];
    this.onmessage = () => {};
  }

  async load() {
    await this.context.audioWorklet.addModule("voice-worklet.js");
    if (this.context.state === "closed") return;
    this.node = new AudioWorkletNode(this.context, "stream", {
      numberOfInputs: 0,
      outputChannelCount: [1],
    });
    this.node.port.onmessage = ({ data }) => this.onmessage(data);
    this.node.connect(this.context.destination);
    for (const message of this.early.splice(0)) this.send(message);
  }

  send(message) {
    if (this.node) this.node.port.postMessage(message, message.samples ? [message.samples.buffer] : []);
    else this.early.push(message);
  }

  async close() {
    this.onmessage = () => {};
    if (this.context.state !== "closed") await this.context.close();
  }
}

export class VoicePanel {
  /** `elements`: panel, form, voice, emotion, language, text, speak, stop, progress,
   * line, status, alert. */
  constructor(elements, api) {
    this.elements = elements;
    this.api = api;
    this.voices = null; // not asked for yet
    this.asking = false;
    this.speech = null;
    this.player = null;
    // `line` changes ten times a second; what is worth saying aloud stands in `status`.
    this.lines = {
      line: new Line(elements.line),
      status: new Line(elements.status),
      alert: new Line(elements.alert),
    };
    this.sample = null; // what was put into the text for the caller
    this.stopping = false;
    elements.panel.addEventListener("toggle", () => this.opened());
    elements.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.speak();
    });
    elements.voice.addEventListener("change", () => this.showVoice());
    elements.language.addEventListener("change", () => this.showSample());
    elements.stop.addEventListener("click", () => this.stop());
    this.renderControls();
  }

  /** Writes every text anew, in the language of the moment. */
  render() {
    for (const line of Object.values(this.lines)) line.render();
  }

  async opened() {
    if (!this.elements.panel.open) {
      this.stop();
      return;
    }
    if (this.voices !== null || this.asking) return;
    this.asking = true;
    this.lines.alert.clear();
    this.lines.line.say("voicesLoading");
    try {
      const { voices } = await this.api.send("GET", "v1/voices");
      this.voices = voices;
      this.lines.line.clear();
      if (voices.length === 0) this.lines.alert.say("problem_noVoices");
      else this.showVoices();
    } catch (error) {
      this.lines.line.clear();
      this.complain(error); // opening the panel again asks again
    }
    this.asking = false;
    this.renderControls();
  }

  showVoices() {
    const { voice } = this.elements;
    voice.replaceChildren(...this.voices.map(({ id }) => option(id, id)));
    const own = this.voices.find(({ languages }) => languages.includes(language.code));
    voice.value = (own ?? this.voices[0]).id;
    this.showVoice();
  }

  get voice() {
    return this.voices?.find(({ id }) => id === this.elements.voice.value);
  }

  /** What the chosen voice can do; a choice of one is none. */
  showVoice() {
    const { emotions, languages } = this.voice;
    choose(this.elements.emotion, emotions.map((name) => option(name, name)));
    choose(this.elements.language, languages.map((code) => option(code, LANGUAGE_NAMES[code] ?? code)));
    if (languages.includes(language.code)) this.elements.language.value = language.code;
    this.showSample();
  }

  /** Something to say in the chosen language, unless the caller has written something else. */
  showSample() {
    const { text } = this.elements;
    const code = this.elements.language.value;
    text.lang = code;
    if (text.value === "" || text.value === this.sample) {
      this.sample = SAMPLES[code] ?? SAMPLES.en;
      text.value = this.sample;
    }
  }

  async speak() {
    if (this.player || !this.voice) return;
    const { emotion, language: tongue, text } = this.elements;
    this.lines.alert.clear();
    this.lines.line.say("voiceWaiting");
    this.lines.status.say("voiceWaiting");
    this.elements.progress.value = 0;
    this.text = text.value;
    this.words = [];
    this.firstSoundMs = null;
    this.playedS = 0;
    this.askedAt = performance.now();
    // Made in the click that starts it, or the browser would hold the sound back.
    this.usePlayer(this.voice.sample_rate_hz);
    const request = { text: this.text, voice: this.voice.id, language: tongue.value };
    if (emotion.value) request.emotion = emotion.value;
    const speech = new Speech(request, this.api.token);
    this.speech = speech;
    speech.addEventListener("accepted", ({ detail }) => {
      const rate = detail.sample_rate_hz;
      if (rate !== this.player.context.sampleRate) this.usePlayer(rate);
    });
    speech.addEventListener("audio", ({ detail }) => this.player.send(detail));
    speech.addEventListener("marks", ({ detail }) => {
      this.words.push(...detail.marks.filter(({ kind }) => kind === "word"));
    });
    speech.addEventListener("over", ({ detail }) => {
      if (detail.problem) this.finish(null, detail.problem);
    });
    this.renderControls();
    this.elements.stop.focus();
  }

  usePlayer(rate) {
    this.player?.close();
    const player = new Player(rate);
    this.player = player;
    player.onmessage = (message) => this.heard(message, rate);
    player.ready.catch(() => {
      if (this.player === player) this.finish(null, new Problem("problem_unsupported"));
    });
  }

  heard({ began, played, ended }, rate) {
    if (began) this.firstSoundMs = Math.round(performance.now() - this.askedAt);
    if (played !== undefined) this.playedS = played / rate;
    const values = { ms: this.firstSoundMs, seconds: this.playedS.toFixed(1) };
    this.showProgress();
    if (ended) this.finish(this.stopping ? "voiceStopped" : "voiceFinished", null, values);
    else this.lines.line.say("voiceSpeaking", values);
  }

  showProgress() {
    const spoken = this.words.filter(({ start_s: start }) => start <= this.playedS);
    const chars = Math.max(0, ...spoken.map(({ text_end: end }) => end));
    this.elements.progress.value = chars / Math.max(1, [...this.text].length);
  }

  /** Silence within a hundredth of a second. */
  stop() {
    if (!this.player) return;
    this.stopping = true;
    this.speech.cancel();
    if (this.firstSoundMs === null) this.finish("voiceStopped", null, { seconds: "0.0" });
    else this.player.send({ stop: true });
  }

  finish(key, problem, values) {
    this.speech.cancel();
    this.player.close();
    this.player = null;
    this.stopping = false;
    for (const line of [this.lines.line, this.lines.status]) {
      if (problem) line.clear();
      else line.say(key, values);
    }
    if (problem) this.complain(problem);
    if (key === "voiceFinished") this.elements.progress.value = 1;
    const hadFocus = document.activeElement === this.elements.stop;
    this.renderControls();
    if (hadFocus) this.elements.speak.focus();
  }

  renderControls() {
    const { speak, stop, progress, form } = this.elements;
    const speaking = this.player !== null;
    form.hidden = !this.voices?.length;
    speak.hidden = speaking;
    stop.hidden = !speaking;
    progress.hidden = !speaking && progress.value === 0;
  }

  complain(error) {
    if (error instanceof Problem) this.lines.alert.say(error.key, error.values);
    else this.lines.alert.say("problem_voice", { detail: error.message });
  }
}

const SAMPLES = {
  en: "Hello! This is how I sound. What would you like to talk about?",
  zh: "您好！这就是我的声音。您想聊些什么？",
  ja: "こんにちは。これが私の声です。何を話しましょうか。",
  ko: "안녕하세요. 제 목소리는 이렇습니다. 무슨 이야기를 할까요?",
  yue: "你好！呢個就係我嘅聲。你想傾啲咩呀？",
};

function option(value, text) {
  const element = document.createElement("option");
  element.value = value;
  element.textContent = text;
  return element;
}

/** Offers a choice, in its label; one without alternatives is not shown. */
function choose(select, options) {
  select.replaceChildren(...options);
  select.closest("label").hidden = options.length < 2;
}
