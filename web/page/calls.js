// The page's calls to its gateway. Card data goes in bodies only; nothing is kept.

/** An answer that says no: `type` is the last part of the problem's type. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.title ?? String(status));
    this.status = status;
    this.type = String(problem.type ?? "").split("/").pop();
    this.problem = problem;
  }
}

/** No answer came. Whether the call arrived is not known. */
export class NoAnswer extends Error {}

/** Longer than the gateway takes for any of them. A line that went silent does not keep the payer waiting. */
const AUTHORISED_WITHIN_MS = 30_000;
const ANSWERED_WITHIN_MS = 12_000;

export class Calls {
  constructor(payment, token) {
    this.base = `/pay/${payment}`;
    this.token = token;
  }

  async call(method, path, body, withinMs = ANSWERED_WITHIN_MS) {
    const headers = { "ramz-page": this.token, accept: "application/json" };
    if (body !== undefined) headers["content-type"] = "application/json";
    let response;
    let answer;
    // `AbortSignal.timeout` wants a newer browser than some payers have.
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), withinMs);
    try {
      response = await fetch(this.base + path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        credentials: "same-origin",
        cache: "no-store",
        redirect: "error",
        referrerPolicy: "no-referrer",
        signal: late.signal,
      });
      answer = await response.json();
    } catch {
      throw new NoAnswer();
    } finally {
      clearTimeout(timer);
    }
    if (!response.ok) throw new Refused(response.status, answer);
    return answer;
  }

  /** One press of the PIN button, `{ pan, press, proof, [payee_pan] }`: the same key however often it must be sent. */
  async pin(asked) {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.call("POST", "/pin", asked);
      } catch (error) {
        if (!(error instanceof NoAnswer) || attempt === 3) throw error;
        await new Promise((done) => setTimeout(done, attempt * 700));
      }
    }
  }

  authorise(body) {
    return this.call("POST", "/authorise", body, AUTHORISED_WITHIN_MS);
  }

  cancel() {
    return this.call("POST", "/cancel", {});
  }

  state() {
    return this.call("GET", "/state");
  }
}

/** A fresh UUID that sorts by its time (version 7): a bank keeps side by side what it is asked in one moment. */
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  let now = Date.now();
  for (let at = 5; at >= 0; at--) {
    bytes[at] = now % 256;
    now = Math.floor(now / 256);
  }
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
