/** A map's pane in words: its limit, what stands in for a missing map, trust and plausibility. */

import { say } from "./dom.js";
import { MapFooter } from "./map_footer.js";
import { noticeOf } from "./notices.js";
import { number } from "./numbers.js";

export class MapPane {
  #pane;
  #footer;
  #act;
  #reload;

  /**
   * @param pane the pane it writes into
   * @param key the key that cycles through the judgements of the map
   * @param events { judge(value), act(action), reload() }
   */
  constructor(pane, key, { judge, act, reload }) {
    this.#pane = pane;
    this.#footer = new MapFooter(pane.footer, key, judge);
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
    say(this.#pane.aside, limit ? `limit ±${number(Number(limit.toPrecision(3)))} · ${map.unit}` : "");
    this.#pane.tell(...(loading ? [] : noticeOf(reading, map, decoded, this.#act, this.#reload)));
    this.#footer.show(map, { drawn: loading || Boolean(limit), enabled });
  }

  set judgement(value) {
    this.#footer.value = value;
  }

  cycle() {
    this.#footer.cycle();
  }
}
