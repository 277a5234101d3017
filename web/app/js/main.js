// Starts the app: for now, the worker that keeps it.

const policy = self.trustedTypes?.createPolicy("worker", { createScriptURL: (url) => url });
await navigator.serviceWorker?.register(policy?.createScriptURL("/sw.js") ?? "/sw.js");
