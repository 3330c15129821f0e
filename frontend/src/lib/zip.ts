/** A ZIP archive of files as they are, without packing (APPNOTE 6.3, method 0): mails hardly shrink once files are in them. */

export interface Entry {
  name: string;
  bytes: Uint8Array<ArrayBuffer>;
  at: Date;
}

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = table[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** MS-DOS date and time, in the zone of the reader; 1980 is the oldest. */
function stamp(at: Date): [time: number, date: number] {
  const year = Math.min(Math.max(at.getFullYear(), 1980), 2107);
  return [
    (at.getHours() << 11) | (at.getMinutes() << 5) | (at.getSeconds() >> 1),
    ((year - 1980) << 9) | ((at.getMonth() + 1) << 5) | at.getDate(),
  ];
}

/** Names that are there already get a number, as a file manager would do. */
export function distinct(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    const dot = name.lastIndexOf('.');
    const [stem, ending] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ''];
    let free = name;
    for (let n = 2; taken.has(free.toLowerCase()); n++) free = `${stem} (${n})${ending}`;
    taken.add(free.toLowerCase());
    return free;
  });
}

export function zip(entries: readonly Entry[]): Blob {
  const encoder = new TextEncoder();
  const names = distinct(entries.map((entry) => entry.name)).map((name) => encoder.encode(name));
  const parts: BlobPart[] = [];
  const directory: Uint8Array<ArrayBuffer>[] = [];
  let offset = 0;
  for (const [at, entry] of entries.entries()) {
    const name = names[at]!;
    const [time, date] = stamp(entry.at);
    const common = new DataView(new ArrayBuffer(26));
    common.setUint16(0, 20, true); // version 2.0
    common.setUint16(2, 0x0800, true); // names are UTF-8
    common.setUint16(6, time, true);
    common.setUint16(8, date, true);
    common.setUint32(10, crc32(entry.bytes), true);
    common.setUint32(14, entry.bytes.length, true);
    common.setUint32(18, entry.bytes.length, true);
    common.setUint16(22, name.length, true);
    const head = new Uint8Array(common.buffer);

    parts.push(signature(0x04034b50), head, name, entry.bytes);
    const tail = new DataView(new ArrayBuffer(14));
    tail.setUint32(10, offset, true);
    directory.push(signature(0x02014b50), Uint8Array.of(20, 0), head, new Uint8Array(tail.buffer), name);
    offset += 30 + name.length + entry.bytes.length;
  }
  const size = directory.reduce((sum, piece) => sum + piece.length, 0);
  const end = new DataView(new ArrayBuffer(18));
  end.setUint16(4, entries.length, true);
  end.setUint16(6, entries.length, true);
  end.setUint32(8, size, true);
  end.setUint32(12, offset, true);
  return new Blob([...parts, ...directory, signature(0x06054b50), new Uint8Array(end.buffer)], { type: 'application/zip' });
}

function signature(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new DataView(new ArrayBuffer(4));
  bytes.setUint32(0, value, true);
  return new Uint8Array(bytes.buffer);
}
