/** What Streamlit loads of the viewer: from a blob, which has no address to import from. */

const { href } = new URL("/viewer/VERSION/component.js", location.origin);
const { default: draw } = await import(href);
export default draw;
