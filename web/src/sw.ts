/**
 * The service worker: after the first visit the page works without a connection.
 * It stores the demo's own files, whose list `ferscope export web` writes before this script, and nothing else.
 */

declare const self: ServiceWorkerGlobalScope & { FERSCOPE: { version: string; files: string[] } };

const CACHE = `ferscope-${self.FERSCOPE.version}`;

self.addEventListener("install", (event) => {
  const store = async (): Promise<void> => {
    const cache = await caches.open(CACHE);
    await cache.addAll(self.FERSCOPE.files.map((file) => new Request(file, { cache: "reload" })));
    await self.skipWaiting();
  };
  event.waitUntil(store());
});

self.addEventListener("activate", (event) => {
  const clean = async (): Promise<void> => {
    const old = (await caches.keys()).filter((name) => name.startsWith("ferscope-") && name !== CACHE);
    await Promise.all(old.map((name) => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(clean());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== self.location.origin) return;
  const respond = async (): Promise<Response> =>
    (await (await caches.open(CACHE)).match(request, { ignoreSearch: true })) ?? fetch(request);
  event.respondWith(respond());
});

export {};
