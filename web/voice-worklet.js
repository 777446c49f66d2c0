// Plays samples as they come: in, {samples, isLast} messages with mono float samples at the audio
// context's own rate; out, sound. Tells {began} with the first sample that sounds, {played} about ten
// times a second, and {ended, played} when all has sounded or `{stop}` came. While samples are late
// it is silent.

const START_S = 0.1; // so much is there before the first sounds, or all of it
const FADE_S = 0.01; // a stop is no click
const REPORT_S = 0.1;

class StreamProcessor extends AudioWorkletProcessor {
  constructor() {
    super();
    this.queue = []; // no bound of its own: the service takes no longer text than a few minutes
    this.position = 0; // in the first of the queue
    this.waiting = 0; // samples in the queue
    this.isLast = false;
    this.began = false;
    this.fade = null; // samples of it that are left
    this.played = 0;
    this.reported = 0;
    this.port.onmessage = ({ data }) => this.take(data);
  }

  take({ samples, isLast, stop }) {
    if (samples?.length) {
      this.queue.push(samples);
      this.waiting += samples.length;
    }
    if (isLast) this.isLast = true;
    if (stop) this.fade = Math.round(FADE_S * sampleRate);
  }

  process(_, outputs) {
    const out = outputs[0][0];
    const ready = this.began || this.isLast || this.waiting >= START_S * sampleRate;
    let filled = 0;
    while (ready && filled < out.length && this.waiting > 0 && this.fade !== 0) {
      out[filled] = this.next();
      filled += 1;
    }
    if (filled > 0 && !this.began) {
      this.began = true;
      this.port.postMessage({ began: true });
    }
    this.played += filled;
    const over = this.fade === 0 || (this.waiting === 0 && (this.isLast || this.fade !== null));
    if (over) {
      this.port.postMessage({ ended: true, played: this.played });
      return false;
    }
    if (this.played - this.reported >= REPORT_S * sampleRate) {
      this.reported = this.played;
      this.port.postMessage({ played: this.played });
    }
    return true;
  }

  next() {
    const [first] = this.queue;
    let sample = first[this.position];
    this.position += 1;
    this.waiting -= 1;
    if (this.position === first.length) {
      this.queue.shift();
      this.position = 0;
    }
    if (this.fade !== null) {
      sample *= this.fade / (FADE_S * sampleRate);
      this.fade -= 1;
    }
    return sample;
  }
}

registerProcessor("stream", StreamProcessor);
