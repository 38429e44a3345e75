/** Streamlit scrolls to an address's heading before the text below it is there to scroll into. */
export default function goToHeading() {
  const heading = document.getElementById(location.hash.slice(1));
  if (heading) setTimeout(() => heading.scrollIntoView(), 200);
}
