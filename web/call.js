// One call over WebRTC: signalling, the data channel's messages, and the end, once, with a reason.
//
// In: an `Api`, an open `Microphone`, a persona's id. Out: events
//   "live"      the agent is there
//   "message"   {type, data}: one RTVI message of the agent
//   "unsteady"  {unsteady}: the network faltered or came back
//   "autoplay"  the browser holds back the sound until `listen()` is called from a click
//   "ended"     {reason, problem}: the call is over; reason is the server's word or ours
// Knows nothing of the page beyond the audio element it plays through.

import { Problem } from "./api.js";

const CONNECT_TIMEOUT_MS = 20_000;
const PING_MS = 1000;
const LABEL = "rtvi-ai";

export class Call extends EventTarget {
  constructor(api, microphone, audioContext, audioElement) {
    super();
    this.api = api;
    this.microphone = microphone;
    this.audioContext = audioContext;
    this.audioElement = audioElement;
    this.live = false;
    this.over = false;
    this.serverReason = null;
    this.pcId = null;
    this.candidates = []; // found before the answer gave us an id to send them under
    this.timers = [];
    this.playout = new PlayoutDelay();
  }

  /** Rings; resolves once the offer is answered. A failure ends the call, with its problem. */
  async start(persona) {
    try {
      const { iceServers } = await this.api.send("GET", "api/ice");
      if (this.over) return;
      this.openConnection(iceServers);
      await this.connection.setLocalDescription();
      const { sdp, type } = this.connection.localDescription;
      const body = { sdp, type, request_data: { persona } };
      const answer = await this.api.send("POST", "api/offer", body);
      if (this.over) return;
      this.pcId = answer.pc_id;
      await this.connection.setRemoteDescription({ sdp: answer.sdp, type: answer.type });
      await this.sendCandidates();
    } catch (error) {
      const detail = { detail: error.message };
      this.end("failed", error instanceof Problem ? error : new Problem("problem_serverError", detail));
    }
  }

  openConnection(iceServers) {
    this.connection = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });
    this.connection.addTransceiver(this.microphone.track, {
      direction: "sendrecv",
      streams: [this.microphone.stream],
    });
    this.connection.ontrack = ({ track }) => this.play(track);
    this.connection.onicecandidate = ({ candidate }) => this.trickle(candidate);
    this.connection.onconnectionstatechange = () => this.followConnection();
    // The channel must be part of the first offer: the daemon never renegotiates.
    this.channel = this.connection.createDataChannel("parley", { ordered: true });
    this.channel.onopen = () => this.greet();
    this.channel.onmessage = ({ data }) => this.receive(data);
    this.channel.onclose = () => this.end(this.serverReason ?? "closed");
    this.timers.push(setTimeout(() => this.giveUp(), CONNECT_TIMEOUT_MS));
  }

  trickle(candidate) {
    if (!candidate?.candidate) return;
    this.candidates.push({
      candidate: candidate.candidate,
      sdp_mid: candidate.sdpMid,
      sdp_mline_index: candidate.sdpMLineIndex,
    });
    if (this.pcId !== null) this.sendCandidates();
  }

  async sendCandidates() {
    const candidates = this.candidates.splice(0);
    if (candidates.length === 0) return;
    // A lost candidate is no reason to end a call: another one may do.
    await this.api.send("PATCH", "api/offer", { pc_id: this.pcId, candidates }).catch(() => {});
  }

  giveUp() {
    if (!this.live) this.end("failed", new Problem("problem_noMedia"));
  }

  followConnection() {
    const state = this.connection.connectionState;
    if (state === "failed") {
      if (this.live) this.end("lost");
      else this.giveUp();
    } else if (this.live) {
      this.emit("unsteady", { unsteady: state === "disconnected" });
    }
  }

  /** Hears the agent; a browser that wants a click first gets one. */
  play(track) {
    this.audioElement.srcObject = new MediaStream([track]);
    this.audioElement.play().catch((error) => {
      if (error.name === "NotAllowedError" && !this.over) this.emit("autoplay");
    });
  }

  /** Starts the sound; to be called from a click. */
  listen() {
    this.audioContext.resume();
    return this.audioElement.play();
  }

  greet() {
    const about = { library: "parley-page", library_version: "1" };
    this.sendMessage("client-ready", { version: "2.0.0", about });
    this.timers.push(
      setInterval(() => {
        if (this.channel.readyState !== "open") return;
        this.channel.send(`ping: ${Date.now()}`);
        this.reportPlayoutDelay();
      }, PING_MS),
    );
  }

  /** The talk key was pressed, or let go. */
  pressTalkKey(pressed) {
    if (this.channel?.readyState !== "open") return;
    this.sendMessage("client-message", { t: "talk-key", d: { pressed } });
  }

  sendMessage(type, data) {
    this.channel.send(JSON.stringify({ label: LABEL, id: crypto.randomUUID(), type, data }));
  }

  receive(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return; // not for us
    }
    if (message?.label !== LABEL) return;
    if (!this.live) { // whatever the agent sends first: it is there
      this.live = true;
      this.emit("live");
    }
    if (message.type === "server-message" && message.data?.type === "call-ended") {
      this.serverReason = String(message.data.reason ?? "closed");
    }
    this.emit("message", { type: message.type, data: message.data ?? {} });
    if (this.serverReason !== null) this.end(this.serverReason);
  }

  async reportPlayoutDelay() {
    const delay = this.playout.measure(await this.connection.getStats());
    if (delay === null || this.channel.readyState !== "open") return;
    const output = this.audioContext.outputLatency; // seconds; some browsers do not know it
    const delayMs = Math.round(delay + (Number.isFinite(output) ? output * 1000 : 0));
    this.sendMessage("client-message", { t: "playout-delay", d: { delay_ms: delayMs } });
  }

  hangUp() {
    this.end("hungUp");
  }

  /** Closes everything; the first reason counts. */
  end(reason, problem = null) {
    if (this.over) return;
    this.over = true;
    for (const timer of this.timers) clearInterval(timer);
    this.channel?.close();
    this.connection?.close();
    this.microphone.close();
    this.audioElement.srcObject = null;
    this.emit("ended", { reason, problem });
  }

  emit(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** How long received audio waited in the jitter buffer, between two reports of the browser. */
class PlayoutDelay {
  constructor() {
    this.delayS = 0;
    this.emitted = 0;
  }

  /** Milliseconds since the last call, or null when nothing was played. */
  measure(stats) {
    for (const report of stats.values()) {
      if (report.type !== "inbound-rtp" || report.kind !== "audio") continue;
      const emitted = report.jitterBufferEmittedCount - this.emitted;
      const delayS = report.jitterBufferDelay - this.delayS;
      this.emitted = report.jitterBufferEmittedCount;
      this.delayS = report.jitterBufferDelay;
      return emitted > 0 ? (1000 * delayS) / emitted : null;
    }
    return null;
  }
}
