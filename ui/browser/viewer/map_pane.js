/** A map's pane in words: its method and limit, what stands in for a missing map, trust. */

import { say } from "./dom.js";
import { MapFooter } from "./map_footer.js";
import { MethodPicker } from "./method_picker.js";
import { noticeOf } from "./notices.js";
import { number } from "./numbers.js";

export class MapPane {
  #pane;
  #footer;
  #act;
  #reload;
  #pick;
  #usual;
  #picker;

  /**
   * @param pane the pane it writes into
   * @param key the key that cycles through the judgements of the map
   * @param site { families, plausibility }: what can be shown, and how it is judged
   * @param usual the key of the method that is usually shown
   * @param events { judge(value), pick(method), act(action), reload() }
   */
  constructor(pane, key, { families, plausibility }, usual, { judge, pick, act, reload }) {
    this.#pane = pane;
    this.#pick = pick;
    this.#usual = families.flatMap(({ methods }) => methods).find((method) => method.key === usual);
    this.#picker = new MethodPicker(`Method of the map judged by ${key}`, families, pick);
    pane.heading.replaceChildren(this.#picker.element);
    this.#footer = new MapFooter(pane.footer, key, plausibility, { judge, act });
    this.#act = act;
    this.#reload = reload;
  }

  /**
   * @param reading the case on screen
   * @param map its entry in the case
   * @param decoded the decoded map, an Error, or null while it loads
   * @param enabled whether this reader may judge
   */
  show(reading, map, decoded, enabled) {
    const limit = decoded?.limit;
    const loading = Boolean(map.id) && !decoded;
    this.#picker.value = map.method;
    this.#pane.rename(map.name);
    this.#pane.warn(limit ? map.warnings.join(" ") : "");
    say(this.#pane.aside, limit ? `limit ±${number(Number(limit.toPrecision(3)))} · ${map.unit}` : "");
    const back = map.method === this.#usual.key ? null
      : [`Back to ${this.#usual.name}`, () => this.#pick(this.#usual.key)];
    const does = { act: this.#act, reload: this.#reload, back };
    this.#pane.tell(...(loading ? [] : noticeOf(reading, map, decoded, does)));
    this.#footer.show(map, { drawn: loading || Boolean(limit), enabled });
  }

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
