/** As much of Node as the build uses. */
declare module 'node:zlib' {
  export function brotliCompressSync(data: string | Uint8Array): Uint8Array;
}
