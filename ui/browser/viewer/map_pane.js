/** A map's pane in words: its method and limit, what stands in for a missing map, trust. */

import { drawable } from "./attribution.js";
import { say } from "./dom.js";
import { MapFooter } from "./map_footer.js";
import { MethodPicker } from "./method_picker.js";
import { noticeOf } from "./notices.js";
import { number } from "./numbers.js";

/** @import { Pane } from "./pane.js" */

export class MapPane {
  #pane;
  #footer;
  #act;
  #reload;
  #pick;
  #usual;
  #picker;

  /**
   * @param {Pane} pane the pane it writes into
   * @param {string} key the key that cycles through the judgements of the map
   * @param {Pick<Site, "families" | "plausibility">} site what can be shown, and how it is judged
   * @param {string} usual the key of the method that is usually shown
   * @param {{
   *   judge: (value: Plausibility | null) => void, pick: (method: string) => void, act: Act,
   *   reload: () => void,
   * }} events
   */
  constructor(pane, key, { families, plausibility }, usual, { judge, pick, act, reload }) {
    this.#pane = pane;
    this.#pick = pick;
    this.#usual = families.flatMap(({ methods }) => methods).filter((method) => method.key === usual)[0];
    this.#picker = new MethodPicker(`Method of the map judged by ${key}`, families, pick);
    pane.heading.replaceChildren(this.#picker.element);
    this.#footer = new MapFooter(pane.footer, key, plausibility, { judge, act });
    this.#act = act;
    this.#reload = reload;
  }

  /**
   * @param {Case} opened the case on screen
   * @param {MapEntry} map its entry in the case
   * @param {LoadedMap} decoded
   * @param {boolean} enabled whether this reader may judge
   */
  show(opened, map, decoded, enabled) {
    const limit = drawable(decoded)?.limit ?? null;
    const loading = map.id !== null && !decoded;
    this.#picker.value = map.method;
    this.#pane.rename(map.name);
    this.#pane.warn(limit && map.id !== null ? map.warnings.join(" ") : "");
    say(this.#pane.aside, limit ? `limit ±${number(Number(limit.toPrecision(3)))} · ${map.unit}` : "");
    /** @type {Choice | null} */
    const back = map.method === this.#usual.key ? null
      : [`Back to ${this.#usual.name}`, () => this.#pick(this.#usual.key)];
    const does = { act: this.#act, reload: this.#reload, back };
    this.#pane.tell(...(loading ? [] : noticeOf(opened, map, decoded, does)));
    this.#footer.show(map, { drawn: loading || Boolean(limit), enabled });
  }

  /** @param {Plausibility | null} value */
  set judgement(value) {
    this.#footer.value = value;
  }

  stop() {
    this.#picker.stop();
  }

  cycle() {
    this.#footer.cycle();
  }
}
