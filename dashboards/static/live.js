// Keeps `<div id="live" data-stream data-fragment>` fresh: the stream says that something happened, the fragment says
// what the page looks like now. Bursts of events cost one fetch.

import { morph } from "./morph.js";

const COALESCE_MS = 200; // events of one burst end in one fetch, and still look immediate
const RETRY_MS = [1000, 2000, 4000, 8000, 16000]; // where the browser itself has given up
const CLOSED = 2;

export function keepLive(root, link) {
  if (!root?.dataset.stream) return;
  const stream = root.dataset.stream;
  let lastSeq = Number(root.dataset.seq ?? 0);
  let source = null;
  let failures = 0;
  let timer = null;
  let busy = false;
  let again = false;

  const say = (state, words) => {
    link.hidden = false;
    link.dataset.state = state;
    link.textContent = words;
  };

  async function refresh() {
    timer = null;
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      const answer = await fetch(root.dataset.fragment, { headers: { accept: "text/html" } });
      if (answer.ok) show(await answer.text());
    } catch {
      say("lost", "connection lost, trying again");
    } finally {
      busy = false;
      if (again) {
        again = false;
        soon();
      }
    }
  }

  function show(html) {
    const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("live");
    if (!fresh) return;
    morph(root, fresh);
    root.dispatchEvent(new CustomEvent("refreshed", { bubbles: true }));
    // A finished run says no more: its page has no stream.
    if (!root.dataset.stream) {
      close();
      say("done", "finished");
    }
  }

  function soon() {
    timer ??= setTimeout(refresh, COALESCE_MS);
  }

  function heard(message) {
    if (message.lastEventId) lastSeq = Math.max(lastSeq, Number(message.lastEventId));
    soon();
  }

  function open() {
    if (source) return;
    source = new EventSource(`${stream}${lastSeq ? `?from_seq=${lastSeq + 1}` : ""}`);
    source.onopen = () => {
      if (failures > 0) soon();
      failures = 0;
      say("live", "live");
    };
    source.onmessage = heard;
    source.onerror = () => {
      say("lost", "connection lost, trying again");
      failures += 1;
      if (source?.readyState !== CLOSED) return;
      close();
      setTimeout(open, RETRY_MS[Math.min(failures, RETRY_MS.length) - 1]);
    };
  }

  function close() {
    source?.close();
    source = null;
  }

  // A browser opens six connections to a host: a tab that nobody looks at gives its own back.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return close();
    if (!root.dataset.stream) return;
    open();
    soon();
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && open());
  open();
}
