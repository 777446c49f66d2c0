// A caller made of pipecat's own JavaScript client, without a line that knows of Parley.
// `window.caller.connect(request)` rings, `window.caller.disconnect()` hangs up, and
// `window.caller.events` is what the client reported, in order, as [name, detail].

import { PipecatClient } from "@pipecat-ai/client-js";
import { SmallWebRTCTransport, WavMediaManager } from "@pipecat-ai/small-webrtc-transport";

// The client's default media manager fetches its code from its maker's network. This one comes
// with it; saying that it can share the screen makes the offer the same: audio and two videos.
class ScreenSharingMedia extends WavMediaManager {
  get supportsScreenShare() {
    return true;
  }
}

const events = [];
const note = (name) => (detail) => events.push([name, detail ?? null]);

const client = new PipecatClient({
  transport: new SmallWebRTCTransport({ mediaManager: new ScreenSharingMedia() }),
  enableMic: true,
  callbacks: {
    onTransportStateChanged: note("state"),
    onBotReady: note("bot-ready"),
    onUserTranscript: note("user-transcript"),
    onBotTtsText: note("bot-tts-text"),
    onBotStartedSpeaking: note("bot-started-speaking"),
    onBotStoppedSpeaking: note("bot-stopped-speaking"),
    onServerMessage: note("server-message"),
    onError: note("error"),
    onDisconnected: note("disconnected"),
    onTrackStarted: (track, participant) => {
      if (participant?.local || track.kind !== "audio") return;
      const audio = document.getElementById("agent-audio");
      audio.srcObject = new MediaStream([track]);
      audio.play();
      events.push(["track", track.kind]);
    },
  },
});

// The client waits for the agent as long as it takes; a test does not.
const overdue = () =>
  new Promise((_, reject) => setTimeout(() => reject(new Error("no bot-ready came")), 20_000));

window.caller = {
  events,
  connect: ({ endpoint, headers, requestData }) => {
    const webrtcRequestParams = { endpoint, headers: new Headers(headers), requestData };
    return Promise.race([client.connect({ webrtcRequestParams }), overdue()]);
  },
  disconnect: () => client.disconnect(),
};
