// A WAV file that grows while audio comes in: mono, signed 16 bits.

import { closeSync, openSync, writeSync } from 'node:fs';

const HEADER_BYTES = 44;

export class WavFile {
  constructor(path) {
    this.file = openSync(path, 'w');
    this.bytes = 0;
    this.rateHz = 0;
  }

  write(chunk) {
    this.rateHz ||= chunk.sample_rate_hz;
    writeSync(this.file, chunk.pcm, 0, chunk.pcm.length, HEADER_BYTES + this.bytes);
    this.bytes += chunk.pcm.length;
  }

  // The header comes last: it has the length. Returns the seconds of audio.
  close() {
    const header = Buffer.alloc(HEADER_BYTES);
    header.write('RIFF', 0);
    header.writeUInt32LE(HEADER_BYTES - 8 + this.bytes, 4);
    header.write('WAVEfmt ', 8);
    header.writeUInt32LE(16, 16); // bytes of this section
    header.writeUInt16LE(1, 20); // PCM
    header.writeUInt16LE(1, 22); // channels
    header.writeUInt32LE(this.rateHz, 24);
    header.writeUInt32LE(this.rateHz * 2, 28); // bytes a second
    header.writeUInt16LE(2, 32); // bytes a sample
    header.writeUInt16LE(16, 34); // bits a sample
    header.write('data', 36);
    header.writeUInt32LE(this.bytes, 40);
    writeSync(this.file, header, 0, HEADER_BYTES, 0);
    closeSync(this.file);
    return this.rateHz ? this.bytes / 2 / this.rateHz : 0;
  }
}
