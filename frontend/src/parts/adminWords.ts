/** Words with markup that whoever runs the service has set. Cleaned all the same: nothing that would be fetched or run comes through. */

import DOMPurify from 'dompurify';

const TAGS = ['a', 'b', 'blockquote', 'br', 'code', 'div', 'em', 'h2', 'h3', 'hr', 'i', 'li', 'ol', 'p', 'pre', 'small', 'span', 'strong', 'u', 'ul'];

/** Puts the cleaned words into their place. */
export function say(text: string): (place: HTMLElement) => void {
  return (place) => {
    place.replaceChildren(DOMPurify.sanitize(text, { ALLOWED_TAGS: TAGS, ALLOWED_ATTR: ['href'], ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i, RETURN_DOM_FRAGMENT: true }));
    for (const link of place.querySelectorAll('a')) {
      link.target = '_blank';
      link.rel = 'noopener noreferrer';
    }
  };
}
