// Measures the microphone: in, 128-sample blocks on the audio thread; out, one message about every
// 50 ms with the peak and the root mean square (0 to 1) since the last. Plays nothing.

const REPORT_S = 0.05;

class LevelProcessor extends AudioWorkletProcessor {
  constructor() {
    super();
    this.reset();
  }

  reset() {
    this.peak = 0;
    this.sumOfSquares = 0;
    this.samples = 0;
  }

  process(inputs) {
    const channel = inputs[0][0];
    if (!channel) return true; // the track is not connected yet
    for (const sample of channel) {
      const size = Math.abs(sample);
      if (size > this.peak) this.peak = size;
      this.sumOfSquares += sample * sample;
    }
    this.samples += channel.length;
    if (this.samples >= REPORT_S * sampleRate) {
      this.port.postMessage({ peak: this.peak, rms: Math.sqrt(this.sumOfSquares / this.samples) });
      this.reset();
    }
    return true;
  }
}

registerProcessor("level", LevelProcessor);
