// Fetches comments.js when a reader begins to use the conversation, or has left words in it; no press and no key is lost.
{
  const form = document.getElementById("join");
  const { article, name, comment } = form.elements;
  const listening = new AbortController();
  const presses = []; // to be done again when the script is there
  const offline = Object.assign(document.createElement("p"), {
    className: "box problem",
    role: "alert",
    tabIndex: -1,
    textContent: "You seem to be offline. Your words are still in the box. Try again in a minute.",
  });
  let script;

  const end = (presses) => {
    listening.abort();
    offline.remove();
    for (const press of presses) press();
  };

  // Without the script a press leads to a page of the intake, as it does without JavaScript.
  const failed = () => {
    script = undefined;
    const [first] = presses.splice(0);
    if (first && navigator.onLine) end([first]);
    else if (first) {
      form.prepend(offline);
      offline.focus();
    }
  };

  const load = () => {
    if (script) return;
    script = document.createElement("script");
    script.src = "/theme/comments.js";
    script.onload = () => end(presses);
    script.onerror = failed;
    document.head.append(script);
  };

  const use = (event) => {
    const used = event.target.closest("#join, a.reply");
    if (!used) return;
    load();
    if (event.submitter) presses.push(() => form.requestSubmit(event.submitter));
    else if (event.type === "click" && used.href && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey)) {
      presses.push(() => used.click());
      // At once, for the keys that follow; a phone shows its keyboard only at a press.
      (name.value ? comment : name).focus({ preventScroll: true });
    } else return;
    event.preventDefault();
  };

  for (const type of ["pointerdown", "focusin", "click", "submit"]) document.addEventListener(type, use, listening);

  let kept = comment.value;
  try {
    kept ||= Object.keys(sessionStorage).some((key) => key.startsWith(`comment ${article.value} `));
  } catch {} // it can be forbidden
  if (kept) load();
}
