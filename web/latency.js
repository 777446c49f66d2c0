// How long each turn took, by stage: a bar and the numbers behind it.
// In: `turn-latency` messages. Out: list entries, newest first, and the median over the call.

import { language } from "./strings.js";

const STAGES = ["endpoint_ms", "stt_ms", "llm_ms", "tts_ms", "send_ms"];
const FULL_BAR_MS = 1000; // a bar of this length fills the width, until a turn takes longer
const MAX_TURNS = 100;

export class LatencyPanel {
  constructor({ list, empty, summary }) {
    this.list = list;
    this.empty = empty;
    this.summary = summary;
    this.clear();
  }

  clear() {
    this.turns = [];
    this.render();
  }

  /** Adds one turn; values that are no numbers are left out. */
  add({ turn, stages, total_ms: totalMs }) {
    if (!Number.isFinite(totalMs)) return;
    const known = STAGES.filter((stage) => Number.isFinite(stages?.[stage]) && stages[stage] >= 0);
    const parts = known.map((stage) => ({ stage, ms: Math.round(stages[stage]) }));
    this.turns.push({ turn, totalMs: Math.round(totalMs), parts });
    if (this.turns.length > MAX_TURNS) this.turns.shift();
    this.render();
  }

  /** Draws the whole panel; also after a change of language. */
  render() {
    this.empty.hidden = this.turns.length > 0;
    this.summary.textContent =
      this.turns.length > 0 ? language.say("latencyMedian", { ms: this.median() }) : "";
    const fullMs = Math.max(FULL_BAR_MS, ...this.turns.map(drawnMs));
    this.list.replaceChildren(...this.turns.map((turn) => entry(turn, fullMs)).reverse());
  }

  median() {
    const sorted = this.turns.map((turn) => turn.totalMs).sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    if (sorted.length % 2 === 1) return sorted[middle];
    return Math.round((sorted[middle - 1] + sorted[middle]) / 2);
  }
}

/** Length of a turn's bar: stages that overlap may add up to more than the total. */
function drawnMs({ parts, totalMs }) {
  return Math.max(totalMs, parts.reduce((sum, part) => sum + part.ms, 0));
}

function entry(turn, fullMs) {
  const item = document.createElement("li");
  const head = document.createElement("p");
  head.className = "turn-head";
  const name = document.createElement("span");
  name.textContent = language.say("latencyTurn", { turn: turn.turn });
  const total = document.createElement("strong");
  total.textContent = language.say("latencyTotal", { ms: turn.totalMs });
  head.append(name, total);

  const bar = document.createElement("div");
  bar.className = "turn-bar";
  bar.setAttribute("aria-hidden", "true"); // the numbers below say the same
  const numbers = document.createElement("dl");
  for (const { stage, ms } of turn.parts) {
    const part = document.createElement("span");
    part.dataset.stage = stage;
    part.style.width = `${(100 * ms) / fullMs}%`;
    bar.append(part);
    numbers.append(number(stage, ms));
  }
  item.append(head, bar, numbers);
  return item;
}

function number(stage, ms) {
  const group = document.createElement("div");
  group.dataset.stage = stage;
  const term = document.createElement("dt");
  term.textContent = language.say(`stage_${stage}`);
  const value = document.createElement("dd");
  value.textContent = ms;
  group.append(term, value);
  return group;
}
