/** The open line of the current address, and who hears what comes over it. */

import { SharedLine } from '../lib/shared';
import type { LineState } from '../lib/stream';
import type { ServerEvent } from '../lib/sse';
import type { DeletedEvent, FlagsEvent, MailRow, SentEvent } from '../lib/wire';
import { inbox } from './inbox.svelte';
import { sent } from './sent.svelte';
import { session } from './session.svelte';

class Line {
  state = $state.raw<LineState>({ is: 'closed' });
  private line: SharedLine | null = null;

  open(address: string): void {
    this.close();
    this.line = new SharedLine(address, session.api, {
      state: (state) => (this.state = state),
      event: (event) => this.hear(event),
      opened: (again) => {
        void inbox.refresh();
        if (again && sent.loaded) void sent.load();
      },
      gone: () => session.markRefused(address),
    });
    this.line.open();
  }

  close(): void {
    this.line?.close();
    this.line = null;
  }

  tryNow(): void {
    this.line?.tryNow();
  }

  private hear(event: ServerEvent): void {
    let data: unknown;
    try {
      data = JSON.parse(event.data);
    } catch {
      return;
    }
    switch (event.type) {
      case 'mail':
        inbox.arrived(data as MailRow);
        break;
      case 'flags': {
        const { ids, ...flags } = data as FlagsEvent;
        inbox.flagsChanged({ ids, ...flags });
        break;
      }
      case 'deleted':
        inbox.gone((data as DeletedEvent).ids);
        break;
      default:
        // What became of sent mail comes as `sent`, or under the name of what happened.
        if (typeof (data as SentEvent).queue_id === 'string') sent.moved(data as SentEvent);
    }
  }
}

export const line = new Line();
