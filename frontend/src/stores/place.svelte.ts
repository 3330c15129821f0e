/** Where in the page the visitor is. */

import { hrefOf, readRoute, type Route } from '../lib/route';

class Place {
  route = $state.raw<Route>(readRoute(location.hash));

  constructor() {
    addEventListener('hashchange', () => (this.route = readRoute(location.hash)));
  }

  go(route: Route): void {
    location.hash = hrefOf(route);
    this.route = route;
  }

  /** Like `go`, without a step in the history of the browser. */
  replace(route: Route): void {
    history.replaceState(null, '', hrefOf(route));
    this.route = route;
  }
}

export const place = new Place();
