// Asks every two seconds where the runs stand, and replaces the report when a file of theirs changed.
const script = document.currentScript;
let version = script.dataset.version;
const question = location.search;

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
    if (latest !== version) {
      const page = new DOMParser().parseFromString((await text("/"))[0], "text/html");
      for (const part of ["nav", "main"]) {
        const [old, fresh] = [document.querySelector(part), page.querySelector(part)];
        if (old && fresh) old.replaceWith(fresh);
      }
      version = latest;
    }
  } catch (error) {
    now.innerHTML = "<p class=\"note\"></p>";
    now.firstChild.textContent = "No answer: the watch has ended. What is below stays as it was.";
  }
  setTimeout(look, 2000);
}
setTimeout(look, 2000);
