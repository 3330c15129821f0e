/** What a table of texts is made of. */

/** Plural forms; `n` chooses. */
export interface Forms {
  one: string;
  other: string;
}

export function forms(one: string, other: string): Forms {
  return { one, other };
}

/** The keys of an English table, with texts of any language. */
export type Table<English> = { readonly [Key in keyof English]: English[Key] extends string ? string : Forms };
