/** Places of the page. They live in the fragment, so that every server finds the page for them. */

export type Route =
  | { view: 'inbox' }
  | { view: 'starred' }
  | { view: 'mail'; id: number }
  | { view: 'sent'; id: number | null }
  | { view: 'drafts' }
  | { view: 'compose'; draft: string }
  | { view: 'connect' }
  | { view: 'settings' }
  | { view: 'about' };

export function readRoute(hash: string): Route {
  const [view, what] = hash.replace(/^#\/?/, '').split('/');
  const id = /^\d{1,15}$/.test(what ?? '') ? Number(what) : null;
  switch (view) {
    case 'mail':
      return id === null ? { view: 'inbox' } : { view: 'mail', id };
    case 'sent':
      return { view: 'sent', id };
    case 'compose':
      return what ? { view: 'compose', draft: what } : { view: 'drafts' };
    case 'starred':
    case 'drafts':
    case 'connect':
    case 'settings':
    case 'about':
      return { view };
    default:
      return { view: 'inbox' };
  }
}

export function hrefOf(route: Route): string {
  switch (route.view) {
    case 'inbox':
      return '#/';
    case 'mail':
      return `#/mail/${route.id}`;
    case 'sent':
      return route.id === null ? '#/sent' : `#/sent/${route.id}`;
    case 'compose':
      return `#/compose/${route.draft}`;
    default:
      return `#/${route.view}`;
  }
}

/** What a link from outside asks for: `?jwt=` opens a mailbox, `?mail_id=` a mail. */
export function readInvitation(query: string): { jwt: string | null; mail: number | null } {
  const params = new URLSearchParams(query);
  const mail = params.get('mail_id');
  return { jwt: params.get('jwt') || null, mail: mail && /^\d{1,15}$/.test(mail) ? Number(mail) : null };
}
