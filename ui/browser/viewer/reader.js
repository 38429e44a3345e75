/**
 * The reader's screen: shows one case, collects the verdict on it, and signs it.
 *
 * The next case is known and loaded before it is needed, so it is on screen as soon as the last one
 * is signed. What is signed is what is shown: a verdict names the case on screen and hands back the
 * token of its evidence, and nothing can be signed before pixels and maps have been drawn.
 */

import { Attention } from "./attention.js";
import { DisagreementPane } from "./disagreement_pane.js";
import { h, say } from "./dom.js";
import { keepDraft, loadDraft } from "./drafts.js";
import { HeatControls } from "./heat_controls.js";
import { ImageTools } from "./image_tools.js";
import { helpDialog, Keys } from "./keys.js";
import { MapPane } from "./map_pane.js";
import { isChecking, isWaiting } from "./notices.js";
import { Outbox } from "./outbox.js";
import { Pane } from "./pane.js";
import { Panes } from "./panes.js";
import { imageOf, mapsOf, prefetch } from "./pictures.js";
import { keepPreferences, loadPreferences } from "./preferences.js";
import { PredictionPanel } from "./prediction.js";
import { Signing } from "./signing.js";
import { Toast } from "./toast.js";
import { dismiss } from "./trust_badge.js";
import { TopBar } from "./top_bar.js";
import { VerdictForm } from "./verdict_form.js";

const REFRESH_MS = 1000;
const PANES = ["Original", "Integrated Gradients", "Occlusion"];
const LEAVE = "second-look:leave";

export class Reader {
  runs = 0;
  #data;
  #post;
  #reading = null;
  #draft = null;
  #maps = [];
  #drawn = false;
  #refresh = null;
  #attention = new Attention();
  #toast = new Toast();
  #outbox = new Outbox((action) => this.#post(action), (late) => this.#late(late));
  #looks = { ...loadPreferences(), window: { low: 0, high: 1 }, inverted: false, tool: "pan" };
  #root; #empty; #help; #top; #heat; #panes; #tools; #mapPanes; #disagreement; #prediction; #form;
  #signing; #keys;

  constructor(parent, data) {
    this.#data = data;
    const { site } = data;
    this.#heat = new HeatControls(this.#looks, site.lut, () => {
      keepPreferences(this.#looks);
      if (this.#disagreement.look(this.#looks)) this.#tools.share();
      this.#panes.redraw();
    });
    this.#disagreement = new DisagreementPane(PANES.length, site.contrast_lut, (map) =>
      this.#panes.addMap(map));
    const panes = [...PANES.map((name, index) => new Pane(name, index)), this.#disagreement];
    this.#panes = new Panes(panes, [site.lut, site.lut, site.contrast_lut], this.#looks, {
      onWindow: (window) => this.#tools.setWindow(window),
      onBox: (box) => this.#addBox(box),
      onDrawn: (reading, mapsVisible) => this.#wasDrawn(reading, mapsVisible),
    });
    this.#tools = new ImageTools(this.#looks, this.#panes);
    this.#disagreement.look(this.#looks);
    this.#mapPanes = ["G", "O"].map((key, index) => new MapPane(this.#panes.panes[index + 1], key, site,
      site.pair[index], {
      judge: (value) => this.#judge(index, value),
      pick: (method) => this.#pick(index, method),
      act: (action) => this.#ask(action),
      reload: () => this.#load(this.#reading),
    }));
    this.#prediction = new PredictionPanel((action) => this.#ask(action));
    this.#form = new VerdictForm(site, () => this.#draftChanged(), () => this.#sign());
    this.#signing = new Signing((action) => this.#outbox.send(action), this.#toast, site.opinions);
    this.#help = helpDialog();
    this.#top = new TopBar({
      previous: () => this.#step("previous_id"),
      next: () => this.#step("next_id"),
      help: () => this.#help.showModal(),
    }, this.#heat.element);
    this.#build(parent, site);
    this.#keys = new Keys(this.#commands(), () => !this.#help.open);
  }

  /**
   * Take in a run of the script.
   *
   * @param data what the server says is open, and which action it has done last
   * @param post sends an action to the server
   * @returns the number of the run
   */
  update(data, post) {
    this.runs += 1;
    this.#data = data;
    this.#post = post;
    const done = this.#outbox.acknowledge(data.seq);
    if (done) this.#settle(done, data.reply);
    if (!this.#outbox.busy) this.#show(data.cases[data.current] ?? null);
    Object.values(data.cases).forEach(prefetch);
    this.#schedule();
    this.#root.style.setProperty("--top", `${this.#root.getBoundingClientRect().top}px`);
    return this.runs;
  }

  stop() {
    clearTimeout(this.#refresh);
    for (const part of [this.#keys, this.#panes, ...this.#mapPanes, this.#attention, this.#outbox]) part.stop();
    this.#root.remove();
  }

  // --- what is on screen ----------------------------------------------------------------------

  #show(reading) {
    if (identity(reading) !== identity(this.#reading)) this.#open(reading);
    else {
      this.#reading = reading;
      this.#fillPanels();
    }
  }

  #open(reading) {
    const before = this.#reading;
    this.#reading = reading;
    this.#drawn = false;
    this.#maps = [];
    this.#draft = reading && loadDraft(this.#data.reader, reading);
    delete this.#root.dataset.drawn;
    if (reading?.id === before?.id) this.#panes.dropMaps();
    else {
      this.#panes.clear();
      this.#root.getRootNode().activeElement?.blur(); // what is typed next is for the next case
      if (reading) this.#tools.show(reading.image);
    }
    if (reading?.id !== before?.id || reading?.model_id !== before?.model_id) {
      this.#attention.restart();
    }
    if (reading) this.#disagreement.show(reading.maps, []);
    this.#fillPanels();
    if (reading) this.#load(reading);
  }

  async #load(reading) {
    const [first] = this.#panes.panes;
    first.tell(h("p", { class: "muted" }, "Loading …"));
    try {
      const [image, maps] = await Promise.all([imageOf(reading), mapsOf(reading)]);
      if (identity(reading) !== identity(this.#reading)) return;
      first.tell();
      this.#maps = maps;
      const drawable = maps.map((map) => (map?.limit ? map : null));
      this.#panes.show({ reading, image, maps: drawable, boxes: this.#draft.boxes });
      this.#disagreement.show(reading.maps, maps);
      this.#fillPanels();
    } catch (error) {
      if (reading !== this.#reading) return;
      first.tell(h("p", {}, `The image could not be loaded: ${error.message}.`),
        h("button", { type: "button", onclick: () => this.#load(reading) }, "Try again"));
    }
  }

  #fillPanels() {
    const [reading, data] = [this.#reading, this.#data];
    this.#top.show(reading, reading?.id === data.current ? data.place : null);
    this.#empty.hidden = Boolean(reading);
    if (!reading) {
      this.#fillEmpty(data.empty);
      return;
    }
    const labels = data.classes[reading.model_id] ?? [];
    this.#prediction.show(reading, labels, data.recipes);
    this.#form.show(this.#draft, { labels, blocked: this.#blocked() });
    this.#form.showEarlier(reading.verdicts);
    this.#form.signing.prepend(this.#toast.element);
    for (const pane of this.#panes.panes) pane.mark.hidden = !reading.synthetic;
    say(this.#panes.panes[0].aside, reading.facts.join(" · "));
    reading.maps.forEach((map, index) => {
      const pane = this.#mapPanes[index];
      pane.show(reading, map, this.#maps[index] ?? null, data.reader.may_sign);
      pane.judgement = this.#draft.plausibility[map.picture] ?? null;
    });
  }

  #fillEmpty({ title, words, links }) {
    this.#empty.replaceChildren(h("h2", {}, title), h("p", {}, words), h("p", {},
      links.map(({ label, href }) => h("a", { href, target: "_self" }, label))), this.#toast.element);
  }

  #wasDrawn(reading, mapsVisible) {
    if (mapsVisible) this.#attention.mapsDrawn();
    if (this.#drawn || identity(reading) !== identity(this.#reading)) return;
    this.#drawn = true;
    this.#root.dataset.drawn = reading.id;
    if (performance.getEntriesByName(LEAVE).length) {
      performance.measure("second-look:next-case", LEAVE);
      performance.clearMarks(LEAVE);
    }
    this.#form.blocked = this.#blocked();
  }

  /** Why nothing can be signed now, in words, or null. */
  #blocked() {
    if (!this.#data.reader.may_sign) return "You may look; verdicts are signed by readers.";
    if (this.#signing.busy) return "Signing …";
    if (!this.#reading.prediction) return "There is no prediction to judge yet.";
    if (this.#reading.pending) return "Loading …";
    if (isWaiting(this.#reading)) return "The maps are being made. Wait for them, or cancel.";
    return this.#drawn ? null : "Loading …";
  }

  // --- what the reader does -------------------------------------------------------------------

  #step(neighbour) {
    const { place, current, cases } = this.#data;
    const id = place?.[neighbour];
    if (!id || this.#signing.busy || this.#reading?.id !== current) return;
    performance.mark(LEAVE);
    this.#signing.remind();
    this.#outbox.send({ kind: "open", case_id: id });
    if (cases[id]) this.#open(cases[id]);
  }

  #sign() {
    if (!this.#form.ready) return;
    performance.mark(LEAVE);
    const { place, current, cases } = this.#data;
    const following = (this.#reading.id === current && cases[place.next_unread_key]) || null;
    this.#signing.sign(this.#reading, this.#draft, this.#attention.report, following?.id ?? null);
    if (following) this.#open(following);
    else this.#form.blocked = this.#blocked();
  }

  #settle(done, reply) {
    const reopened = this.#signing.settle(done, reply, this.#data.reader);
    if (reopened) this.#open(reopened);
  }

  #late(late) {
    if (late) this.#toast.show("The server has not answered yet. Asking again; nothing is lost.", "busy");
  }

  /** Ask for news while maps are being made or checked. */
  #schedule() {
    clearTimeout(this.#refresh);
    if (!this.#reading || !(isWaiting(this.#reading) || isChecking(this.#reading))) return;
    this.#refresh = setTimeout(() => {
      if (document.hidden || this.#outbox.busy) this.#schedule();
      else this.#outbox.send({ kind: "refresh" });
    }, REFRESH_MS);
  }

  #draftChanged() {
    keepDraft(this.#data.reader, this.#reading, this.#draft);
    this.#panes.boxes = this.#draft.boxes;
  }

  #addBox(box) {
    this.#tools.setTool("pan");
    this.#draft.boxes = [...this.#draft.boxes, box];
    this.#form.update();
    this.#draftChanged();
  }

  #judge(index, value) {
    const { picture } = this.#reading.maps[index];
    if (value) this.#draft.plausibility[picture] = value;
    else delete this.#draft.plausibility[picture];
    this.#mapPanes[index].judgement = value;
    this.#draftChanged();
  }

  /** Show another method's map in a pane; one that the other pane shows changes places. */
  #pick(index, method) {
    const { id, model_id, target, recipe, maps } = this.#reading;
    const methods = maps.map((map) => map.method);
    const other = methods.indexOf(method);
    if (other >= 0) methods[other] = methods[index];
    methods[index] = method;
    this.#ask({ kind: "explain", case_id: id, model_id, target, methods, ...recipe });
  }

  /** Ask the server for something; maps that it will replace leave the screen at once. */
  #ask(action) {
    this.#outbox.send(action);
    if (action.kind === "explain") this.#open(awaiting(this.#reading, action, this.#data.site));
  }

  #leaveField() {
    const focused = this.#root.getRootNode().activeElement;
    dismiss(this.#root);
    if (focused?.matches("input, textarea")) focused.blur();
    else this.#tools.setTool("pan");
  }

  // --- building -------------------------------------------------------------------------------

  #commands() {
    const [form, tools, heat] = [this.#form, this.#tools, this.#heat];
    const open = (run) => () => { if (this.#reading) run(); };
    const choose = (opinion) => open(() => form.choose(opinion));
    const nudge = (name, steps) => ({ repeats: true, run: () => heat.nudge(name, steps) });
    const flip = () => heat.setHeat(!this.#looks.heat);
    const reasons = Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8, 9].map((digit) =>
      [digit, open(() => form.toggleReason(digit))]));
    return {
      ...reasons,
      a: choose("accept"), m: choose("modify"), r: choose("reject"), u: choose("cannot_assess"),
      l: open(() => form.picker.input.focus()), t: open(() => form.comment.focus()),
      g: open(() => this.#mapPanes[0].cycle()), o: open(() => this.#mapPanes[1].cycle()),
      Enter: () => this.#sign(), "Ctrl+Enter": () => this.#sign(),
      "Ctrl+z": () => this.#signing.undo(),
      j: () => this.#step("next_id"), k: () => this.#step("previous_id"),
      h: { run: flip, release: flip },
      d: () => heat.setCompared(!this.#looks.compared),
      i: open(() => tools.invert()), z: open(() => tools.fit()), b: open(() => tools.toggleBox()),
      f: open(() => tools.solo()),
      "[": nudge("opacity", -1), "]": nudge("opacity", 1),
      ",": nudge("threshold", -1), ".": nudge("threshold", 1),
      "?": () => this.#help.showModal(),
      Escape: () => this.#leaveField(),
    };
  }

  #build(parent, site) {
    this.#empty = h("div", { class: "empty", hidden: true });
    this.#root = h("div", { class: "reader" }, this.#top.element,
      h("div", { class: "panes" }, this.#panes.panes.map((pane) => pane.element)),
      this.#disagreement.strip,
      h("div", { class: "desk" }, this.#prediction.element, this.#form.element),
      h("p", { class: "disclaimer" }, `${site.caution} ${site.not_for_diagnosis}`),
      this.#empty, this.#help);
    this.#tools.root = this.#root;
    // A click leaves the focus where it is, so that Enter signs and does not press the button again.
    this.#root.addEventListener("pointerdown", (event) => {
      if (event.target.closest("button")) event.preventDefault();
    });
    parent.append(this.#root);
  }
}

/** The case on screen until the server has opened what an action asks for. */
function awaiting(reading, { target, methods, preset, stepping, baseline }, { families }) {
  const [asked, shown] = [{ preset, stepping, baseline }, reading.recipe ?? {}];
  const same = target === reading.target
    && Object.entries(asked).every(([name, value]) => value === shown[name]);
  const names = new Map(families.flatMap((family) => family.methods.map(({ key, name }) => [key, name])));
  const maps = methods.map((method) => (same && reading.maps.find((map) => map.method === method))
    || { method, name: names.get(method), id: null, url: null, pending: true });
  return { ...reading, pending: true, maps };
}

/** What must be equal for a case to count as the one already on screen. */
function identity(reading) {
  return reading && JSON.stringify([reading.id, reading.model_id, reading.target, reading.token,
    reading.maps.map((map) => [map.method, map.id]), reading.pending]);
}
