// Makes the form of a conversation easier; without this script each step is a page of the intake. loader.js fetches it.
{
  const form = document.getElementById("join");
  const { article, reply_to: replyTo, key, name, comment, email } = form.elements;
  const fields = [name, comment, email].filter(Boolean); // an address is asked for only where it is used
  const words = [...fields, key];
  const most = Number(comment.dataset.most);
  const heading = document.getElementById("join-title");
  const actions = form.querySelector(".actions");
  const links = [...document.querySelectorAll("a.reply")];
  const home = new Text(); // stands right behind the form's first place
  const first = {
    heading: heading.textContent,
    title: document.title.replace(/^(Error|Preview): /, ""),
    // Firefox keeps hidden fields through a reload; on a page with links to reply the form answers nothing at first.
    replyTo: links.length ? "" : replyTo.value,
  };
  let opener; // the link that the form stands under
  let timer;

  const make = (tag, attributes, ...inside) => {
    const element = document.createElement(tag);
    for (const name in attributes) element.setAttribute(name, attributes[name]);
    element.append(...inside);
    return element;
  };

  const status = make("p", { class: "hint", role: "status" });
  const count = make("p", { class: "hint", "aria-hidden": true });
  const countAloud = make("span", { class: "visually-hidden", role: "status" });
  const cancel = make("button", { class: "button plain", type: "button" }, "Cancel");

  // Of this tab alone; it can be forbidden or full.
  const stored = (verb, to, value) => {
    try {
      return sessionStorage[verb](`comment ${article.value} ${to}`, value);
    } catch {}
  };

  const save = () => {
    const verb = name.value || comment.value ? "setItem" : "removeItem";
    stored(verb, replyTo.value, JSON.stringify(words.map((field) => field.value)));
  };

  // The key names this comment, so that a retry after a lost answer is no second one.
  const use = () => {
    key.value ||= Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(16).padStart(8, 0)).join("");
    save();
  };

  // Seen at once, said in a pause (GOV.UK Design System, character count).
  const countDown = () => {
    const left = most - comment.value.length;
    const number = Math.abs(left);
    const characters = () => `${number.toLocaleString("en")} character${number === 1 ? "" : "s"}`; // its first call is slow
    count.textContent = left > most / 5 ? "" : `You have ${characters()} ${left < 0 ? "too many" : "remaining"}`;
    count.className = left < 0 ? "error" : "hint";
    clearTimeout(timer);
    timer = setTimeout(() => (countAloud.textContent = count.textContent), 1000);
  };

  const target = (link) => (link ? link.pathname.split("/").pop() : first.replyTo);

  // Under the comment that a link answers, or home; what was typed goes along.
  const move = (link) => {
    const to = target(link);
    const draft = JSON.parse(stored("getItem", to) || "[]");
    if (to !== replyTo.value) {
      stored("removeItem", replyTo.value);
      replyTo.value = to;
      key.value = "";
    }
    if (!comment.value || comment.value === draft[1]) words.forEach((field, i) => (field.value ||= draft[i] || ""));
    if (link) {
      heading.replaceChildren(...link.cloneNode(true).childNodes);
      actions.append(cancel);
      link.closest("article").append(form);
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

  const sending = (is) => {
    status.textContent = is ? "Sending…" : "";
    for (const field of fields) field.readOnly = is;
    // With “disabled” a button would lose the focus.
    for (const button of actions.children) button.ariaDisabled = is || null;
  };

  // The errors of the answer, at their fields.
  const mark = (page) => {
    for (const field of fields) {
      const id = `${field.id}-error`;
      const error = page?.getElementById(id);
      document.getElementById(id)?.remove();
      if (error) field.before(error);
      field.closest(".field").classList.toggle("wrong", !!error);
      field.setAttribute("aria-describedby", `${field.id}-hint${error ? ` ${id}` : ""}`);
      field.ariaInvalid = error ? true : null;
    }
  };

  // On top of the form, or in its place, with the focus.
  const show = (box, instead) => {
    document.querySelectorAll(".problem, #preview").forEach((old) => old.remove());
    box.removeAttribute("autofocus");
    box.tabIndex = -1;
    if (instead) form.replaceWith(box);
    else form.prepend(box);
    box.focus();
  };

  const problem = (...reason) => {
    const title = make("h2", { id: "problem" }, "There is a problem");
    const box = make("div", { class: "box problem", role: "alert", "aria-labelledby": "problem" });
    box.append(title, make("p", {}, ...reason));
    return box;
  };

  const unsent = () => {
    const ring = document.querySelector(".bar [href^='tel:']");
    const number = document.querySelector(".telephone");
    const reason = ["Your comment could not be sent. It is still in the box. Try again in a minute"];
    if (ring && number) {
      reason.push(`, or r${ring.textContent.slice(1)} on `, make("a", { href: ring.href }, number.textContent));
    }
    return problem(...reason, ".");
  };

  const thank = (page, address) => {
    const box = page.querySelector(".done") || make("div", { class: "box done" }, make("a", { href: "" }, "Your comment"));
    box.removeAttribute("id"); // there may be two in the end
    for (const link of box.querySelectorAll("[href='']")) link.href = address;
    comment.value = key.value = "";
    show(box, true);
    if (opener) move();
    if (!comment.value) stored("removeItem", replyTo.value); // the name stays, in the form alone
  };

  form.addEventListener("input", () => {
    use();
    countDown();
  });

  form.addEventListener("submit", async (event) => {
    if (!("submitter" in event)) return; // an old browser, which must not send what is to be previewed
    event.preventDefault();
    if (status.textContent) return;
    use();
    const body = new URLSearchParams(new FormData(form));
    if (event.submitter) body.set(event.submitter.name, event.submitter.value);
    body.set("seconds", Math.floor(performance.now() / 1000)); // since the page was opened, by one clock
    sending(true);
    let answer, page;
    try {
      answer = await fetch(form.getAttribute("action"), { method: "POST", body, signal: AbortSignal.timeout?.(30000) });
      page = new DOMParser().parseFromString(await answer.text(), "text/html");
    } catch {}
    sending(false);
    mark(page);
    const received = page && answer.url.includes("/receipt/");
    const prefix = page && /^(Error|Preview): /.exec(page.title);
    document.title = (prefix ? prefix[0] : received ? "" : "Error: ") + first.title;
    if (received) return thank(page, answer.url);
    const box = page?.querySelector(".problem, #preview");
    if (replyTo.value && page?.querySelector("[name=reply_to]")?.value === "") {
      first.replyTo = ""; // what it answered is gone
      move();
    }
    show(box || (prefix ? problem(page.querySelector("h1").textContent) : unsent()));
  });

  for (const link of links) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      if (status.textContent) return;
      // A reader may have begun to write before this script was there.
      const field = form.contains(document.activeElement) ? document.activeElement : name.value ? comment : name;
      move(link);
      field.focus();
    });
  }

  cancel.addEventListener("click", () => {
    const link = opener;
    move();
    link.focus();
  });

  // A page kept for the way back may have been left while it was sending.
  addEventListener("pageshow", (event) => event.persisted && sending(false));

  form.after(home);
  form.append(status);
  comment.after(count, countAloud);
  move([undefined, ...links].find((link) => stored("getItem", target(link))));
}
