// A connection to Parley's speech service, made from tts.proto as it is; nothing is generated.
//
// Environment: PARLEY_TTS   address, "host:port" or "unix:/path"; 127.0.0.1:50051 without
//              PARLEY_KEY   API key or signed token, if the service wants one
//              PARLEY_CA    file with the issuers of the service's certificate, if it is encrypted

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';

const PROTO = fileURLToPath(new URL('../../tts/servers/proto/tts.proto', import.meta.url));

export function connect(environment = process.env) {
  const { PARLEY_TTS: address = '127.0.0.1:50051', PARLEY_CA: ca } = environment;
  const description = protoLoader.loadSync(PROTO, {
    keepCase: true,
    longs: Number,
    defaults: true,
    oneofs: true,
  });
  const { TextToSpeech } = grpc.loadPackageDefinition(description).parley.tts.v1;
  const credentials = ca
    ? grpc.credentials.createSsl(readFileSync(ca))
    : grpc.credentials.createInsecure();
  return new TextToSpeech(address, credentials);
}

// What goes with each call besides its messages.
export function headers({ PARLEY_KEY: key } = process.env) {
  const metadata = new grpc.Metadata();
  if (key) metadata.set('authorization', `Bearer ${key}`);
  return metadata;
}

// A failed call in a line: the code is one of docs/protocols/errors.md.
export function explain(error) {
  const [code = grpc.status[error.code]] = error.metadata?.get('parley-error-code') ?? [];
  const [after] = error.metadata?.get('retry-after') ?? [];
  return `${code}: ${error.details ?? error.message}${after ? ` (again in ${after} s)` : ''}`;
}
