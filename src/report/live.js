// Asks every two seconds where the runs stand, and replaces the report when a file of theirs changed.
const script = document.currentScript;
let version = script.dataset.version;
const question = location.search;

// What a reader opens or chooses, in the order of the page.
const held = (root) => [...root.querySelectorAll("main details, main summary, main input, main button, main a, main [tabindex]")];

// Replaces the report, and keeps what is open, chosen and in focus.
function renew(page) {
  const [old, fresh] = [held(document), held(page)];
  const focus = old.length === fresh.length ? old.indexOf(document.activeElement) : -1;
  if (old.length === fresh.length) {
    old.forEach((part, at) => {
      for (const state of ["open", "checked"]) if (state in part) fresh[at][state] = part[state];
    });
  }
  for (const part of ["body > nav", "main"]) {
    const [before, after] = [document.querySelector(part), page.querySelector(part)];
    if (before && after) before.replaceWith(after);
  }
  if (focus >= 0) fresh[focus].focus({ preventScroll: true });
}

async function text(path) {
  const answer = await fetch(path + question, { cache: "no-store" });
  if (!answer.ok) throw new Error(await answer.text());
  return [await answer.text(), answer.headers.get("X-Version")];
}

async function look() {
  const now = document.getElementById("now");
  try {
    const [table, latest] = await text("/now");
    now.innerHTML = table;
    // An enlarged picture stays until its reader closes it.
    if (latest !== version && !document.querySelector(":popover-open")) {
      renew(new DOMParser().parseFromString((await text("/"))[0], "text/html"));
      version = latest;
    }
  } catch (error) {
    now.innerHTML = "<p class=\"note\"></p>";
    now.firstChild.textContent = "No answer: the watch has ended. What is below stays as it was.";
  }
  setTimeout(look, 2000);
}
setTimeout(look, 2000);
