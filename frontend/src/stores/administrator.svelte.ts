/** Whether whoever sits here may open the administration: what shows the way there, never what opens it. */

import { isText, recall } from '../lib/memory';
import { session } from './session.svelte';

const ADMIN = 'mailbox.admin-password';
const ACCOUNT = 'mailbox.account';
/** The mailbox itself comes first. */
const LATER_MS = 1500;

class Administrator {
  /** The account that is signed in here is an administrator's. */
  private byAccount = $state(false);
  private readonly byPassword = held(ADMIN);

  get here(): boolean {
    return this.byAccount || this.byPassword || session.settings?.disableAdminPasswordCheck === true;
  }

  /** Asks the service about the account, where one is signed in. Returns what gives that up. */
  ask(): () => void {
    if (recall(ACCOUNT, '', isText) === '') return () => undefined;
    const timer = setTimeout(async () => {
      try {
        const { owner } = await import('./owner.svelte');
        await owner.start();
        this.byAccount = owner.isAdmin;
      } catch {
        // Without a connection nobody is led anywhere.
      }
    }, LATER_MS);
    return () => clearTimeout(timer);
  }
}

/** The password is kept on the device or for the tab. */
function held(name: string): boolean {
  try {
    return recall(name, '', isText) !== '' || sessionStorage.getItem(name) !== null;
  } catch {
    return false;
  }
}

export const administrator = new Administrator();
