/** The Streamlit component: one screen a mount, told of every run of the script. */

import { ReviewScreen } from "./review_screen.js";

/** @type {WeakMap<Element, ReviewScreen>} */
const screens = new WeakMap();

/** @param {StreamlitRun<Desk>} run */
export default function draw({ data, parentElement, setTriggerValue }) {
  /** @type {Act} */
  const post = (action) => setTriggerValue("act", action);
  const former = screens.get(parentElement);
  // Another reader may have signed in in this browser: nothing of the former's is sent as theirs.
  if (former && former.readerId !== data.reader.id) former.stop();
  const isSame = former?.readerId === data.reader.id;
  const screen = isSame ? former : new ReviewScreen(parentElement, data, post);
  screens.set(parentElement, screen);
  const run = screen.update(data, post);
  return () => {
    // Streamlit also calls the clean-up of a run that a newer one overtook.
    if (run !== screen.runs) return;
    screen.stop();
    screens.delete(parentElement);
  };
}
