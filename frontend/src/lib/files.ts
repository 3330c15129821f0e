/** Files that leave and enter the page. */

/** Hands a blob to the reader as a download; it is never opened in our origin, whatever its type says. */
export function saveBlob(blob: Blob, filename: string): void {
  const url = URL.createObjectURL(new Blob([blob], { type: 'application/octet-stream' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = safeFilename(filename);
  document.body.append(link);
  link.click();
  link.remove();
  // The download has begun by then; the address of the blob is not needed longer.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** A name without path, control signs or direction marks that could hide its ending. */
export function safeFilename(name: string): string {
  const base = name.replace(/^.*[\\/]/, '').replace(/[\u0000-\u001f\u007f\u200e\u200f\u202a-\u202e\u2066-\u2069"<>|:*?]/g, '_').trim();
  const cut = base.length > 180 ? base.slice(0, 120) + base.slice(-60) : base;
  return cut.replace(/^\.+/, '') || 'attachment';
}

/** `data:` URL of a blob, for pictures inside a frame that has no origin. */
export function dataUrl(blob: Blob, mimeType: string): Promise<string> {
  return read(new Blob([blob], { type: mimeType }), () => undefined);
}

/** The base64 of a file; `progress` hears how much has been read, from 0 to 1. */
export async function base64(file: Blob, progress: (share: number) => void): Promise<string> {
  const url = await read(file, progress);
  return url.slice(url.indexOf(',') + 1);
}

function read(blob: Blob, progress: (share: number) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    reader.onerror = () => reject(reader.error ?? new Error('The file could not be read'));
    reader.onload = () => resolve(blob.size === 0 ? 'data:,' : (reader.result as string));
    reader.readAsDataURL(blob);
  });
}
