/** Which files can be looked at without leaving the page, and as what. */

import { isPicture } from './pictures';
import type { Part } from './wire';

export type PreviewKind = 'picture' | 'pdf' | 'text';

/** Larger files are saved, not shown. */
const MOST_BYTES = 25_000_000;
/** Shown of a text: what a person may want to look at. */
export const MOST_TEXT = 500_000;

const TEXT = /^(?:text\/|application\/(?:json|xml|yaml|x-yaml|toml|x-sh|javascript|sql|x-ndjson)$|message\/)/i;

/**
 * HTML and SVG are documents that could act: they are shown as their source, never as what they are.
 * Null when there is nothing to show.
 */
export function previewKind(part: Pick<Part, 'mime_type' | 'size'>): PreviewKind | null {
  if (part.size > MOST_BYTES) return null;
  if (isPicture(part.mime_type)) return 'picture';
  if (/^application\/pdf$/i.test(part.mime_type)) return 'pdf';
  return TEXT.test(part.mime_type) || /^image\/svg\+xml$/i.test(part.mime_type) || /^application\/xhtml\+xml$/i.test(part.mime_type) ? 'text' : null;
}

/** The only types under which a file may be shown: what it calls itself does not count. */
export function shownType(kind: PreviewKind, mimeType: string): string {
  if (kind === 'pdf') return 'application/pdf';
  return kind === 'picture' && isPicture(mimeType) ? mimeType.toLowerCase() : 'text/plain';
}
