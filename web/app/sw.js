// Keeps the app on the phone, so that it starts without a network. Before this the door writes VERSION, and FILES: each path
// with its hash.
//
// One version is kept whole or not at all, and never mixed: what does not have its hash is not taken. A new version takes over when no page
// of the old one is open any more. What a first visit loads before all is kept comes from the door as it is. Nothing of the bank's API is looked at or kept.

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const CACHE = `ramz-${VERSION}`;

worker.addEventListener("install", (event) => event.waitUntil(keep()));

// The first visit is answered from here as soon as all is kept: nothing that it has not fetched yet needs a network.
worker.addEventListener("activate", (event) => event.waitUntil(forgetOthers().then(() => worker.clients.claim())));

worker.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  const { origin, pathname } = new URL(url);
  if (method === "GET" && origin === worker.location.origin && Object.hasOwn(FILES, pathname)) {
    event.respondWith(kept(pathname, event.request));
  }
});

/** Fetches every file. "no-cache" asks the door whether what the page just loaded is still what it has, and mostly sends no body. The page
 * itself comes whole: it is kept with its headers, which may be others. */
async function keep() {
  try {
    const cache = await caches.open(CACHE);
    await Promise.all(Object.entries(FILES).map(async ([path, integrity]) => {
      const answer = await fetch(path, { cache: path === "/" ? "reload" : "no-cache", redirect: "error", integrity });
      // A hash that fits is not enough: what another host sent could not be read, and is not ours.
      if (!answer.ok || answer.type !== "basic") throw new Error(`${path}: ${answer.status} ${answer.type}`);
      await cache.put(path, answer);
    }));
  } catch (error) {
    await caches.delete(CACHE);
    throw error;
  }
}

async function forgetOthers() {
  for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
}

/**
 * The file of this version; from the door only if a browser that was short of space has dropped it.
 * @param {string} path
 * @param {Request} request
 */
async function kept(path, request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(path)) ?? fetch(request.url, { integrity: FILES[path] });
}
