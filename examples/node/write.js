// Speak a text while it is being written: node write.js VOICE said.wav < text
//
// Standard input is the text; it may come bit by bit, as from a language model. Ctrl-C cancels
// in-band: the service says no more, and its last chunk tells how much it had said.

import { connect, explain, headers } from './service.js';
import { WavFile } from './wav.js';

const [voice, path] = process.argv.slice(2);
const client = connect();
const file = new WavFile(path);
const call = client.SynthesizeText(headers());

// What is written to a call beyond its buffer is kept in memory; waiting keeps the text outside.
function send(message) {
  return new Promise((sent) => call.write(message, sent));
}

async function write() {
  await send({ request: { voice, language: 'en' } });
  process.stdin.setEncoding('utf8');
  for await (const text of process.stdin) {
    await send({ text });
  }
  await send({ end: true });
}

process.once('SIGINT', () => {
  process.stdin.destroy();
  call.write({ cancel: true });
});

try {
  // The call's own error tells more than that of a message it does not take any more.
  write().catch(() => {});
  for await (const chunk of call) {
    file.write(chunk);
    for (const mark of chunk.marks) {
      console.log(`${mark.start_s.toFixed(2)} s: characters ${mark.text_start}-${mark.text_end}`);
    }
    if (chunk.is_cancelled) console.log(`cancelled after ${chunk.first_sample} samples`);
  }
  call.end();
} catch (error) {
  console.error(explain(error));
  process.exitCode = 1;
} finally {
  console.log(`${file.close().toFixed(3)} s of audio in ${path}`);
  process.stdin.destroy();
  client.close();
}
