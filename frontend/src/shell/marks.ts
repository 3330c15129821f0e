/** Signs by which frames are filled in: where they are drawn and where they are shown. */

/** In the place of the two halves of an address. */
export const ADDRESS_LOCAL = '[local]';
export const ADDRESS_DOMAIN = '[domain]';

export type FrameName = 'first' | 'inbox' | 'mail' | 'account' | 'admin';
