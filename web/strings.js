// The words of the page in each language, and the one place that knows which is in use.
// Knows nothing of calls; every other module asks `language.say(key, values)`.

const STRINGS = {
  en: {
    otherLanguage: "中文",
    homeTitle: "Have a conversation",
    homeLead: "Speak as you would on the phone. You can interrupt at any time.",
    choosePersona: "Who would you like to talk to?",
    loadingPersonas: "Loading…",
    start: "Start call",
    retry: "Try again",
    privacy: "Your voice goes to this server only. The microphone is off outside a call.",
    callRegion: "Call",
    transcript: "Transcript",
    transcriptEmpty: "What you both say appears here.",
    latest: "Jump to the latest",
    you: "You",
    interrupted: "Interrupted",
    notSpoken: "not spoken:",
    announceYou: "You said: {text}",
    announceCut: "Interrupted. Not spoken: {text}",
    latencyTitle: "Response time",
    latencyEmpty: "After each of your turns, the time until the agent answered, by stage.",
    latencyMedian: "median {ms} ms",
    latencyTurn: "Turn {turn}",
    latencyTotal: "{ms} ms",
    stage_endpoint_ms: "End of turn",
    stage_stt_ms: "Transcript",
    stage_llm_ms: "Thinking",
    stage_tts_ms: "Voice",
    stage_send_ms: "Sending",
    timelineTitle: "Turn timeline",
    timelineEmpty: "After each of your turns: who sounded when, and what was decided.",
    timelineHint: "Point at a part, or move through them with the arrow keys.",
    timelineAt: "At {time}",
    timelineOf: "{when}, part by part",
    outcome_end: "over after {ms} ms",
    outcome_interrupt: "the agent yielded",
    outcome_drop: "no turn",
    timelineAfter: ", {ms} ms after your last word",
    timelineReason: ": {reason}",
    timelineComma: ", ",
    timelineJudgement: "{ms} ms: over with probability {probability} ({inputs}); it would end after {needed} ms of silence",
    input_sound: "sound {value}",
    input_words: "words {value}",
    input_habit: "your habit {value}",
    lane_caller: "You",
    lane_over: "Turn over?",
    lane_draft: "Draft",
    lane_floor: "Its voice",
    lane_agent: "Agent",
    span_caller_speech: "{from} ms: you speak for {length} ms",
    span_caller_silence: "{from} ms: you are silent for {length} ms",
    span_draft_begun: "{from} ms: an answer is begun early",
    span_draft_adopted: "{from} ms: an answer is begun early; it is used {length} ms later",
    span_draft_dropped: "{from} ms: an answer is begun early; it is thrown away {length} ms later",
    span_floor_duck: "{from} ms: the agent lowers its voice for {length} ms",
    span_floor_hold: "{from} ms: the agent falls silent and keeps its place for {length} ms",
    span_agent_thinking: "{from} ms: the agent thinks for {length} ms",
    span_agent_speech: "{from} ms: the agent speaks for {length} ms",
    decision_end: "{ms} ms: your turn is over",
    decision_interrupt: "{ms} ms: the agent yields",
    decision_drop: "{ms} ms: this was no turn",
    "reason_talk key": "the talk key is pressed",
    "reason_goes on": "you go on",
    reason_objects: "you object",
    reason_words: "you say something",
    reason_voice: "you speak long enough",
    "reason_quiet voice": "a voice too quiet to be yours",
    reason_echo: "the agent heard itself",
    "reason_no words": "no words",
    reason_backchannel: "you only show that you listen",
    "reason_too short for words": "too short for a word",
    "reason_short sound": "a short sound",
    "reason_no words in time": "no words in time",
    "reason_talked over the agent": "said over the agent’s voice",
    "reason_not the caller": "a voice that is not yours",
    "reason_said more": "you said more",
    "reason_speaks on": "you speak on",
    micLevel: "Microphone level",
    micMuted: "muted",
    mute: "Mute",
    unmute: "Unmute",
    talkKey: "Hold to talk",
    hangUp: "Hang up",
    cancelCall: "Cancel",
    cancel: "Cancel",
    listen: "Turn on sound",
    again: "Call again",
    another: "Choose someone else",
    stateMicrophone: "Waiting for the microphone…",
    stateConnecting: "Connecting…",
    stateListening: "Listening",
    stateUser: "You are speaking",
    stateThinking: "Thinking…",
    stateAgent: "Speaking",
    stateMuted: "You are muted",
    stateUnstable: "Connection unsteady…",
    announceLive: "Connected. The call has started.",
    announceMuted: "Microphone muted.",
    announceUnmuted: "Microphone on.",
    tokenTitle: "Access token",
    tokenLead: "This server is protected. Enter the token its operator gave you.",
    tokenLabel: "Token",
    tokenUse: "Continue",
    tokenWrong: "That token was not accepted.",
    ended_hungUp: "You ended the call.",
    ended_agent: "The agent ended the call.",
    ended_lost: "The connection was lost.",
    ended_limit: "The call reached its time limit.",
    ended_draining: "The server is shutting down, so the call ended.",
    ended_closed: "The server closed the call.",
    problem_micRefused: "The microphone is blocked. Allow it for this page in the browser’s address bar or settings, then start again.",
    problem_micMissing: "No microphone was found. Connect one, then start again.",
    problem_micBusy: "The microphone could not be opened. Another program may be using it; close that program, then start again.",
    problem_insecure: "Browsers give the microphone only to secure pages. Open this page through https, or on the server itself through localhost.",
    problem_unsupported: "This browser cannot make calls. Use a current version of Chrome, Edge, Firefox or Safari.",
    problem_serverFull: "All lines are busy. Please try again in a moment.",
    problem_starting: "The server is still starting. Please try again in a few seconds.",
    problem_draining: "The server is shutting down and takes no new calls.",
    problem_tokenNeeded: "An access token is needed to call.",
    problem_unreachable: "The server cannot be reached. Check your network, then try again.",
    problem_noMedia: "The call could not be connected. A firewall may be blocking it; another network may work.",
    problem_serverError: "The server could not take the call: {detail}",
    problem_noPersonas: "This server has nobody to talk to yet.",
    voiceTitle: "Try a voice",
    voiceChoice: "Voice",
    voiceEmotion: "Emotion",
    voiceLanguage: "Language",
    voiceText: "Text",
    voiceSpeak: "Speak",
    voiceStop: "Stop",
    voiceProgress: "Spoken so far",
    voicesLoading: "Loading the voices…",
    voiceWaiting: "Waiting for the first sound…",
    voiceSpeaking: "First sound after {ms} ms · {seconds} s",
    voiceFinished: "Finished · first sound after {ms} ms · {seconds} s in all",
    voiceStopped: "Stopped after {seconds} s",
    problem_voice: "The voice could not speak: {detail}",
    problem_voiceBusy: "The voices are busy. Please try again in a moment.",
    problem_noVoices: "This server has no voices yet.",
    hint_silentMicrophone: "Nothing can be heard from your microphone. Check that the right one is chosen and switched on.",
    hint_autoplay: "Your browser is holding back the sound.",
    notice_llm: "The agent has trouble thinking at the moment.",
    notice_tts: "The agent has trouble speaking at the moment.",
    notice_stt: "The agent has trouble hearing at the moment.",
  },
  zh: {
    otherLanguage: "English",
    homeTitle: "开始对话",
    homeLead: "像打电话一样说话即可，随时可以打断对方。",
    choosePersona: "您想和谁通话？",
    loadingPersonas: "正在加载…",
    start: "开始通话",
    retry: "重试",
    privacy: "您的声音只会发送到这台服务器，通话之外麦克风保持关闭。",
    callRegion: "通话",
    transcript: "对话记录",
    transcriptEmpty: "双方说的话会显示在这里。",
    latest: "回到最新",
    you: "您",
    interrupted: "被打断",
    notSpoken: "未说出：",
    announceYou: "您说：{text}",
    announceCut: "已打断。未说出：{text}",
    latencyTitle: "响应时间",
    latencyEmpty: "您每次说完后，这里按阶段显示对方多久作出回应。",
    latencyMedian: "中位数 {ms} 毫秒",
    latencyTurn: "第 {turn} 轮",
    latencyTotal: "{ms} 毫秒",
    stage_endpoint_ms: "判断说完",
    stage_stt_ms: "转写",
    stage_llm_ms: "思考",
    stage_tts_ms: "合成",
    stage_send_ms: "发送",
    timelineTitle: "轮次时间线",
    timelineEmpty: "您每次说完后，这里显示双方何时出声、系统作了哪些判断。",
    timelineHint: "指向某一部分，或用方向键逐项查看。",
    timelineAt: "{time} 起",
    timelineOf: "{when}，逐项",
    outcome_end: "静默 {ms} 毫秒后判定说完",
    outcome_interrupt: "对方让您先说",
    outcome_drop: "不是发言",
    timelineAfter: "，在您最后一个字之后 {ms} 毫秒",
    timelineReason: "：{reason}",
    timelineComma: "，",
    timelineJudgement: "{ms} 毫秒：已说完的概率 {probability}（{inputs}）；静默 {needed} 毫秒后判定说完",
    input_sound: "声音 {value}",
    input_words: "文字 {value}",
    input_habit: "您的习惯 {value}",
    lane_caller: "您",
    lane_over: "是否说完",
    lane_draft: "提前作答",
    lane_floor: "对方音量",
    lane_agent: "对方",
    span_caller_speech: "{from} 毫秒：您说话 {length} 毫秒",
    span_caller_silence: "{from} 毫秒：您停顿 {length} 毫秒",
    span_draft_begun: "{from} 毫秒：提前开始作答",
    span_draft_adopted: "{from} 毫秒：提前开始作答，{length} 毫秒后采用",
    span_draft_dropped: "{from} 毫秒：提前开始作答，{length} 毫秒后放弃",
    span_floor_duck: "{from} 毫秒：对方压低声音 {length} 毫秒",
    span_floor_hold: "{from} 毫秒：对方停下等待 {length} 毫秒",
    span_agent_thinking: "{from} 毫秒：对方思考 {length} 毫秒",
    span_agent_speech: "{from} 毫秒：对方说话 {length} 毫秒",
    decision_end: "{ms} 毫秒：判定您已说完",
    decision_interrupt: "{ms} 毫秒：对方让您先说",
    decision_drop: "{ms} 毫秒：判定不是发言",
    "reason_talk key": "按下了通话键",
    "reason_goes on": "您继续说",
    reason_objects: "您表示反对",
    reason_words: "您说了话",
    reason_voice: "您说得够久",
    "reason_quiet voice": "声音太小，不像是您",
    reason_echo: "对方听到了自己的声音",
    "reason_no words": "没有话语",
    reason_backchannel: "您只是在应声",
    "reason_too short for words": "太短，不成话",
    "reason_short sound": "短促的声音",
    "reason_no words in time": "没有及时听到话语",
    "reason_talked over the agent": "与对方同时说话",
    "reason_not the caller": "不是您的声音",
    "reason_said more": "您又说了话",
    "reason_speaks on": "您接着说",
    micLevel: "麦克风音量",
    micMuted: "已静音",
    mute: "静音",
    unmute: "取消静音",
    talkKey: "按住说话",
    hangUp: "挂断",
    cancelCall: "取消",
    cancel: "取消",
    listen: "打开声音",
    again: "再次通话",
    another: "换一位",
    stateMicrophone: "等待麦克风授权…",
    stateConnecting: "正在连接…",
    stateListening: "正在听",
    stateUser: "您正在说话",
    stateThinking: "正在思考…",
    stateAgent: "正在说话",
    stateMuted: "您已静音",
    stateUnstable: "连接不稳定…",
    announceLive: "已接通，通话开始。",
    announceMuted: "麦克风已静音。",
    announceUnmuted: "麦克风已打开。",
    tokenTitle: "访问令牌",
    tokenLead: "此服务器受保护，请输入管理员给您的令牌。",
    tokenLabel: "令牌",
    tokenUse: "继续",
    tokenWrong: "令牌不正确。",
    ended_hungUp: "您已挂断。",
    ended_agent: "对方结束了通话。",
    ended_lost: "连接已中断。",
    ended_limit: "通话已达到时长上限。",
    ended_draining: "服务器正在关闭，通话已结束。",
    ended_closed: "服务器结束了通话。",
    problem_micRefused: "麦克风被禁止使用。请在浏览器地址栏或设置中允许本页面使用麦克风，然后重新开始。",
    problem_micMissing: "没有找到麦克风。请接好麦克风后重新开始。",
    problem_micBusy: "无法打开麦克风，可能正被其他程序占用。请关闭该程序后重新开始。",
    problem_insecure: "浏览器只允许安全页面使用麦克风。请通过 https 打开本页面，或在服务器本机通过 localhost 打开。",
    problem_unsupported: "此浏览器不支持通话。请使用新版 Chrome、Edge、Firefox 或 Safari。",
    problem_serverFull: "线路繁忙，请稍后再试。",
    problem_starting: "服务器正在启动，请几秒后再试。",
    problem_draining: "服务器正在关闭，暂不接受新的通话。",
    problem_tokenNeeded: "需要访问令牌才能通话。",
    problem_unreachable: "无法连接服务器。请检查网络后重试。",
    problem_noMedia: "通话无法接通，可能被防火墙阻挡，可以换一个网络再试。",
    problem_serverError: "服务器无法接听：{detail}",
    problem_noPersonas: "此服务器上还没有可以通话的对象。",
    voiceTitle: "试听声音",
    voiceChoice: "声音",
    voiceEmotion: "情绪",
    voiceLanguage: "语言",
    voiceText: "文本",
    voiceSpeak: "朗读",
    voiceStop: "停止",
    voiceProgress: "已读部分",
    voicesLoading: "正在加载声音…",
    voiceWaiting: "正在等待第一个声音…",
    voiceSpeaking: "首音 {ms} 毫秒 · {seconds} 秒",
    voiceFinished: "已读完 · 首音 {ms} 毫秒 · 共 {seconds} 秒",
    voiceStopped: "已停止，共 {seconds} 秒",
    problem_voice: "无法朗读：{detail}",
    problem_voiceBusy: "声音正忙，请稍后再试。",
    problem_noVoices: "此服务器上还没有声音。",
    hint_silentMicrophone: "听不到您的麦克风。请检查是否选对了麦克风并已打开。",
    hint_autoplay: "浏览器暂停了声音播放。",
    notice_llm: "对方暂时无法思考。",
    notice_tts: "对方暂时无法出声。",
    notice_stt: "对方暂时听不清。",
  },
};

const STORED = "parley-language";

/** Reads a remembered value; a browser that forbids storage simply remembers nothing. */
export function recall(key, storage = "localStorage") {
  try {
    return window[storage].getItem(key);
  } catch {
    return null;
  }
}

/** Remembers a value where the browser allows it. */
export function remember(key, value, storage = "localStorage") {
  try {
    window[storage].setItem(key, value);
  } catch {
    // Private windows may refuse; the page works without.
  }
}

class Language {
  constructor() {
    const preferred = recall(STORED) ?? navigator.languages?.[0] ?? navigator.language ?? "en";
    this.code = preferred.toLowerCase().startsWith("zh") ? "zh" : "en";
  }

  /** The text for `key`, with each {name} replaced from `values`. */
  say(key, values = {}) {
    return STRINGS[this.code][key].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  }

  /** Whether there is a text for `key`. */
  has(key) {
    return Object.hasOwn(STRINGS[this.code], key);
  }

  toggle() {
    this.code = this.code === "zh" ? "en" : "zh";
    remember(STORED, this.code);
  }

  /** Puts the language into every element below `root` that names its text. */
  apply(root) {
    document.documentElement.lang = this.code === "zh" ? "zh-CN" : "en";
    for (const element of root.querySelectorAll("[data-text]")) {
      element.textContent = this.say(element.dataset.text);
    }
    for (const element of root.querySelectorAll("[data-label]")) {
      element.setAttribute("aria-label", this.say(element.dataset.label));
    }
  }
}

export const language = new Language();

export const LANGUAGE_NAMES = { en: "English", zh: "中文", ja: "日本語", ko: "한국어", yue: "粵語" };

/** An element whose text is kept by key, so that it can change its language at any time. */
export class Line {
  constructor(element) {
    this.element = element;
    this.write = () => "";
  }

  say(key, values) {
    this.write = () => language.say(key, values);
    this.render();
  }

  clear() {
    this.write = () => "";
    this.render();
  }

  render() {
    const text = this.write();
    if (this.element.textContent !== text) this.element.textContent = text;
  }
}
