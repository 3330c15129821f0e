/** The pictures that a mail carries itself. */

import { dataUrl } from './files';
import type { Part } from './wire';

/** Pictures inside one mail beyond this are left as files: they are held in memory as text. */
const MOST_PICTURE_BYTES = 12_000_000;

const CID = /(["'])cid:([^"'<>\s]+)\1/gi;

/** The content ids that a mail's HTML shows as pictures (RFC 2392). */
export function picturesNamed(html: string): Set<string> {
  const names = new Set<string>();
  for (const match of html.matchAll(CID)) names.add(contentId(match[2]!));
  return names;
}

const CID_ATTRIBUTE = /\s([\w-]+)=(["'])cid:([^"'<>\s]+)\2/gi;

/** Puts the pictures that lie inside the mail where its HTML names them; a missing one leaves a hole. */
export function withPictures(html: string, pictures: ReadonlyMap<string, string>): string {
  return html.replace(CID_ATTRIBUTE, (_, attribute: string, quote: string, name: string) => {
    const url = pictures.get(contentId(name));
    return url ? ` ${attribute}=${quote}${url}${quote}` : '';
  });
}

/** `<a@b>`, `a@b` and `a%40b` name the same part. */
export function contentId(text: string): string {
  const bare = text.trim().replace(/^<|>$/g, '').replace(/&amp;/g, '&');
  try {
    return decodeURIComponent(bare);
  } catch {
    return bare;
  }
}

/** Picture kinds that a sandboxed frame may show; SVG is a document and stays a file. */
const PICTURE = /^image\/(?:png|jpe?g|gif|webp|avif|bmp)$/i;

export function isPicture(mimeType: string): boolean {
  return PICTURE.test(mimeType);
}

/** The pictures that the text of a mail names (`cid:`), as data URLs: the frame has no origin to fetch from. */
export async function carriedPictures(
  mail: { html: string; attachments: readonly Part[] },
  fetchPart: (part: Part) => Promise<Blob>,
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const named = picturesNamed(mail.html);
  const found = new Map<string, string>();
  let bytes = 0;
  for (const part of mail.attachments) {
    const name = contentId(part.content_id ?? '');
    if (!named.has(name) || !isPicture(part.mime_type) || bytes + part.size > MOST_PICTURE_BYTES) continue;
    bytes += part.size;
    try {
      found.set(name, await dataUrl(await fetchPart(part), part.mime_type));
    } catch {
      // The picture stays a hole; the mail is readable without it.
    }
    if (signal.aborted) break;
  }
  return found;
}
