/** The Streamlit component: one reader a mount, told of every run of the script. */

import { Reader } from "./reader.js";

const readers = new WeakMap();

export default function draw({ data, parentElement, setTriggerValue }) {
  const reader = readers.get(parentElement) ?? new Reader(parentElement, data);
  readers.set(parentElement, reader);
  const run = reader.update(data, (action) => setTriggerValue("act", action));
  return () => {
    // Streamlit also calls the clean-up of a run that a newer one overtook.
    if (run !== reader.runs) return;
    reader.stop();
    readers.delete(parentElement);
  };
}
