/** What Streamlit loads of a component: from a blob, which has no address to import from. */

const { href } = new URL("/viewer/VERSION/MODULE", location.origin);
const { default: draw } = await import(href);
export default draw;
