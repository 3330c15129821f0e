/** Sizes as people say them: bytes, then kB, MB, GB and TB with at most one decimal. */
export function sizeInWords(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 999_500) return `${Math.round(bytes / 1000)} kB`;
  const [unit, name]: [number, string] = bytes < 999_950_000 ? [1e6, 'MB'] : bytes < 999_950_000_000 ? [1e9, 'GB'] : [1e12, 'TB'];
  return `${(bytes / unit).toFixed(1).replace(/\.0$/, '')} ${name}`;
}

/** The kind of a file in a word: its ending, else the second half of its media type. */
export function kindOfFile(filename: string, mimeType: string): string {
  const ending = /\.([A-Za-z0-9]{1,5})$/.exec(filename)?.[1];
  return (ending ?? mimeType.split('/')[1] ?? mimeType).toUpperCase();
}
