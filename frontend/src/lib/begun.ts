/** Requests that the document has begun before the page was there: whoever makes the same one gets that answer, once. */

declare global {
  var begun: Map<string, Promise<Response>> | undefined;
}

/** What the service told by then is old when nobody has asked for it; what it has made stays made. */
const FRESH_MS = 15_000;

/** What makes two requests the same. */
export function nameOf(method: string, path: string, headers: Readonly<Record<string, string>>, body: string | null): string {
  return [method, path, headers['Authorization'] ?? '', body ?? ''].join(' ');
}

export function takeBegun(name: string): Promise<Response> | null {
  const found = globalThis.begun?.get(name);
  globalThis.begun?.delete(name);
  return found && (performance.now() < FRESH_MS || name.startsWith('POST ')) ? found : null;
}
