/** The pictures that a mail carries itself. */

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
