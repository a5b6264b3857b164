// Makes the form of a conversation easier; without this script each step is a page of the intake.
// States are data: `data-state` of an answer's <main>, `data-result` of what it says, `data-receipt` of what was kept,
// `data-keep` of where its link stands, `data-reply` of the links that open the form.

/** @param {string} selector @param {ParentNode} [inside] */
const find = (selector, inside = document) => /** @type {HTMLElement | null} */ (inside.querySelector(selector));

/** @param {string} tag @param {Record<string, string>} attributes @param {(Node | string)[]} inside */
const make = (tag, attributes, ...inside) => {
  const element = document.createElement(tag);
  for (const name in attributes) element.setAttribute(name, attributes[name]);
  element.append(...inside);
  return element;
};

// The link of a receipt, where a page may copy: one without TLS has no clipboard.
/** @param {string} url @param {ParentNode} [receipt] */
const offerCopy = (url, receipt) => {
  const copy = make("button", { class: "button plain", type: "button" }, "Copy the link");
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(url);
    copy.textContent = "Copied";
  });
  if (navigator.clipboard) find("[data-keep]", receipt)?.after(make("p", {}, copy));
};

if (document.getElementById("join")) {
  const form = /** @type {HTMLFormElement} */ (document.getElementById("join"));

  /** @param {string} name */
  const input = (name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name));

  const [article, replyTo, key, name, comment] = ["article", "reply_to", "key", "name", "comment"].map(input);
  const fields = /** @type {HTMLInputElement[]} */ ([...form.querySelectorAll(".field [name]")]);
  const words = [...fields, key];
  const limit = Number(comment.dataset.limit);
  const heading = /** @type {HTMLElement} */ (document.getElementById("join-title"));
  const actions = /** @type {HTMLElement} */ (find(".actions", form));
  const links = /** @type {HTMLAnchorElement[]} */ ([...document.querySelectorAll("a[data-reply]")]);
  const home = new Text(); // stands right behind the form's first place
  /** @type {Record<string, string>} */
  const prefixes = { error: "Error: ", refused: "Error: ", preview: "Preview: " };
  const first = {
    heading: heading.textContent,
    title: document.title.slice((prefixes[find("main")?.dataset.state ?? ""] ?? "").length),
    // Firefox keeps hidden fields through a reload; on a page with links to reply the form answers nothing at first.
    replyTo: links.length ? "" : replyTo.value,
  };
  /** @type {HTMLAnchorElement | undefined} */
  let opener; // the link that the form stands under
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  const status = make("p", { class: "hint", role: "status" });
  const count = make("p", { class: "hint", "aria-hidden": "true" });
  const countAloud = make("span", { class: "visually-hidden", role: "status" });
  const cancel = make("button", { class: "button plain", type: "button" }, "Cancel");

  // Of this tab alone; it can be forbidden or full.
  /** @param {"getItem" | "setItem" | "removeItem"} verb @param {string} to @param {unknown} [value] */
  const stored = (verb, to, value) => {
    try {
      const storage = /** @type {any} */ (sessionStorage);
      return JSON.parse(storage[verb](`comment ${article.value} ${to}`, JSON.stringify(value)));
    } catch {}
  };

  const save = () => {
    const verb = name.value || comment.value ? "setItem" : "removeItem";
    stored(verb, replyTo.value, words.map((field) => field.value));
  };

  // The key names this comment, so that a retry after a lost answer is no second one.
  const use = () => {
    const random = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (n) => n.toString(16).padStart(2, "0"));
    key.value ||= random().join("");
    save();
  };

  // Seen at once, said in a pause (GOV.UK Design System, character count).
  const countDown = () => {
    const left = limit - comment.value.length;
    const number = Math.abs(left);
    const characters = () => `${number.toLocaleString("en")} character${number === 1 ? "" : "s"}`; // its first call is slow
    count.textContent = left > limit / 5 ? "" : `You have ${characters()} ${left < 0 ? "too many" : "remaining"}`;
    count.className = left < 0 ? "error" : "hint";
    clearTimeout(timer);
    timer = setTimeout(() => (countAloud.textContent = count.textContent), 1000);
  };

  /** @param {HTMLAnchorElement} [link] */
  const target = (link) => link?.dataset.reply ?? first.replyTo;

  // Under the comment that a link answers, or home; what was typed goes along.
  /** @param {HTMLAnchorElement} [link] */
  const move = (link) => {
    const to = target(link);
    const draft = stored("getItem", to) ?? [];
    if (to !== replyTo.value) {
      stored("removeItem", replyTo.value);
      replyTo.value = to;
      key.value = "";
    }
    if (!comment.value || comment.value === draft[words.indexOf(comment)]) words.forEach((field, i) => (field.value ||= draft[i] || ""));
    if (link) {
      heading.replaceChildren(...link.cloneNode(true).childNodes);
      actions.append(cancel);
      link.closest("article")?.append(form);
    } else if (home.previousSibling !== form) {
      heading.textContent = first.heading;
      cancel.remove();
      home.before(form);
    }
    opener = link;
    if (name.value || comment.value) use(); // typed before this script was there, or to go with the form
    else save();
    countDown();
  };

  const isSending = () => status.textContent !== "";

  /** @param {boolean} is */
  const sending = (is) => {
    status.textContent = is ? "Sending…" : "";
    for (const field of fields) field.readOnly = is;
    // With “disabled” a button would lose the focus.
    for (const button of actions.children) button.ariaDisabled = is ? "true" : null;
  };

  // The page at an address, or what answers the form; nothing if no page of the intake came back.
  /** @param {string} url @param {RequestInit} [how] */
  const ask = async (url, how) => {
    try {
      const answer = await fetch(url, { ...how, signal: AbortSignal.timeout?.(30000) });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const state = find("main", page)?.dataset.state;
      return state ? { page, state, url: answer.url } : undefined;
    } catch {}
  };

  // The errors of the answer, at their fields.
  /** @param {Document} [page] */
  const mark = (page) => {
    for (const field of fields) {
      const id = `${field.id}-error`;
      const error = page?.getElementById(id);
      document.getElementById(id)?.remove();
      if (error) field.before(error);
      field.closest(".field")?.classList.toggle("wrong", !!error);
      field.setAttribute("aria-describedby", [`${field.id}-hint`, ...(error ? [id] : [])].join(" "));
      field.ariaInvalid = error ? "true" : null;
    }
  };

  // On top of the form, or in its place, with the focus.
  /** @param {HTMLElement} result @param {boolean} [instead] */
  const show = (result, instead) => {
    for (const old of document.querySelectorAll("[data-result]")) old.remove();
    const box = /** @type {HTMLElement} */ (result.matches("[tabindex]") ? result : find("[tabindex]", result));
    box.removeAttribute("autofocus");
    if (instead) form.replaceWith(result);
    else form.prepend(result);
    box.focus();
  };

  /** @param {(Node | string)[]} reason */
  const problem = (...reason) => {
    const box = make("div", { class: "box problem", role: "alert", tabindex: "-1", "data-result": "" });
    box.append(make("h2", {}, "There is a problem"), make("p", {}, ...reason));
    return box;
  };

  const unsent = () => {
    const ring = /** @type {HTMLAnchorElement | null} */ (find(".bar [href^='tel:']"));
    const or = ring ? [", or ", make("a", { href: ring.href }, `r${ring.textContent.slice(1)}`)] : [];
    return problem("Your comment could not be sent. It is still in the box. Try again in a minute", ...or, ".");
  };

  // What was kept, as its receipt shows it, with the link that leads there.
  /** @param {HTMLElement} receipt @param {string} url */
  const kept = (receipt, url) => {
    const link = make("a", { href: url }, "this link");
    find("[data-keep]", receipt)?.replaceChildren("Keep ", link, " to check, edit or delete your comment.");
    offerCopy(url, receipt);
    receipt.className = "part";
    receipt.removeAttribute("data-result"); // it stays when the next is sent
    find("[tabindex]", receipt)?.removeAttribute("id"); // there may be two in the end
    return receipt;
  };

  // The way to the receipts outlasts a reload, of the latest few.
  /** @param {(urls: string[]) => string[]} change */
  const receipts = (change) => stored("setItem", "/receipts", change(stored("getItem", "/receipts") ?? []).slice(-3));

  const recall = async () => {
    for (const url of stored("getItem", "/receipts") ?? []) {
      const answer = await ask(url);
      const receipt = answer && find("[data-receipt]", answer.page);
      const id = receipt && find("article", receipt)?.id;
      if (id && !document.getElementById(id)) (opener || !form.isConnected ? home : form).before(kept(receipt, url));
      else if (answer) receipts((urls) => urls.filter((other) => other !== url)); // deleted, or in the page by now
    }
  };

  form.addEventListener("input", () => {
    use();
    countDown();
  });

  form.addEventListener("submit", async (event) => {
    if (!("submitter" in event)) return; // an old browser, which must not send what is to be previewed
    event.preventDefault();
    if (isSending()) return;
    use();
    const body = new URLSearchParams(/** @type {any} */ (new FormData(form)));
    if (event.submitter instanceof HTMLButtonElement) body.set(event.submitter.name, event.submitter.value);
    body.set("seconds", String(Math.floor(performance.now() / 1000))); // since the page was opened, by one clock
    sending(true);
    const answer = await ask(form.getAttribute("action") ?? "", { method: "POST", body });
    sending(false);
    mark(answer?.page);
    const receipt = answer && find("[data-receipt]", answer.page);
    document.title = (receipt ? "" : (prefixes[answer?.state ?? "error"] ?? "")) + first.title;
    if (receipt) {
      comment.value = key.value = "";
      receipts((urls) => [...urls, answer.url]);
      show(kept(receipt, answer.url), true);
      if (opener) move();
      if (!comment.value) stored("removeItem", replyTo.value); // the name stays, in the form alone
      return;
    }
    if (replyTo.value && answer && find("[name=reply_to]", answer.page)?.getAttribute("value") === null) {
      first.replyTo = ""; // what it answered is gone
      move();
    }
    const refusal = answer?.state === "refused" && problem(find("h1", answer.page)?.textContent ?? "");
    show((answer && find("[data-result]", answer.page)) || refusal || unsent());
  });

  for (const link of links) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      if (isSending()) return;
      // A reader may have begun to write before this script was there.
      const focused = /** @type {HTMLElement} */ (document.activeElement);
      const field = form.contains(focused) ? focused : name.value ? comment : name;
      move(link);
      field.focus();
    });
  }

  find("[href='#join']")?.addEventListener("click", () => isSending() || move());

  cancel.addEventListener("click", () => {
    const link = opener;
    move();
    link?.focus();
  });

  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && opener && !isSending() && !event.isComposing) cancel.click();
  });

  // A page kept for the way back may have been left while it was sending.
  addEventListener("pageshow", (event) => event.persisted && sending(false));

  form.after(home);
  form.append(status);
  comment.after(count, countAloud);
  move([undefined, ...links].find((link) => stored("getItem", target(link))));
  recall();
} else offerCopy(location.origin + location.pathname); // the page of a receipt
