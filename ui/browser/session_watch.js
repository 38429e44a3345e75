/** Leaves the page when the session has ended. */

/** @type {WeakMap<Element, number>} */
const watches = new WeakMap();

async function check() {
  const reply = await fetch("/api/session").catch(() => null);
  if (reply?.ok && !(await reply.json()).signed_in) {
    window.dispatchEvent(new Event("second-look:session-ended"));
    const here = location.pathname + location.search;
    location.replace(`/sign-in?state=ended&next=${encodeURIComponent(here)}`);
  }
}

/** Sign out, after whatever else is on the page has sent what it still has to. */
async function leave() {
  /** @type {Promise<unknown>[]} */
  const before = [];
  window.dispatchEvent(new CustomEvent("second-look:sign-out", { detail: before }));
  await Promise.allSettled(before);
  window.dispatchEvent(new Event("second-look:session-ended"));
  location.assign("/sign-out");
}

/** @param {StreamlitRun<{ leave: true } | { leave?: undefined, check_every_ms: number }>} run */
export default function watch({ data, parentElement }) {
  if (data.leave) leave();
  else if (!watches.has(parentElement)) {
    const timer = setInterval(check, data.check_every_ms);
    window.addEventListener("focus", check);
    watches.set(parentElement, timer);
    check(); // the session may have ended while the page was on its way
  }
  return () => {
    clearInterval(watches.get(parentElement));
    window.removeEventListener("focus", check);
    watches.delete(parentElement);
  };
}
