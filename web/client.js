// The page: three views (home, call, ended) and what moves between them.
// Wires the modules together; each of them knows nothing of the others' elements.

import { Api, Problem } from "./api.js";
import { Call } from "./call.js";
import { LatencyPanel } from "./latency.js";
import { Microphone } from "./microphone.js";
import { LANGUAGE_NAMES, Line, language, recall, remember } from "./strings.js";
import { TimelinePanel } from "./timeline.js";
import { Transcript } from "./transcript.js";
import { VoicePanel } from "./voice.js";

const PERSONA = "parley-persona";
const SILENT_MICROPHONE_MS = 6000;
const METER_TOLD_MS = 500; // how often assistive technology is told the level
const ENDED = {
  hungUp: "ended_hungUp",
  "agent ended the call": "ended_agent",
  "too long": "ended_limit",
  "server stopping": "ended_draining",
  lost: "ended_lost",
  silent: "ended_lost",
};
const NOTICES = { "llm-down": "notice_llm", "tts-down": "notice_tts", "stt-down": "notice_stt" };

const $ = (id) => document.getElementById(id);

class Page {
  constructor() {
    this.api = new Api((wrong) => this.askToken(wrong));
    this.personas = [];
    this.standardPersona = null; // id of the one the server prefers
    this.microphone = null;
    this.audioContext = null;
    this.call = null;
    this.attempt = { cancelled: false };
    this.talkKey = null;
    this.callTimers = [];
    this.lines = {
      alert: new Line($("home-alert")),
      notice: new Line($("notice")),
      state: new Line($("state")),
      ended: new Line($("ended-reason")),
      status: new Line($("status")),
      token: new Line($("token-wrong")),
    };
    this.transcript = new Transcript(
      { list: $("transcript"), scroller: $("scroller"), empty: $("transcript-empty"), latest: $("latest") },
      (text) => this.announce(text),
    );
    this.latency = new LatencyPanel({
      list: $("latency-turns"),
      empty: $("latency-empty"),
      summary: $("latency-summary"),
    });
    this.timeline = new TimelinePanel({
      panel: $("timeline-details"),
      list: $("timeline-turns"),
      empty: $("timeline-empty"),
      summary: $("timeline-summary"),
    });
    this.voicePanel = new VoicePanel(
      {
        panel: $("voice-panel"),
        form: $("voice-form"),
        voice: $("voice-choice"),
        emotion: $("voice-emotion"),
        language: $("voice-language"),
        text: $("voice-text"),
        speak: $("voice-speak"),
        stop: $("voice-stop"),
        progress: $("voice-progress"),
        line: $("voice-line"),
        status: $("voice-status"),
        alert: $("voice-alert"),
      },
      this.api,
    );
    this.listenToControls();
    this.render();
    this.loadPersonas();
  }

  listenToControls() {
    $("language").addEventListener("click", () => {
      language.toggle();
      this.render();
    });
    $("start-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.startCall();
    });
    $("reload").addEventListener("click", () => this.loadPersonas());
    $("mute").addEventListener("click", () => this.setMuted(!this.microphone.muted));
    $("hang-up").addEventListener("click", () => this.hangUp());
    $("listen").addEventListener("click", () => this.listen());
    this.listenToTalkKey();
    $("again").addEventListener("click", () => this.startCall());
    $("another").addEventListener("click", () => this.goHome());
    // Escape stops a call that is being set up; a running one ends by its button alone, since one
    // stray key must not cut a conversation.
    document.addEventListener("keydown", (event) => {
      const ringing = document.body.dataset.view === "call" && !this.call?.live;
      if (event.key === "Escape" && ringing && !$("token-dialog").open) this.hangUp();
    });
    window.addEventListener("pagehide", () => this.call?.hangUp());
    if (window.matchMedia("(max-width: 56rem)").matches) {
      $("latency-details").open = $("timeline-details").open = false;
    }
  }

  /** Down while a finger, the mouse or a key holds it; up also when the page is left. */
  listenToTalkKey() {
    const key = $("talk-key");
    const isTalk = (event) => event.key === " " || event.key === "Enter";
    key.addEventListener("pointerdown", (event) => {
      key.setPointerCapture(event.pointerId);
      this.pressTalkKey(true);
    });
    key.addEventListener("keydown", (event) => {
      if (!isTalk(event)) return;
      event.preventDefault();
      if (!event.repeat) this.pressTalkKey(true);
    });
    key.addEventListener("keyup", (event) => {
      if (isTalk(event)) this.pressTalkKey(false);
    });
    key.addEventListener("contextmenu", (event) => event.preventDefault()); // a long touch
    for (const up of ["pointerup", "pointercancel", "blur"]) {
      key.addEventListener(up, () => this.pressTalkKey(false));
    }
  }

  pressTalkKey(pressed) {
    const key = $("talk-key");
    if (!this.call?.live || (key.getAttribute("aria-pressed") === "true") === pressed) return;
    key.setAttribute("aria-pressed", String(pressed));
    this.call.pressTalkKey(pressed);
  }

  /** Writes every text anew, in the language of the moment. */
  render() {
    language.apply(document);
    const other = $("language");
    other.textContent = language.say("otherLanguage");
    other.lang = language.code === "zh" ? "en" : "zh-CN";
    for (const line of Object.values(this.lines)) line.render();
    this.latency.render();
    this.timeline.render();
    this.voicePanel.render();
    this.renderControls();
    if (this.personas.length === 0) this.showPersonas();
  }

  renderControls() {
    const muted = this.microphone?.muted ?? false;
    $("mute").textContent = language.say(muted ? "unmute" : "mute");
    $("mute").disabled = !this.call?.live;
    if (muted) $("meter").setAttribute("aria-valuetext", language.say("micMuted"));
    else $("meter").removeAttribute("aria-valuetext");
    $("hang-up").textContent = language.say(this.call?.live ? "hangUp" : "cancelCall");
  }

  show(view) {
    document.body.dataset.view = view;
    $("call-line").hidden = view === "home";
  }

  announce(text) {
    const line = document.createElement("p");
    line.textContent = text;
    $("announcer").append(line);
    while ($("announcer").children.length > 20) $("announcer").firstElementChild.remove();
  }

  async loadPersonas() {
    $("reload").hidden = true;
    this.lines.alert.clear();
    try {
      const { personas, default: standard } = await this.api.send("GET", "api/personas");
      this.personas = personas;
      this.standardPersona = standard;
      if (this.personas.length === 0) this.lines.alert.say("problem_noPersonas");
    } catch (error) {
      this.complain(error);
      $("reload").hidden = false;
    }
    this.showPersonas();
  }

  showPersonas() {
    $("start").disabled = this.personas.length === 0;
    if (this.personas.length === 0) {
      const loading = document.createElement("p");
      loading.className = "small";
      loading.textContent = this.lines.alert.write() ? "" : language.say("loadingPersonas");
      $("persona-list").replaceChildren(loading);
      return;
    }
    const chosen = this.preferredPersona().id;
    $("persona-list").replaceChildren(
      ...this.personas.map((persona) => personaChoice(persona, persona.id === chosen)),
    );
  }

  preferredPersona() {
    const last = this.personas.find((persona) => persona.id === recall(PERSONA));
    if (last) return last;
    const standard = this.personas.find((persona) => persona.id === this.standardPersona);
    if (standard?.language === language.code) return standard;
    return (
      this.personas.find((persona) => persona.language === language.code) ??
      standard ??
      this.personas[0]
    );
  }

  chosenPersona() {
    const checked = $("start-form").elements.persona;
    return this.personas.find((persona) => persona.id === checked.value);
  }

  complain(error) {
    if (error instanceof Problem) this.lines.alert.say(error.key, error.values);
    else this.lines.alert.say("problem_serverError", { detail: error.message });
  }

  async startCall() {
    if (this.call && !this.call.over) return;
    const persona = this.chosenPersona();
    remember(PERSONA, persona.id);
    this.beginCallView(persona);
    // Made in the click that starts the call, or the browser would hold it back.
    const audioContext = new AudioContext();
    this.audioContext = audioContext;
    const attempt = { cancelled: false };
    this.attempt = attempt;
    try {
      if (typeof RTCPeerConnection === "undefined") throw new Problem("problem_unsupported");
      this.microphone = await Microphone.open(audioContext);
    } catch (error) {
      if (!attempt.cancelled) this.callEnded("failed", error);
      return;
    }
    if (attempt.cancelled) {
      this.microphone.close();
      return;
    }
    this.lines.state.say("stateConnecting");
    this.lines.status.say("stateConnecting");
    this.followMicrophone();
    this.call = new Call(this.api, this.microphone, audioContext, $("agent-audio"));
    this.followCall(this.call);
    await this.call.start(persona.id);
  }

  beginCallView(persona) {
    this.call = null;
    this.microphone = null;
    this.voicePanel.stop();
    this.lines.alert.clear();
    this.lines.notice.clear();
    this.lines.state.say("stateMicrophone");
    this.lines.status.say("stateMicrophone");
    this.transcript.clear(persona.name, persona.language);
    this.latency.clear();
    this.timeline.clear();
    $("call-name").textContent = persona.name;
    $("call-name").lang = persona.language;
    $("call-clock").textContent = "0:00";
    $("listen").hidden = true;
    $("talk-key").hidden = persona.interruption !== "push-to-talk";
    $("talk-key").setAttribute("aria-pressed", "false");
    document.body.dataset.talk = "";
    this.renderControls();
    this.showMuted();
    this.show("call");
    $("hang-up").focus();
  }

  followCall(call) {
    call.addEventListener("live", () => this.callIsLive());
    call.addEventListener("message", ({ detail }) => this.receive(detail.type, detail.data));
    call.addEventListener("unsteady", ({ detail }) =>
      this.setTalk(detail.unsteady ? "unstable" : "listening"),
    );
    call.addEventListener("autoplay", () => {
      $("listen").hidden = false;
      this.lines.notice.say("hint_autoplay");
      $("listen").focus();
    });
    call.addEventListener("ended", ({ detail }) => this.callEnded(detail.reason, detail.problem));
  }

  callIsLive() {
    this.renderControls();
    this.setTalk("listening");
    this.lines.status.say("announceLive");
    $("mute").focus();
    const startedAt = performance.now();
    const tick = () => {
      const seconds = Math.floor((performance.now() - startedAt) / 1000);
      $("call-clock").textContent =
        `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    };
    const microphone = this.microphone;
    const listenForSilence = () => {
      if (microphone.everHeard || microphone.muted) return;
      this.lines.notice.say("hint_silentMicrophone");
      microphone.onceHeard = () => this.lines.notice.clear();
    };
    this.callTimers.push(setInterval(tick, 1000));
    this.callTimers.push(setTimeout(listenForSilence, SILENT_MICROPHONE_MS));
  }

  /** One message of the agent, each told apart by its type; unknown ones are not for us. */
  receive(type, data) {
    switch (type) {
      case "user-started-speaking":
        return this.setTalk("user");
      case "user-stopped-speaking":
        return this.setTalk("thinking");
      case "user-transcription":
        return this.transcript.heardCaller(String(data.text ?? ""), data.final === true);
      case "error":
        return this.showNotice(null, data.error);
      case "server-message":
        return this.receiveOwn(data);
    }
  }

  receiveOwn(data) {
    switch (data.type) {
      case "agent-text":
        return this.transcript.willSpeak(data.utterance, String(data.text ?? ""));
      case "agent-progress":
        this.setTalk("agent");
        return this.transcript.spoke(data.utterance, data.spoken_chars);
      case "agent-ended":
        if (document.body.dataset.talk === "agent") this.setTalk("listening");
        return this.transcript.ended(data.utterance, data.spoken_chars, data.interrupted === true);
      case "turn-dropped":
        if (document.body.dataset.talk === "thinking") this.setTalk("listening");
        return;
      case "turn-latency":
        return this.latency.add(data);
      case "turn-timeline":
        return this.timeline.add(data);
      case "notice":
        return this.showNotice(data.code, data.text);
    }
  }

  showNotice(code, text) {
    if (code in NOTICES) this.lines.notice.say(NOTICES[code]);
    else this.lines.notice.say("problem_serverError", { detail: text });
  }

  setTalk(talk) {
    const keys = {
      listening: "stateListening",
      user: "stateUser",
      thinking: "stateThinking",
      agent: "stateAgent",
      unstable: "stateUnstable",
    };
    this.talkKey = keys[talk];
    document.body.dataset.talk = talk;
    this.showMuted();
  }

  showMuted() {
    const muted = this.microphone?.muted ?? false;
    const agentHasFloor = document.body.dataset.talk === "agent";
    $("mute").setAttribute("aria-pressed", String(muted));
    if (muted && !agentHasFloor) this.lines.state.say("stateMuted");
    else if (document.body.dataset.talk) this.lines.state.say(this.talkKey);
    this.renderControls();
  }

  setMuted(muted) {
    this.microphone.muted = muted;
    if (muted) this.drawLevel(0);
    this.showMuted();
    this.lines.status.say(muted ? "announceMuted" : "announceUnmuted");
  }

  followMicrophone() {
    const microphone = this.microphone;
    let toldAt = 0;
    let loudest = 0; // since it was told
    const onLevel = (level) => {
      this.drawLevel(level);
      loudest = Math.max(loudest, level);
      const now = performance.now();
      if (now - toldAt < METER_TOLD_MS) return;
      $("meter").setAttribute("aria-valuenow", String(Math.round(loudest * 100)));
      toldAt = now;
      loudest = 0;
    };
    // Without the meter the call still works, so its failure is no reason to stop.
    microphone.measure(onLevel).catch(() => {});
  }

  drawLevel(level) {
    $("meter-fill").style.transform = `scaleX(${level.toFixed(3)})`;
  }

  async listen() {
    await this.call.listen();
    $("listen").hidden = true;
    this.lines.notice.clear();
    $("mute").focus();
  }

  hangUp() {
    if (this.call) {
      this.call.hangUp();
    } else {
      this.attempt.cancelled = true;
      this.callEnded("hungUp", null);
    }
  }

  /** Back to the start after a call that never was, to its transcript after one that was. */
  callEnded(reason, problem) {
    for (const timer of this.callTimers.splice(0)) clearInterval(timer);
    this.audioContext.close();
    this.drawLevel(0);
    this.lines.notice.clear();
    document.body.dataset.talk = "";
    if (!this.call?.live) {
      if (problem) this.complain(problem);
      this.lines.status.clear();
      this.goHome();
      return;
    }
    this.transcript.close();
    this.lines.ended.say(ENDED[reason] ?? "ended_closed");
    this.lines.status.say(ENDED[reason] ?? "ended_closed");
    this.show("ended");
    $("again").focus();
  }

  goHome() {
    this.show("home");
    $("start").focus();
  }

  /** Asks for the access token; null when the caller would rather not. */
  askToken(wrong) {
    if (wrong) this.lines.token.say("tokenWrong");
    else this.lines.token.clear();
    const dialog = $("token-dialog");
    const input = $("token-input");
    input.value = "";
    dialog.returnValue = "";
    dialog.showModal();
    input.focus();
    return new Promise((resolve) => {
      $("token-cancel").onclick = () => dialog.close("");
      $("token-form").onsubmit = (event) => {
        event.preventDefault();
        dialog.close("given");
      };
      dialog.onclose = () => resolve(dialog.returnValue === "given" ? input.value.trim() : null);
    });
  }
}

function personaChoice(persona, checked) {
  const label = document.createElement("label");
  label.className = "persona";
  const input = document.createElement("input");
  input.type = "radio";
  input.name = "persona";
  input.value = persona.id;
  input.checked = checked;
  const name = document.createElement("span");
  name.className = "persona-name";
  name.lang = persona.language;
  name.textContent = persona.name;
  const tongue = document.createElement("span");
  tongue.className = "persona-language";
  tongue.lang = persona.language;
  tongue.textContent = LANGUAGE_NAMES[persona.language] ?? persona.language;
  label.append(input, name, tongue);
  return label;
}

new Page();
