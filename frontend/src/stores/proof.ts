/** Proving a human, where the service asks for it. */

import { later } from '../later';
import type { Api } from '../lib/api';

export async function prove(api: Api): Promise<string> {
  const { prove: ask } = await later.human();
  return ask(api);
}
