// The page of all banks: found by name in both languages and by six digits, of which none leaves the page; live; for every
// screen, for a keyboard, and without a script.

import assert from "node:assert/strict";

import { until } from "./lab.mjs";
import { shoot, themes } from "./looks.mjs";
import { Router } from "./router.mjs";

/** The page, in a window that remembers every request it makes. */
async function open(desk, lab, { lang = "fa", from = lab.known.router.directory, ...window } = {}) {
  const page = await desk.window(window);
  const requests = [];
  page.on("request", (request) => requests.push([request.url(), request.postData() ?? "", JSON.stringify(request.headers())].join(" ")));
  await page.goto(`${from}/?lang=${lang}`);
  if (window.javaScriptEnabled !== false) await page.locator("#q").waitFor();
  return { page, requests };
}

/** The ids of the banks that are shown. */
const shown = (page) => page.locator("tbody:visible").evaluateAll((bodies) => bodies.map(({ id }) => id));

async function found(page, text, ids) {
  await page.locator("#q").fill(text);
  assert.deepEqual(await shown(page), ids, text);
}

export const tests = {
  async "a bank is found by its name, in both languages and however it is typed"(desk, lab) {
    for (const lang of ["fa", "en"]) {
      const { page } = await open(desk, lab, { lang });
      assert.equal((await shown(page)).length, 37);
      await found(page, "ملت", ["mellat"]);
      await found(page, "بانک ملت", ["mellat"]);
      await found(page, "mellat", ["mellat"]);
      await found(page, "  MELL ", ["mellat", "melli"]);
      // Arabic yeh and kaf, no joiner, a joiner, alef with madda: one name.
      await found(page, "كشاورزي", ["keshavarzi"]);
      await found(page, "قرض الحسنه رسالت", ["resalat"]);
      await found(page, "قرض‌الحسنه رسالت", ["resalat"]);
      await found(page, "قرضالحسنه رسالت", ["resalat"]);
      await found(page, "اينده", ["ayandeh"]);
      await found(page, "no such bank", []);
      assert.match(await page.locator("#count").textContent(), lang === "fa" ? /در فهرست نیست/ : /in the list/);
      await page.locator("#clear").click();
      assert.equal((await shown(page)).length, 37);
      assert.equal(await page.evaluate(() => document.activeElement.id), "q");
    }
  },

  async "a bank is found by a card's first six digits and by its short code, in every script"(desk, lab) {
    const { page } = await open(desk, lab);
    for (const digits of ["610433", "۶۱۰۴۳۳", "٦١٠٤٣٣", "6104 33", "6104-33"]) await found(page, digits, ["mellat"]);
    await found(page, "603799", ["melli"]);
    await found(page, "6037", ["melli", "saderat", "keshavarzi"]);
    await found(page, "300033", ["mellat"]);
    await found(page, "627381", ["ansar"]);
    await page.locator("#ansar a[href='#sepah']").click();
    await page.locator("#sepah:target").waitFor();
    await found(page, "000000", []);
  },

  async "more than six digits are cut off at once, and nothing of what is typed leaves the page"(desk, lab) {
    const { page, requests } = await open(desk, lab, { lang: "en", permissions: ["clipboard-read", "clipboard-write"] });
    const card = lab.card("mellat", 1);
    const field = page.locator("#q");
    // Typed, digit by digit.
    await field.pressSequentially(card.pan);
    assert.equal(await field.inputValue(), card.pan.slice(0, 6));
    // Pasted, and in the middle of words.
    await field.fill("");
    await page.evaluate((pan) => navigator.clipboard.writeText(pan), card.pan.replace(/(.{4})/g, "$1 "));
    await field.focus();
    await page.keyboard.press("Control+V");
    await until("what was pasted, cut", async () => (await field.inputValue()).replace(/\s/g, "") === card.pan.slice(0, 6));
    await field.fill(`card ${card.pan} mellat`);
    assert.equal((await field.inputValue()).replace(/\D/g, ""), card.pan.slice(0, 6));
    await field.fill([...card.pan].map((d) => String.fromCodePoint(0x6f0 + Number(d))).join(""));
    assert.equal((await field.inputValue()).length, 6);
    await page.keyboard.press("Enter");
    // The page goes on asking how the banks stand; it asks for that alone.
    const from = requests.length;
    await until("the page to ask how the banks stand", async () => requests.length > from, 30_000);
    const said = requests.join("\n");
    for (const secret of [card.pan, card.pan.slice(6), card.pan.slice(0, 6), "mellat"]) assert.ok(!said.includes(secret), `${secret} in\n${said}`);
    assert.ok(requests.slice(from).every((request) => request.startsWith(`${lab.known.router.directory}/now.json `)), said);
    const kept = await page.evaluate(() => JSON.stringify([location.href, { ...localStorage }, { ...sessionStorage }, document.cookie, history.length]));
    assert.ok(!kept.includes(card.pan.slice(0, 6)), kept);
    await page.reload();
    assert.equal(await page.locator("#q").inputValue(), "");
  },

  async "a bank that is down is shown so, and shown again when it is back"(desk, lab) {
    const router = await Router.beside(lab, "melli");
    try {
      const { page } = await open(desk, lab, { lang: "en", from: router.directory });
      const [melli, mellat] = ["melli", "mellat"].map((bank) => page.locator(`#${bank} [data-now]`));
      assert.deepEqual([await melli.textContent(), await mellat.textContent()], ["answers", "answers"]);
      const card = lab.card("melli", 3);
      assert.equal(await router.ask(card), 202);
      router.proxy.is(true);
      for (let n = 0; n < 5; n += 1) assert.equal(await router.ask(card), 503);
      await melli.filter({ hasText: "no answer" }).waitFor();
      assert.equal(await mellat.textContent(), "answers");
      assert.equal(await router.ask(lab.card("mellat", 3)), 202, "the other bank");
      await desk.keep(page, "directory-en-light-down");
      router.proxy.is(false);
      // After its wait the breaker lets one request through. This router goes by the machine's clock.
      await until("the bank to be asked again", async () => (await router.ask(card)) === 202, 30_000);
      await melli.filter({ hasText: "answers" }).waitFor();
      // The router itself goes away: what is shown is called old.
      desk.expect("Failed to load resource");
      await router.stop();
      await page.locator("#banks.stale").waitFor({ timeout: 40_000 });
    } finally {
      await router.stop();
    }
  },

  async "without a script it is the same table, and there is no field to type into"(desk, lab) {
    const { page } = await open(desk, lab, { javaScriptEnabled: false });
    assert.equal((await shown(page)).length, 37);
    assert.ok(!(await page.locator("#q").isVisible()));
    const row = await page.locator("#mellat").innerText();
    for (const said of ["بانک ملت", "610433", "رمزنگار ملت", "30003303", "خودپرداز", "۷", "۹ دی ۱۳۹۸"]) assert.ok(row.includes(said), `${said} in\n${row}`);
    await page.locator("#mellat summary").first().click();
    assert.ok(await page.locator("#mellat details li").first().isVisible(), "the steps open without a script");
    assert.match(await page.locator("#tejarat").innerText(), /دانسته نیست؛ هریم کار می‌کند/);
  },

  async "every entry names its source and a day"(desk, lab) {
    for (const lang of ["fa", "en"]) {
      const { page } = await open(desk, lab, { lang });
      const sources = await page.locator("tbody .source").allInnerTexts();
      assert.equal(sources.length, 37);
      for (const source of sources) assert.match(source, lang === "fa" ? /منبع: .+بازبینی: [۰-۹]+ \S+ ۱۴۰[۰-۹]/s : /Source: .+checked: \d+ \w+ 20\d\d/s);
    }
  },

  async "it is whole for keyboards and screen readers"(desk, lab) {
    for (const [lang, dir] of [["fa", "rtl"], ["en", "ltr"]]) {
      const { page } = await open(desk, lab, { lang });
      const html = page.locator("html");
      assert.deepEqual([await html.getAttribute("lang"), await html.getAttribute("dir")], [lang, dir]);
      const flaws = await page.evaluate(flawsForReaders);
      assert.deepEqual(flaws, []);
      const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.className);
      const path = [];
      for (let n = 0; n < 3; n += 1) {
        await page.keyboard.press("Tab");
        path.push(await focused());
      }
      assert.deepEqual(path, ["brand", "lang", "q"]);
      await page.keyboard.type("mellat");
      assert.deepEqual(await shown(page), ["mellat"]);
      await page.keyboard.press("Escape");
      assert.equal((await shown(page)).length, 37);
    }
  },

  "nothing sticks out in Persian, light or dark": (desk, lab) => look(desk, lab, "fa"),
  "nothing sticks out in English, light or dark": (desk, lab) => look(desk, lab, "en"),

  async "the portal leads to it"(desk, lab) {
    const page = await desk.window();
    await page.goto(`${lab.portal}/?lang=en`);
    const link = page.locator("#directory-link");
    assert.equal(await link.getAttribute("href"), `${lab.known.router.directory}/?lang=en`);
    await page.goto(await link.getAttribute("href"));
    await page.locator("h1", { hasText: "Your bank’s dynamic PIN" }).waitFor();
  },
};

/** The page on every screen: as it opens, with all steps open, and with one bank found. */
async function look(desk, lab, lang) {
  const { page } = await open(desk, lab, { lang });
  const see = (state, look) => themes(page, async (theme) => {
    const name = `directory-${lang}-${theme}${state}`;
    await shoot(desk, page, name);
    await look?.(name);
  });
  await see("");
  await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
  await see("-open", async (name) => assert.deepEqual(await page.evaluate(paleTexts), [], name));
  await page.locator("#q").fill("610433");
  await see("-found");
}

/** Runs in the page: what a reader or a keyboard would miss. */
function flawsForReaders() {
  const flaws = [];
  const named = (element) => element.labels?.[0]?.textContent.trim() || element.getAttribute("aria-label") || element.textContent.trim();
  for (const element of document.querySelectorAll("a[href], button, input, summary")) if (!named(element)) flaws.push(`no name: ${element.outerHTML.slice(0, 80)}`);
  const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) flaws.push(`twice: #${id}`);
  for (const element of document.querySelectorAll("[aria-describedby], [aria-labelledby]")) {
    for (const id of (element.getAttribute("aria-describedby") ?? element.getAttribute("aria-labelledby")).split(" ")) if (!document.getElementById(id)) flaws.push(`#${id} is missing`);
  }
  if (document.querySelectorAll("h1").length !== 1) flaws.push("not one h1");
  if (!document.querySelector("main") || !document.querySelector("caption")?.textContent.trim()) flaws.push("no main, or a table without a caption");
  for (const body of document.querySelectorAll("tbody")) if (!body.querySelector("th[scope=row]")) flaws.push(`no row heading: ${body.id}`);
  if (document.querySelectorAll("th[scope=col]").length !== 6) flaws.push("column headings");
  for (const svg of document.querySelectorAll("svg")) if (!svg.closest("[aria-hidden=true]")) flaws.push("a picture without a name");
  return flaws;
}

/** Runs in the page: texts that are too pale for WCAG AA (4.5 : 1) on the plain grounds. The band has a picture behind it. */
function paleTexts() {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const light = ([r, g, b]) => {
    const [R, G, B] = [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * R + 0.7152 * G + 0.0722 * B;
  };
  const pale = new Set();
  for (const element of document.querySelectorAll("main *, footer *")) {
    const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!text || !element.checkVisibility() || element.closest(".unseen")) continue;
    let ground = element;
    while (ground && rgba(getComputedStyle(ground).backgroundColor)[3] < 255) ground = ground.parentElement;
    const [a, b] = [light(rgba(getComputedStyle(element).color)), light(rgba(getComputedStyle(ground ?? document.body).backgroundColor))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) pale.add(`${element.className || element.tagName}: ${ratio.toFixed(2)}`);
  }
  return [...pale];
}
