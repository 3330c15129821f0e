/** JSON that came inside the document, once: whoever asks again wants to know what holds now. Null where `sign` is missing in it. */
export function carried<Told extends object>(id: string, sign: keyof Told & string): Told | null {
  const element = document.getElementById(id);
  element?.remove();
  const told = JSON.parse(element?.textContent || '{}') as Partial<Told>;
  return sign in told ? (told as Told) : null;
}
