/** What each key does. */

import { focusedIn } from "./dom.js";
import { dismiss } from "./trust_badge.js";

const REASON_KEYS = [1, 2, 3, 4, 5, 6, 7, 8, 9];

/** @import { Events, Parts } from "./parts.js" */

/**
 * @param {Pick<Parts, "form" | "tools" | "heat" | "mapPanes" | "help" | "root">} parts
 * @param {Looks} looks
 * @param {Pick<Events, "step" | "sign"> & { undo: () => void, isOpen: () => boolean }} does
 * @returns {Record<string, Command>} by key, as "a", "Enter" or "Ctrl+z"
 */
export function commandsOf({ form, tools, heat, mapPanes, help, root }, looks, does) {
  /** @type {(run: () => void) => Command} */
  const always = (run) => ({ run });
  /** @type {(run: () => void) => Command} */
  const open = (run) => ({ run: () => { if (does.isOpen()) run(); } });
  /** @type {(name: "opacity" | "threshold", steps: number) => Command} */
  const nudge = (name, steps) => ({ repeats: true, run: () => heat.nudge(name, steps) });
  const flip = () => heat.setHeat(!looks.heat);
  return {
    ...Object.fromEntries(REASON_KEYS.map((digit) => [digit, open(() => form.toggleReason(digit))])),
    a: open(() => form.choose("accept")), m: open(() => form.choose("modify")),
    r: open(() => form.choose("reject")), u: open(() => form.choose("cannot_assess")),
    s: open(() => form.judge("sound")), x: open(() => form.judge("unsound")),
    q: open(() => form.judge("unsure")), e: open(() => { form.rows.lettered = true; }),
    l: open(() => form.picker.input.focus()), t: open(() => form.comment.focus()),
    g: open(() => mapPanes[0].cycle()), o: open(() => mapPanes[1].cycle()),
    Enter: always(does.sign), "Ctrl+Enter": always(does.sign), "Ctrl+z": always(does.undo),
    j: always(() => does.step("next_id")), k: always(() => does.step("previous_id")),
    h: { run: flip, release: flip },
    d: always(() => heat.setCompared(!looks.compared)),
    i: open(() => tools.invert()), z: open(() => tools.fit()), b: open(() => tools.toggleBox()),
    f: open(() => tools.solo()),
    "[": nudge("opacity", -1), "]": nudge("opacity", 1),
    ",": nudge("threshold", -1), ".": nudge("threshold", 1),
    "?": always(() => help.showModal()),
    Escape: always(() => leaveField(root, tools)),
  };
}

/**
 * @param {Element} root
 * @param {Parts["tools"]} tools
 */
function leaveField(root, tools) {
  const focused = focusedIn(root);
  dismiss(root);
  if (focused?.matches("input, textarea")) focused.blur();
  else tools.setTool("pan");
}
