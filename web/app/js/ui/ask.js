// A question before something is done. What was agreed to is done behind the question, so that a wait for the next control code, and what
// went wrong, stand where they belong, and another try is one press away.

import { Trouble } from "../trouble.js";
import { say } from "../words/words.js";
import { el, focusOn } from "./node.js";
import { patiently } from "./patient.js";
import { isStale, troublePlace, words } from "./trouble.js";

/**
 * @param {import("./shell.js").Shell} shell
 * @param {object} what
 * @param {string} what.title
 * @param {HTMLElement[]} what.body the first of them is read out with the title
 * @param {string} what.yes
 * @param {boolean} [what.danger] nothing that is pressed by mistake
 * @param {Record<string, string>} [what.wrong] words of its own for a kind of trouble
 * @param {() => unknown} what.act
 * @returns {Promise<boolean>} whether it was done, or may have been; never, if another screen has come meanwhile
 */
export function ask(shell, { title, body, yes, danger = false, wrong = {}, act }) {
  const held = document.activeElement?.getAttribute("data-choice");
  const trouble = troublePlace();
  const button = el("button", { type: "submit", class: `act wide ${danger ? "danger" : ""}` }, yes);
  const cancel = el("button", { type: "button", class: "quiet wide", autofocus: danger, onclick: () => node.close() }, say("cancel"));
  const node = el("dialog", { class: "ask", "aria-labelledby": "ask-title", "aria-describedby": "ask-body", oncancel: escaped },
    el("form", { novalidate: true, onsubmit: send },
      el("h2", { id: "ask-title" }, title), body, trouble.node, button, cancel));
  body[0]?.setAttribute("id", "ask-body");
  let done = false;
  /** What is shown behind the question is not so any more. It is drawn anew, and may be gone, once this was read. */
  let stale = false;

  /** While the bank is asked nobody knows what it did: then it cannot be called off. @param {Event} event */
  function escaped(event) {
    if (cancel.disabled) event.preventDefault();
  }

  /** @param {Event} event */
  async function send(event) {
    event.preventDefault();
    trouble.clear();
    button.disabled = true;
    let waits = false;
    try {
      await patiently(node, () => {
        if (!node.open) throw new Trouble("cancelled");
        cancel.disabled = true;
        return act();
      }, (text) => {
        cancel.disabled = false;
        button.textContent = text;
        if (!waits) shell.said(text);
        waits = true;
      });
      done = true;
      node.close();
    } catch (error) {
      if (!node.open || !node.isConnected) return;
      const { kind = "" } = /** @type {{ kind?: string }} */ (error);
      stale ||= isStale(error);
      trouble.say(wrong[kind] ?? words(error));
      button.textContent = yes;
      button.disabled = cancel.disabled = false;
      button.focus();
    }
  }

  document.getElementById("screen")?.append(node);
  node.showModal();
  return new Promise((answer) => {
    node.addEventListener("close", () => {
      if (!node.isConnected) return;
      node.remove();
      // What was pressed may have been drawn anew behind the question: then the browser gives the focus to nothing.
      if (document.activeElement === document.body) focusOn(document.body, held);
      if (stale) shell.learn();
      answer(done || stale);
    });
  });
}
