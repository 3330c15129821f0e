/** The addresses that the person has in Telegram, where this tab was opened by it. */

import type { OpenAddress } from '../lib/addresses';
import { Api } from '../lib/api';
import { inWords } from '../lib/refusal';
import { keepHeld, readHeld, readLaunch } from '../telegram/launch';
import { language } from '../texts';

class Pocket {
  addresses = $state.raw<readonly OpenAddress[]>([]);
  trouble = $state('');
  private readonly proof = readLaunch('', () => sessionStorage);
  private readonly api = new Api(
    () => ({}),
    () => language(),
  );

  /** A proof is good for minutes; what was there then is shown for as long as the tab lasts. */
  async load(): Promise<void> {
    if (!this.proof) return;
    try {
      this.addresses = await this.api.json<OpenAddress[]>('POST', '/telegram/get_bind_address', { initData: this.proof });
      keepHeld(this.addresses, () => sessionStorage);
      this.trouble = '';
    } catch (error) {
      this.addresses = readHeld(() => sessionStorage);
      this.trouble = this.addresses.length > 0 ? '' : inWords(error);
    }
  }
}

export const pocket = new Pocket();
