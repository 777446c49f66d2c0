// What both sides said, as it happens.
//
// In: the caller's partial and final transcripts, and the agent's text with how much of it was
// spoken. Out: list entries. The agent's words show once they are spoken; what an interruption cut
// off stays, struck through and named as unspoken. Knows nothing of the network.

import { language } from "./strings.js";

const MAX_ENTRIES = 500; // oldest go first
const NEAR_END_PX = 48;

export class Transcript {
  /** `announce(text)` says something to screen readers. */
  constructor({ list, scroller, empty, latest }, announce) {
    this.list = list;
    this.scroller = scroller;
    this.empty = empty;
    this.latest = latest;
    this.announce = announce;
    latest.addEventListener("click", () => this.scrollToEnd());
    scroller.addEventListener("scroll", () => {
      this.following = this.atEnd();
      if (this.following) latest.hidden = true;
    });
    new ResizeObserver(() => this.follow()).observe(scroller);
    this.clear("", "");
  }

  /** Empties the list for a call with `agentName`, who speaks `agentLanguage`. */
  clear(agentName, agentLanguage) {
    this.agentName = agentName;
    this.agentLanguage = agentLanguage;
    this.list.replaceChildren();
    this.empty.hidden = false;
    this.latest.hidden = true;
    this.following = true; // until the reader scrolls back
    this.partial = null; // the caller's entry that may still change
    this.utterances = new Map(); // number -> Utterance
  }

  /** Shows what the caller said so far; a final text replaces the partial one for good. */
  heardCaller(text, final) {
    const words = text.trim();
    if (words === "") {
      if (final) this.dropPartial();
      return;
    }
    this.partial ??= this.addEntry("caller", language.say("you"));
    this.partial.text.textContent = words;
    this.partial.entry.classList.toggle("partial", !final);
    this.follow();
    if (!final) return;
    this.partial = null;
    this.announce(language.say("announceYou", { text: words }));
  }

  dropPartial() {
    this.partial?.entry.remove();
    this.partial = null;
    this.empty.hidden = this.list.children.length > 0;
  }

  /** Adds text that the agent will speak; it shows when it is spoken. */
  willSpeak(number, text) {
    this.utterance(number).characters.push(...text);
  }

  /** Shows the first `count` characters (Unicode code points) of an utterance as spoken. */
  spoke(number, count) {
    const utterance = this.utterance(number);
    utterance.spoken = Math.max(utterance.spoken, count);
    if (utterance.spoken > 0) this.show(utterance);
  }

  /** An utterance is over: what was not spoken by now never will be. */
  ended(number, count, interrupted) {
    const utterance = this.utterance(number);
    utterance.stopAt(count);
    utterance.interrupted = interrupted;
    utterance.over = true;
    this.utterances.delete(number);
    if (utterance.characters.length === 0) return;
    this.show(utterance);
    if (interrupted && utterance.rest !== "") {
      this.announce(language.say("announceCut", { text: utterance.rest.trim() }));
    }
  }

  /** The call is over: nothing more will be heard or spoken. */
  close() {
    this.partial?.entry.classList.remove("partial");
    this.partial = null;
    for (const [number, { spoken }] of this.utterances) {
      if (spoken > 0) this.ended(number, spoken, false);
    }
  }

  utterance(number) {
    if (!this.utterances.has(number)) this.utterances.set(number, new Utterance());
    return this.utterances.get(number);
  }

  show(utterance) {
    utterance.shown ??= this.addEntry("agent", this.agentName);
    const { entry, text } = utterance.shown;
    text.lang = this.agentLanguage;
    text.textContent = utterance.said;
    entry.classList.toggle("speaking", !utterance.over);
    if (utterance.over && utterance.rest !== "") this.strike(utterance);
    this.follow();
  }

  /** Adds the words that were never spoken. */
  strike(utterance) {
    const { entry, text } = utterance.shown;
    const label = document.createElement("span");
    label.className = "hidden";
    label.lang = document.documentElement.lang;
    label.textContent = `${language.say("notSpoken")} `;
    const unspoken = document.createElement("s");
    unspoken.textContent = utterance.rest.trim();
    text.append(utterance.rest.match(/^\s*/)[0], label, unspoken);
    if (!utterance.interrupted) return;
    const note = document.createElement("span");
    note.className = "note";
    note.textContent = language.say("interrupted");
    entry.querySelector(".who").append(note);
  }

  addEntry(side, name) {
    const entry = document.createElement("li");
    entry.className = side;
    const who = document.createElement("p");
    who.className = "who";
    who.textContent = name;
    const text = document.createElement("p");
    text.className = "text";
    if (side === "caller") text.lang = this.agentLanguage;
    entry.append(who, text);
    this.list.append(entry);
    while (this.list.children.length > MAX_ENTRIES) this.list.firstElementChild.remove();
    this.empty.hidden = true;
    return { entry, text };
  }

  /** Keeps the newest words in view, unless the reader has scrolled back. */
  follow() {
    if (this.following) this.scrollToEnd();
    else this.latest.hidden = false;
  }

  atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  }

  scrollToEnd() {
    this.following = true;
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.latest.hidden = true;
  }
}

/** One reply of the agent. Counts are in code points, as the daemon counts them. */
class Utterance {
  constructor() {
    this.characters = [];
    this.spoken = 0;
    this.over = false;
    this.interrupted = false;
    this.shown = null; // its entry, once there is something to show
  }

  /** Nothing after `count` will be spoken; a trailing mark or space counts as spoken. */
  stopAt(count) {
    this.spoken = count;
    if (!/[\p{L}\p{N}]/u.test(this.rest)) this.spoken = this.characters.length;
  }

  get said() {
    return this.characters.slice(0, this.spoken).join("");
  }

  get rest() {
    return this.characters.slice(this.spoken).join("");
  }
}
