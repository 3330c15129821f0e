/** One request to the service, and what may be said about it. */

export interface CallOptions {
  /** Header fields, such as `Idempotency-Key`. */
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export interface CallerOptions {
  /** The token of an address, for the calls about its mailbox. */
  token?: string;
  /** A password of the administrator, for the calls below `/admin`. */
  adminPassword?: string;
  /** The token of an account. */
  userToken?: string;
  /** The password of a private site. */
  sitePassword?: string;
  /** Instead of the platform's own `fetch`. */
  fetch?: typeof fetch;
}

interface Arguments {
  query?: Record<string, unknown>;
  body?: unknown;
  [name: string]: unknown;
}

type Reading = "json" | "text" | "bytes" | "response";

/** The service refused a request; `code` is its name for programs. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly text: string,
  ) {
    super(`${status} ${code}: ${text}`);
    this.name = "Refused";
  }
}

/** Calls a service at a URL with the credentials that it was given. */
export class Caller {
  readonly url: string;
  protected readonly options: CallerOptions;

  constructor(url: string, options: CallerOptions = {}) {
    this.url = url.replace(/\/+$/, "");
    this.options = options;
  }

  protected async call<T>(
    method: string,
    path: string,
    reading: Reading,
    args: object,
    options: CallOptions,
  ): Promise<T> {
    const given = args as Arguments;
    const target = path.replace(/\{(\w+)\}/g, (_, name: string) =>
      encodeURIComponent(String(given[name])),
    );
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(given.query ?? {})) {
      if (value !== undefined && value !== null) query.set(name, String(value));
    }
    const asked = query.size > 0 ? `?${query}` : "";
    const request: RequestInit = { method, headers: this.headers(options) };
    if (given.body !== undefined) {
      request.body = isBinary(given.body) ? given.body : JSON.stringify(given.body);
    }
    if (options.signal !== undefined) request.signal = options.signal;
    const send = this.options.fetch ?? fetch;
    const answer = await send(this.url + target + asked, request);
    if (!answer.ok) {
      const code = answer.headers.get("x-error-code") ?? "";
      throw new Refused(answer.status, code, await answer.text());
    }
    return (await read(answer, reading)) as T;
  }

  private headers(options: CallOptions): Record<string, string> {
    const { token, adminPassword, userToken, sitePassword } = this.options;
    return {
      ...(token && { Authorization: `Bearer ${token}` }),
      ...(adminPassword && { "x-admin-auth": adminPassword }),
      ...(userToken && { "x-user-token": userToken }),
      ...(sitePassword && { "x-custom-auth": sitePassword }),
      ...options.headers,
    };
  }
}

function isBinary(body: unknown): body is Blob | ArrayBuffer | Uint8Array<ArrayBuffer> {
  return body instanceof Blob || body instanceof ArrayBuffer || body instanceof Uint8Array;
}

function read(answer: Response, reading: Reading): unknown {
  if (reading === "json") return answer.json();
  if (reading === "text") return answer.text();
  return reading === "bytes" ? answer.arrayBuffer() : answer;
}
