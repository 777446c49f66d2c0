// The last turns as pictures: who sounded when, what was decided, and from what.
// In: `turn-timeline` messages. Out: list entries, newest first: lanes on a scale of milliseconds, and
// one line of text for the part that is pointed at. Knows nothing of calls.

import { language } from "./strings.js";

const MAX_TURNS = 10;
const LANES = { caller: 22, over: 48, draft: 22, floor: 22, agent: 22 }; // heights in px, in order
const AXIS_PX = 22;
const PAD_PX = 12; // at both ends, so that the first and the last mark can be seen whole
const BESIDE_PX = 150; // taken by the names of the lanes and the space around
const LEAST_PX_PER_MS = 0.06;
const TICK_PX = 72; // least distance of two times on the axis
const TICKS_MS = [100, 200, 500, 1000, 2000, 5000, 10_000, 20_000];
const ENDS = new Set(["end", "interrupt", "drop"]); // decisions drawn through all lanes
const KINDS = {
  caller: ["speech", "silence"],
  draft: ["begun", "adopted", "dropped"],
  floor: ["duck", "hold"],
  agent: ["thinking", "speech"],
};
const SVG = "http://www.w3.org/2000/svg";

export class TimelinePanel {
  constructor({ panel, list, empty, summary }) {
    this.list = list;
    this.empty = empty;
    this.summary = summary;
    panel.addEventListener("toggle", () => this.render());
    new ResizeObserver(() => this.fit()).observe(list);
    this.clear();
  }

  clear() {
    this.turns = [];
    this.render();
  }

  /** Adds one turn, unless it is none of ours. */
  add(turn) {
    if (!Number.isFinite(turn.length_ms) || turn.length_ms <= 0) return;
    const parts = Object.fromEntries(
      ["spans", "judgements", "decisions"].map((name) => [name, turn[name] ?? []]),
    );
    this.turns.push({ fromS: turn.from_s, lengthMs: turn.length_ms, ...parts });
    this.list.prepend(entry(this.turns.at(-1), this.width));
    if (this.turns.length > MAX_TURNS) {
      this.turns.shift();
      this.list.lastElementChild.remove();
    }
    this.sum();
  }

  /** Draws the pictures anew where there is more or less room for them. */
  fit() {
    if (this.list.clientWidth !== this.width) this.render();
  }

  /** Draws the whole panel; also after a change of language. */
  render() {
    this.width = this.list.clientWidth;
    this.list.replaceChildren(...this.turns.map((turn) => entry(turn, this.width)).reverse());
    this.sum();
  }

  sum() {
    this.empty.hidden = this.turns.length > 0;
    this.summary.textContent = this.turns.length > 0 ? outcome(this.turns.at(-1)) : "";
  }
}

/** Where in the call a turn begins; latency counts answered turns only, so numbers would differ. */
function when({ fromS }) {
  const seconds = Math.max(0, fromS);
  const rest = (seconds % 60).toFixed(1).padStart(4, "0");
  return language.say("timelineAt", { time: `${Math.floor(seconds / 60)}:${rest}` });
}

/** What became of a turn, in a few words. */
function outcome(turn) {
  const last = turn.decisions.filter(({ kind }) => ENDS.has(kind)).at(-1);
  return last ? language.say(`outcome_${last.kind}`, { ms: last.silence_ms }) : "";
}

function entry(turn, width) {
  const item = document.createElement("li");
  const head = document.createElement("p");
  head.className = "turn-head";
  const name = document.createElement("span");
  name.textContent = when(turn);
  const end = document.createElement("span");
  end.textContent = outcome(turn);
  head.append(name, end);
  const detail = document.createElement("p");
  detail.className = "timeline-detail";
  detail.textContent = language.say("timelineHint");
  const body = document.createElement("div");
  body.className = "timeline-body";
  body.append(laneNames());
  item.append(head, body, detail);
  const drawing = new Drawing(turn, Math.max(160, width - BESIDE_PX), (text) => {
    detail.textContent = text;
  });
  body.append(drawing.element);
  return item;
}

function laneNames() {
  const names = document.createElement("div");
  names.className = "timeline-lanes";
  names.setAttribute("aria-hidden", "true"); // each part says which lane it is in
  for (const [lane, height] of Object.entries(LANES)) {
    const name = document.createElement("span");
    name.style.height = `${height}px`;
    name.textContent = language.say(`lane_${lane}`);
    names.append(name);
  }
  return names;
}

/** One picture. Its parts are options of a list box: one stop of the Tab key, arrows within. */
class Drawing {
  constructor(turn, width, tell) {
    this.turn = turn;
    this.tell = tell;
    this.pxPerMs = Math.max(LEAST_PX_PER_MS, (width - 2 * PAD_PX) / turn.lengthMs);
    this.height = Object.values(LANES).reduce((sum, height) => sum + height, 0);
    this.parts = [];
    const widthPx = turn.lengthMs * this.pxPerMs + 2 * PAD_PX;
    this.svg = make("svg", {
      width: Math.round(widthPx),
      height: this.height + AXIS_PX,
      role: "listbox",
      "aria-label": language.say("timelineOf", { when: when(turn) }),
      "aria-orientation": "horizontal",
    });
    this.element = document.createElement("div");
    this.element.className = "timeline-scroll";
    this.element.append(this.svg);
    this.drawAxis();
    this.drawSpans();
    this.drawJudgements();
    this.drawDecisions();
    this.followKeys();
  }

  x(ms) {
    return PAD_PX + ms * this.pxPerMs;
  }

  drawAxis() {
    const axis = make("g", { class: "timeline-axis", "aria-hidden": "true" });
    for (const [lane, height] of Object.entries(LANES)) {
      const y = this.top(lane) + height - 0.5;
      axis.append(make("line", { x1: 0, x2: this.x(this.turn.lengthMs) + PAD_PX, y1: y, y2: y }));
    }
    const step = TICKS_MS.find((ms) => ms * this.pxPerMs >= TICK_PX) ?? TICKS_MS.at(-1);
    for (let ms = 0; ms <= this.turn.lengthMs; ms += step) {
      axis.append(make("line", { x1: this.x(ms), x2: this.x(ms), y1: 0, y2: this.height }));
      if (this.x(this.turn.lengthMs) - this.x(ms) < TICK_PX / 3 && ms > 0) continue; // cut off
      const text = make("text", { x: ms === 0 ? 0 : this.x(ms), y: this.height + 15 });
      text.setAttribute("text-anchor", ms === 0 ? "start" : "middle");
      text.textContent = language.say("latencyTotal", { ms });
      axis.append(text);
    }
    this.svg.append(axis);
  }

  drawSpans() {
    for (const span of this.turn.spans) {
      const lane = span.lane;
      if (!KINDS[lane]?.includes(span.kind)) continue;
      const from = this.x(span.from_ms);
      const width = Math.max(2, this.x(span.to_ms) - from);
      const height = LANES[lane] - 8;
      const shape = make("rect", { x: from, y: this.top(lane) + 4, width, height, rx: 3 });
      this.add(shape, `${lane}-${span.kind}`, span.from_ms, said(span));
    }
  }

  drawJudgements() {
    const top = this.top("over");
    const y = (probability) => top + 6 + (1 - probability) * (LANES.over - 12);
    for (const pause of new Set(this.turn.judgements.map((it) => it.pause))) {
      const own = this.turn.judgements.filter((it) => it.pause === pause);
      const points = own.map((it) => `${this.x(it.at_ms)},${y(it.probability)}`).join(" ");
      const curve = make("polyline", { points, class: "timeline-curve", "aria-hidden": "true" });
      this.svg.append(curve);
    }
    for (const judgement of this.turn.judgements) {
      const at = { cx: this.x(judgement.at_ms), cy: y(judgement.probability) };
      const dot = make("circle", { ...at, r: 3.5 });
      this.add(dot, "over-score", judgement.at_ms, saidOf(judgement));
    }
  }

  drawDecisions() {
    for (const decision of this.turn.decisions) {
      if (!ENDS.has(decision.kind)) continue;
      const x = this.x(decision.at_ms);
      const line = make("line", { x1: x, x2: x, y1: 0, y2: this.height });
      this.add(line, `decision-${decision.kind}`, decision.at_ms, said(decision));
    }
  }

  top(lane) {
    let top = 0;
    for (const [name, height] of Object.entries(LANES)) {
      if (name === lane) break;
      top += height;
    }
    return top;
  }

  /** Adds a part that can be pointed at. */
  add(shape, kind, atMs, text) {
    shape.setAttribute("class", kind);
    shape.setAttribute("role", "option");
    shape.setAttribute("tabindex", -1);
    shape.setAttribute("aria-label", text);
    shape.setAttribute("aria-selected", "false");
    const part = { shape, atMs, text };
    shape.addEventListener("pointerenter", () => this.tell(text));
    shape.addEventListener("click", () => this.choose(part));
    this.parts.push(part);
    this.svg.append(shape);
  }

  followKeys() {
    this.parts.sort((a, b) => a.atMs - b.atMs);
    this.parts[0]?.shape.setAttribute("tabindex", 0);
    // Not on the drawing: Chromium makes one that listens for the focus a stop of its own.
    this.element.addEventListener("focusin", ({ target }) => {
      const part = this.parts.find(({ shape }) => shape === target);
      if (part) this.select(part);
    });
    // A finger is wider than most parts.
    this.svg.addEventListener("click", (event) => {
      if (event.target.role !== "option") this.choose(this.nearest(event));
    });
    this.svg.addEventListener("keydown", (event) => {
      const at = this.parts.findIndex(({ shape }) => shape === document.activeElement);
      const last = this.parts.length - 1;
      const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.choose(this.parts[Math.min(Math.max(to, 0), last)]);
    });
  }

  nearest({ clientX, clientY }) {
    const distances = this.parts.map(({ shape }) => {
      const { left, right, top, bottom } = shape.getBoundingClientRect();
      return Math.hypot(
        Math.max(left - clientX, 0, clientX - right),
        Math.max(top - clientY, 0, clientY - bottom),
      );
    });
    return this.parts[distances.indexOf(Math.min(...distances))];
  }

  choose(part) {
    if (!part) return;
    part.shape.focus();
    part.shape.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  select(chosen) {
    for (const { shape } of this.parts) {
      shape.setAttribute("tabindex", shape === chosen.shape ? 0 : -1);
      shape.setAttribute("aria-selected", String(shape === chosen.shape));
    }
    this.tell(chosen.text);
  }
}

/** A span or a decision in words. */
function said(part) {
  const values = { ms: part.at_ms, from: part.from_ms, length: part.to_ms - part.from_ms };
  const key = part.lane ? `span_${part.lane}_${part.kind}` : `decision_${part.kind}`;
  let text = language.say(key, values);
  if (part.silence_ms !== undefined) text += language.say("timelineAfter", { ms: part.silence_ms });
  if (part.reason) text += language.say("timelineReason", { reason: reasonOf(part.reason) });
  return text;
}

/** The daemon's reasons are English phrases; those that are known have words in each language. */
function reasonOf(reason) {
  return language.has(`reason_${reason}`) ? language.say(`reason_${reason}`) : reason;
}

function saidOf(judgement) {
  const inputs = ["sound", "words", "habit"]
    .filter((name) => Number.isFinite(judgement[name]))
    .map((name) => language.say(`input_${name}`, { value: judgement[name].toFixed(2) }));
  return language.say("timelineJudgement", {
    ms: judgement.at_ms,
    probability: judgement.probability.toFixed(2),
    inputs: inputs.join(language.say("timelineComma")),
    needed: judgement.needed_ms,
  });
}

function make(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
