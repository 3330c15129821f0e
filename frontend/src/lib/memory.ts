/** localStorage that may be missing, full, or hold what an older page wrote. */

export function recall<T>(name: string, fallback: T, accept: (value: unknown) => value is T): T {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(name) ?? 'null');
    return accept(value) ? value : fallback;
  } catch {
    return fallback;
  }
}

/** True when it is stored. */
export function remember(name: string, value: unknown): boolean {
  try {
    if (value === null || value === '') localStorage.removeItem(name);
    else localStorage.setItem(name, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

export const isText = (value: unknown): value is string => typeof value === 'string';
