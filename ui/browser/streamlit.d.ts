/** What Streamlit hands to a component at each run of the page's script. For checking only. */

interface StreamlitRun<Data> {
  data: Data;
  parentElement: HTMLElement;
  setTriggerValue: (name: string, value: unknown) => void;
}
