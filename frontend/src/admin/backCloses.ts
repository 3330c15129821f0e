/** The browser's way back closes a dialog first, as people expect it of what covers the page. */

/** Those that are open, the last on top. */
const open: (() => void)[] = [];
/** An entry of the history is ours: the way back ends on the page below. */
let entry = false;

interface Ours {
  over?: boolean;
}

const onTop = () => Boolean((history.state as Ours | null)?.over);

/** A dialog that makes way for another needs no new entry, so it is looked at when both have had their turn. */
function settle(): void {
  setTimeout(() => {
    if (open.length > 0 && !entry) {
      entry = true;
      history.pushState({ ...(history.state as object | null), over: true }, '');
    } else if (open.length === 0 && entry) {
      entry = false;
      // Whoever went elsewhere meanwhile is not fetched back.
      if (onTop()) history.back();
    }
  });
}

function went(): void {
  if (!entry || onTop()) return;
  entry = false;
  open.at(-1)?.();
  settle();
}

/** For as long as something is open; what is returned ends it. */
export function backCloses(close: () => void): () => void {
  if (open.length === 0) addEventListener('popstate', went);
  open.push(close);
  settle();
  return () => {
    open.splice(open.lastIndexOf(close), 1);
    if (open.length === 0) removeEventListener('popstate', went);
    settle();
  };
}
