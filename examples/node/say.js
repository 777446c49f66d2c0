// Say a sentence into a WAV file: node say.js VOICE "Good morning." said.wav

import { connect, explain, headers } from './service.js';
import { WavFile } from './wav.js';

const [voice, text, path] = process.argv.slice(2);
const client = connect();
const file = new WavFile(path);
const began = performance.now();
let firstMs = 0;

const call = client.StreamSynthesize({ text, voice, language: 'en' }, headers(), {
  deadline: Date.now() + 60_000,
});
try {
  // Each chunk is taken when the one before it has been written: a slow disk slows the service.
  for await (const chunk of call) {
    firstMs ||= performance.now() - began;
    file.write(chunk);
  }
  console.log(`first audio after ${firstMs.toFixed(0)} ms`);
} catch (error) {
  console.error(explain(error));
  process.exitCode = 1;
} finally {
  console.log(`${file.close().toFixed(3)} s of audio in ${path}`);
  client.close();
}
