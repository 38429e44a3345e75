/**
 * The reader's screen, between the server and the parts: takes in what the server says at each run,
 * and sends what the reader does.
 *
 * The next case is known and loaded before it is needed, so it is on screen as soon as the last one
 * is signed. What is signed is what is shown: a verdict names the case on screen and hands back the
 * token of its evidence.
 */

import { Attention } from "./attention.js";
import { awaiting, explain, methodsWith } from "./case.js";
import { CaseOnScreen } from "./case_on_screen.js";
import { commandsOf } from "./commands.js";
import { FocusKeeper, isMeant, leaveLink } from "./focus.js";
import { Judging } from "./judging.js";
import { Keys } from "./keys.js";
import { Leaving } from "./leaving.js";
import { isConnected, watchLine } from "./line.js";
import { screen } from "./line_banner.js";
import { isChecking, isWaiting } from "./notices.js";
import { Outbox } from "./outbox.js";
import { buildParts } from "./parts.js";
import { prefetch } from "./pictures.js";
import { loadPreferences } from "./preferences.js";
import { Signing } from "./signing.js";
import { Toast } from "./toast.js";
import { news } from "./waiting.js";

const REFRESH_MS = 1000;

export class ReviewScreen {
  runs = 0;
  #data;
  #post;
  #refresh = 0;
  #attention = new Attention();
  #toast = new Toast();
  #outbox;
  #signing;
  #parts;
  #judging;
  #shown;
  #keys;
  #focus;
  #leaving;
  #unwatch;

  /**
   * @param {Element} parent
   * @param {Desk} data what the server says is open, and which action it has done last
   * @param {(action: Action) => void} post sends an action to the server
   */
  constructor(parent, data, post) {
    this.#data = data;
    this.#post = post;
    this.#outbox = new Outbox((action) => this.#post(action), (late) => this.#late(late));
    this.#signing = new Signing((action) => this.#outbox.send(action), this.#toast, data.site.opinions);
    /** @type {Looks} */
    const looks = { ...loadPreferences(), window: { low: 0, high: 1 }, inverted: false, tool: "pan" };
    this.#parts = buildParts(data.site, looks, {
      act: (action) => this.#act(action),
      step: (neighbour) => this.#step(neighbour),
      sign: () => this.#sign(),
      pick: (index, method) => this.#pick(index, method),
      judge: (index, value) => this.#judging.judge(index, value),
      addBox: (box) => this.#judging.addBox(box),
      draftChanged: () => this.#judging.changed(),
      drawn: (opened, mapsVisible) => this.#shown.wasDrawn(opened, mapsVisible),
      reload: () => this.#shown.load(),
    });
    this.#judging = new Judging(this.#parts, () =>
      ({ reader: this.#data.reader, opened: this.#shown.opened }));
    this.#shown = new CaseOnScreen(this.#parts, {
      judging: this.#judging, signing: this.#signing, attention: this.#attention, toast: this.#toast,
    }, data);
    this.#keys = new Keys(commandsOf(this.#parts, looks, {
      step: (neighbour) => this.#step(neighbour),
      sign: () => this.#sign(),
      undo: () => this.#signing.undo(),
      isOpen: () => this.#shown.opened !== null,
    }), {
      isMeant: (event) => this.#isMeant(event),
      takes: (key, shift) => this.#parts.form.rows.take(key, shift),
      signKey: (key) => { this.#parts.form.signKey = key; },
    });
    this.#focus = new FocusKeeper(this.#parts.root, () => this.#shown.opened?.id);
    this.#leaving = new Leaving(this.#judging);
    this.#unwatch = watchLine(() => this.#lineChanged());
    news.addEventListener("answered", this.#answered);
    news.addEventListener("changed", this.#blockedAnew);
    screen.isOpen = true;
    parent.append(this.#parts.root);
    leaveLink(this.#parts.root);
  }

  /**
   * Take in a run of the script.
   *
   * @param {Desk} data
   * @param {(action: Action) => void} post
   * @returns the number of the run
   */
  update(data, post) {
    this.runs += 1;
    this.#data = data;
    this.#shown.data = data;
    this.#post = post;
    const done = this.#outbox.acknowledge(data.seq);
    if (done && data.reply) this.#settle(done, data.reply);
    if (!this.#outbox.busy) this.#shown.show(data.current === null ? null : data.cases[data.current] ?? null);
    Object.values(data.cases).forEach(prefetch);
    this.#schedule();
    const { root } = this.#parts;
    root.style.setProperty("--top", `${root.getBoundingClientRect().top}px`);
    return this.runs;
  }

  stop() {
    clearTimeout(this.#refresh);
    const { panes, mapPanes, root } = this.#parts;
    for (const part of [this.#keys, this.#focus, panes, ...mapPanes, this.#attention, this.#outbox,
      this.#judging, this.#leaving]) part.stop();
    this.#unwatch();
    news.removeEventListener("answered", this.#answered);
    news.removeEventListener("changed", this.#blockedAnew);
    screen.isOpen = false;
    this.#signing.stop();
    root.remove();
  }

  /** Whom the screen is drawn for. */
  get readerId() {
    return this.#data.reader.id;
  }

  /**
   * Whether a key, or a move of the focus, is meant for the reader; without a line it is said that
   * no key signs.
   *
   * @param {Event} event
   */
  #isMeant(event) {
    if (event instanceof KeyboardEvent && event.key === "Enter" && !isConnected()) screen.refuse();
    return isMeant(event, this.#parts.root);
  }

  #lineChanged() {
    this.#blockedAnew();
    if (!isConnected()) return;
    this.#outbox.resend();
    this.#judging.flush();
  }

  #blockedAnew = () => this.#shown.updateBlocked();

  /**
   * A verdict that was left behind has been signed, or came back as a draft.
   *
   * @param {Event} event
   */
  #answered = (event) => {
    /** @type {{ entry: Waiting }} */
    const { entry } = /** @type {CustomEvent} */ (event).detail;
    this.#judging.reread(entry.opened);
    if (!this.#outbox.busy) this.#outbox.send({ kind: "refresh" });
  };

  /** @param {"previous_id" | "next_id"} neighbour */
  #step(neighbour) {
    const { place, current, cases } = this.#data;
    const id = place?.[neighbour];
    if (!id || this.#signing.busy || this.#shown.opened?.id !== current) return;
    this.#shown.leave();
    this.#signing.remind();
    this.#outbox.send({ kind: "open", case_id: id });
    if (cases[id]) this.#shown.open(cases[id]);
  }

  #sign() {
    const { opened } = this.#shown;
    if (!opened || !this.#parts.form.ready) return;
    this.#shown.leave();
    this.#judging.hold();
    const { place, current, cases } = this.#data;
    const following = (opened.id === current && cases[place?.next_unread_key ?? ""]) || null;
    const given = { reader: this.#data.reader, opened, draft: this.#judging.draft };
    this.#signing.sign(given, this.#attention.report, following?.id ?? null);
    if (following) this.#shown.open(following);
    else this.#shown.updateBlocked();
  }

  /**
   * @param {Action} done
   * @param {Reply} reply
   */
  #settle(done, reply) {
    const reopened = this.#signing.settle(done, reply, this.#data.reader);
    if (reopened) this.#shown.open(reopened);
  }

  /** @param {boolean} late */
  #late(late) {
    if (late) this.#toast.show("The server has not answered yet. Asking again; nothing is lost.", "busy");
  }

  /** Ask for news while maps are being made or checked. */
  #schedule() {
    clearTimeout(this.#refresh);
    const { opened } = this.#shown;
    if (!opened || !(isWaiting(opened) || isChecking(opened))) return;
    this.#refresh = setTimeout(() => {
      if (document.hidden || this.#outbox.busy) this.#schedule();
      else this.#outbox.send({ kind: "refresh" });
    }, REFRESH_MS);
  }

  /**
   * Show another method's map in a pane.
   *
   * @param {number} index
   * @param {string} method
   */
  #pick(index, method) {
    const { opened } = this.#shown;
    if (opened) this.#act(explain(opened, methodsWith(opened, index, method)));
  }

  /**
   * Ask the server for something; maps that it will replace leave the screen at once.
   *
   * @param {Action} action
   */
  #act(action) {
    this.#outbox.send(action);
    const { opened } = this.#shown;
    if (action.kind === "explain" && opened) {
      this.#shown.open(awaiting(opened, action, this.#data.site));
    }
  }
}
