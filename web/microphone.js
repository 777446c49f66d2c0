// The microphone: opens it with echo cancellation, mutes it, measures it.
// In: the caller's permission. Out: one audio track and its level. Knows nothing of the network.

import { Problem } from "./api.js";

const FLOOR_DB = -60; // shown as an empty meter
const HEARD_PEAK = 0.001; // any real room is louder than this

const CONSTRAINTS = {
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
};

const PROBLEMS = {
  NotAllowedError: "problem_micRefused",
  SecurityError: "problem_micRefused",
  NotFoundError: "problem_micMissing",
  OverconstrainedError: "problem_micMissing",
};

export class Microphone {
  /** Opens the default microphone, or throws the `Problem` that stands in the way. */
  static async open(audioContext) {
    if (!window.isSecureContext) throw new Problem("problem_insecure");
    if (!navigator.mediaDevices?.getUserMedia) throw new Problem("problem_unsupported");
    try {
      return new Microphone(await navigator.mediaDevices.getUserMedia(CONSTRAINTS), audioContext);
    } catch (error) {
      throw new Problem(PROBLEMS[error.name] ?? "problem_micBusy");
    }
  }

  constructor(stream, audioContext) {
    this.stream = stream;
    this.track = stream.getAudioTracks()[0];
    this.audioContext = audioContext;
    this.everHeard = false;
    this.onceHeard = () => {}; // called with the first sound after it was set
    this.source = null;
  }

  /** Calls `onLevel(0..1)` about twenty times a second, 1 being full scale. */
  async measure(onLevel) {
    await this.audioContext.audioWorklet.addModule("worklet.js");
    if (this.track.readyState === "ended") return; // closed while the worklet was loading
    this.source = this.audioContext.createMediaStreamSource(this.stream);
    const processor = new AudioWorkletNode(this.audioContext, "level", { numberOfOutputs: 0 });
    processor.port.onmessage = ({ data }) => {
      if (data.peak > HEARD_PEAK) this.hear();
      const decibels = 20 * Math.log10(Math.max(data.rms, 1e-6));
      onLevel(this.muted ? 0 : Math.min(1, Math.max(0, 1 - decibels / FLOOR_DB)));
    };
    this.source.connect(processor);
  }

  hear() {
    this.everHeard = true;
    this.onceHeard();
    this.onceHeard = () => {};
  }

  get muted() {
    return !this.track.enabled;
  }

  set muted(muted) {
    this.track.enabled = !muted;
  }

  close() {
    this.source?.disconnect();
    for (const track of this.stream.getTracks()) track.stop();
  }
}
