// Asks every two seconds where the runs stand, and replaces the report when a file of theirs changed.
const script = document.currentScript;
let version = script.dataset.version;
const question = location.search;

// What a reader opens or chooses, in the order of the page.
const held = (root) => [...root.querySelectorAll("main details, main summary, main input, main button, main a, main [tabindex]")];

// How far wide tables and pictures are scrolled, in the order of the page.
const boxes = (root) => [...root.querySelectorAll(".scroll")];
function keepingPlaces(root, change) {
  const places = boxes(root).map((box) => [box.scrollLeft, box.scrollTop]);
  change();
  const fresh = boxes(root);
  if (fresh.length === places.length) fresh.forEach((box, at) => box.scrollTo(...places[at]));
}

// Replaces the report, and keeps what is open, chosen and in focus.
function renew(page) {
  const [old, fresh] = [held(document), held(page)];
  const focus = old.length === fresh.length ? old.indexOf(document.activeElement) : -1;
  if (old.length === fresh.length) {
    old.forEach((part, at) => {
      for (const state of ["open", "checked"]) if (state in part) fresh[at][state] = part[state];
    });
  }
  keepingPlaces(document, () => {
    for (const part of ["body > nav", "main"]) {
      const [before, after] = [document.querySelector(part), page.querySelector(part)];
      if (before && after) before.replaceWith(after);
    }
  });
  if (focus >= 0) fresh[focus].focus({ preventScroll: true });
}

// Shows a table or a note. An unchanged one stays, so that a screen reader does not read it again.
let shown = "";
function show(now, html) {
  if (shown === html) return;
  const focused = now.contains(document.activeElement);
  keepingPlaces(now, () => { now.innerHTML = html; });
  shown = html;
  if (focused) now.querySelector("[tabindex]")?.focus({ preventScroll: true });
}

// A note above the report, which stays as it was.
function note(now, text) {
  const line = document.createElement("p");
  line.className = "note";
  line.textContent = `${text} What is below stays as it was.`;
  show(now, line.outerHTML);
}

async function text(path) {
  const answer = await fetch(path + question, { cache: "no-store" });
  const body = await answer.text();
  return answer.ok ? [body, answer.headers.get("X-Version")] : [null, body];
}

async function look() {
  const now = document.getElementById("now");
  try {
    const [table, latest] = await text("/now");
    // An enlarged picture stays until its reader closes it.
    const renews = table !== null && latest !== version && !document.querySelector(":popover-open");
    const [page, problem] = renews ? await text("/") : ["", latest];
    if (table === null || page === null) {
      note(now, problem.trim().replace(/\.?$/, "."));
    } else {
      show(now, table);
      if (renews) {
        renew(new DOMParser().parseFromString(page, "text/html"));
        version = latest;
      }
    }
  } catch (error) {
    note(now, "No answer: the watch has ended.");
  }
  setTimeout(look, 2000);
}
setTimeout(look, 2000);
