// What makes writing at the desk easier, where JavaScript is on: words saved by themselves and kept on this device, buttons
// for the signs of Markdown, and pasted text made Markdown. Without it every button of the form works as well.
(() => {
  "use strict";
  const PAUSE = 2000; // milliseconds after the last key
  const KEEPALIVE = 60000; // bytes that a browser sends when its page is gone
  const PICTURE = 25 * 1024 * 1024; // bytes of the largest
  const form = document.querySelector("form.writing");
  const text = document.querySelector("#text");
  const told = document.querySelector("#autosave");
  if (!(form instanceof HTMLFormElement && text instanceof HTMLTextAreaElement && told)) return;
  const place = `write:${form.dataset.key}`;
  const fields = ["title", "summary", "text", "slug", "when"];

  /** @param {string} name */
  const field = (name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name));
  const words = () => JSON.stringify(fields.map((name) => field(name).value));
  let saved = words();
  let timer = 0;
  let isSaving = false;
  let isSent = false; // by a button, which saves by itself

  // Kept on this device, where private browsing allows it

  const keep = () => {
    try {
      localStorage.setItem(place, JSON.stringify({ words: words(), time: Date.now() }));
      return true;
    } catch {
      return false;
    }
  };
  const forget = () => {
    try {
      localStorage.removeItem(place);
    } catch {}
  };
  const kept = () => {
    try {
      return JSON.parse(localStorage.getItem(place) || "null");
    } catch {
      return null;
    }
  };

  // Saved by itself

  const save = async (isGoing = false) => {
    clearTimeout(timer);
    if (isSaving || isSent || words() === saved) return;
    const sent = words();
    const data = new FormData(form);
    data.delete("picture");
    data.set("action", "save");
    isSaving = true;
    try {
      const answer = await fetch(form.getAttribute("action") || "", { // a button is called action too
        method: "POST",
        body: data,
        headers: { Accept: "application/json" },
        keepalive: isGoing && sent.length * 3 < KEEPALIVE,
      });
      const body = await answer.json();
      if (!answer.ok) throw new Error(body.problems.join(" "));
      field("number").value = body.number;
      field("base").value = body.base;
      saved = sent;
      if (words() === sent) forget();
      told.textContent = `Saved ${body.saved}`;
    } catch (error) {
      const why = error instanceof SyntaxError ? "You are not signed in any more. " : error instanceof TypeError ? "" : `${/** @type {Error} */ (error).message} `;
      told.textContent = `Not saved${keep() ? "; kept on this device" : ""}. ${why}`;
    } finally {
      isSaving = false;
    }
  };

  form.addEventListener("input", () => {
    keep();
    clearTimeout(timer);
    timer = setTimeout(save, PAUSE);
  });
  form.addEventListener("submit", async (event) => {
    clearTimeout(timer);
    if (words() !== saved) keep();
    isSent = true;
    if (!isSaving) return;
    event.preventDefault(); // or the two would take each other for another device
    while (isSaving) await new Promise((done) => setTimeout(done, 50));
    form.requestSubmit(event.submitter);
  });
  window.addEventListener("pageshow", () => (isSent = false));
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") save(true);
  });

  // A newer copy on this device is offered, never applied

  /** @param {string} label @param {() => void} action */
  const button = (label, action) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "button plain";
    made.textContent = label;
    made.addEventListener("click", action);
    return made;
  };

  const copy = kept();
  if (copy && copy.words !== saved) {
    const box = document.createElement("div");
    box.className = "box";
    box.setAttribute("role", "status");
    const sentence = document.createElement("p");
    sentence.textContent = `This device keeps other words, from ${new Date(copy.time).toLocaleString("en-GB")}.`;
    const actions = document.createElement("p");
    actions.className = "actions";
    actions.append(
      button("Use them", () => {
        JSON.parse(copy.words).forEach((/** @type {string} */ value, /** @type {number} */ number) => (field(fields[number]).value = value));
        box.remove();
        save();
      }),
      button("Forget them", () => {
        forget();
        box.remove();
      }),
    );
    box.append(sentence, actions);
    form.before(box);
  } else forget();

  // The signs of Markdown

  /** Put words in place of the selection, so that the browser's own undo takes them back (learned from text-field-edit).
   * @param {string} words */
  const insert = (words) => {
    text.focus();
    if (!document.execCommand("insertText", false, words)) {
      text.setRangeText(words, text.selectionStart, text.selectionEnd, "end");
      text.dispatchEvent(new InputEvent("input", { bubbles: true }));
    }
  };
  const chosen = () => text.value.slice(text.selectionStart, text.selectionEnd);

  /** @param {string} sign @param {string} end @param {string} empty */
  const around = (sign, end, empty) => () => {
    const inner = chosen() || empty;
    const start = text.selectionStart + sign.length;
    insert(sign + inner + end);
    text.setSelectionRange(start, start + inner.length);
  };

  /** @param {string} sign */
  const ahead = (sign) => () => {
    const start = text.value.lastIndexOf("\n", text.selectionStart - 1) + 1;
    text.setSelectionRange(start, text.selectionEnd);
    insert(chosen().split("\n").map((line) => (line.startsWith(sign) ? line.slice(sign.length) : sign + line)).join("\n"));
  };

  const bar = document.createElement("p");
  bar.className = "actions toolbar";
  bar.setAttribute("role", "group");
  bar.setAttribute("aria-label", "Signs for the text");
  bar.append(
    button("Bold", around("**", "**", "words")),
    button("Italic", around("*", "*", "words")),
    button("Heading", ahead("## ")),
    button("Link", around("[", "](https://)", "words")),
    button("List", ahead("- ")),
    button("Quote", ahead("> ")),
  );
  text.before(bar);

  // A picture and a link go to where the caret is

  /** @param {string} mark */
  const atCaret = (mark) => () => {
    if (text.selectionStart && !text.value.includes(mark)) text.setRangeText(`\n\n${mark}\n\n`, text.selectionEnd, text.selectionEnd, "end");
  };
  const picture = /** @type {HTMLInputElement} */ (document.querySelector("#picture"));
  const hint = /** @type {HTMLElement} */ (document.querySelector("#picture-hint"));
  const asked = hint.textContent;
  picture.addEventListener("change", () => {
    const isLarge = (picture.files?.[0]?.size || 0) > PICTURE;
    hint.textContent = isLarge ? "This picture has more than 25 MB. Choose a smaller one." : asked;
    hint.role = isLarge ? "alert" : null;
    if (isLarge) picture.value = ""; // or every word would wait behind it
    else atCaret("[picture]")();
  });
  document.querySelector("#link")?.addEventListener("change", atCaret("[link]"));

  // Pasted text: headings, bold, italic, links, lists and quotations; the rest plain

  /** @param {Node} node @returns {string} */
  const markdown = (node) => {
    if (node instanceof Text) return node.data.replace(/\s+/g, " ").replace(/[\\*_[\]<>`]/g, "\\$&");
    if (!(node instanceof HTMLElement)) return "";
    const tag = node.tagName;
    if (/^(STYLE|SCRIPT|META|TITLE|HEAD)$/.test(tag)) return "";
    const inner = [...node.childNodes].map(markdown).join("");
    const plain = inner.trim();
    const style = node.dataset.style || "";
    const isBold = /font-weight:\s*(bold|[6-9]00)/.test(style);
    /** @param {string} sign */
    const wrapped = (sign) => (plain ? inner.replace(plain, () => sign + plain + sign) : inner);
    if (/^H[1-6]$/.test(tag)) return plain ? `\n\n${"#".repeat(Math.max(2, Number(tag[1])))} ${plain.replace(/\*\*/g, "")}\n\n` : "";
    if (tag === "BR") return "\n";
    if (tag === "A" && /^(https?|mailto|tel):/.test(node.getAttribute("href") || "")) return plain ? `[${plain}](${node.getAttribute("href")})` : "";
    if (/^(B|STRONG)$/.test(tag) && !/font-weight:\s*normal/.test(style)) return wrapped("**");
    if (/^(I|EM)$/.test(tag)) return wrapped("*");
    if (tag === "SPAN" && isBold) return wrapped("**");
    if (tag === "SPAN" && /font-style:\s*italic/.test(style)) return wrapped("*");
    if (tag === "LI") return `\n${node.parentElement?.tagName === "OL" ? "1. " : "- "}${plain.replace(/\n+/g, "\n  ")}`;
    if (/^(UL|OL)$/.test(tag)) return `\n\n${plain}\n\n`;
    if (tag === "BLOCKQUOTE") return `\n\n${plain.replace(/^/gm, "> ")}\n\n`;
    return /^(P|DIV|SECTION|ARTICLE|TABLE|TR)$/.test(tag) ? `\n\n${inner}\n\n` : inner;
  };
  text.addEventListener("paste", (event) => {
    const html = event.clipboardData?.getData("text/html");
    if (!html) return;
    // The policy of the page forbids styles; what they say of bold and italic is read as data.
    const bare = html.replace(/<style[\s\S]*?<\/style>/gi, "").replace(/\sstyle=/gi, " data-style=");
    const body = new DOMParser().parseFromString(bare, "text/html").body;
    if (!body.querySelector("h1,h2,h3,h4,h5,h6,b,strong,i,em,a,li,blockquote,[data-style]")) return;
    event.preventDefault();
    insert(markdown(body).replace(/[ \t]+\n/g, "\n").replace(/\n[ \t]+(?![-1])/g, "\n").replace(/\n{3,}/g, "\n\n").trim());
  });
})();
