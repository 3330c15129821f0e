/** Providers that people may sign in at: their settings, and what is known of the well-known ones. */

import type { TextKey } from '../texts';
import { domainsFault, patternFault, urlFault } from './fields';

export interface Provider {
  name: string;
  icon: string;
  clientID: string;
  clientSecret: string;
  authorizationURL: string;
  accessTokenURL: string;
  accessTokenFormat: 'json' | 'urlencoded';
  userInfoURL: string;
  redirectURL: string;
  logoutURL: string;
  userEmailKey: string;
  enableEmailFormat: boolean;
  userEmailFormat: string;
  userEmailReplace: string;
  scope: string;
  enableMailAllowList: boolean;
  mailAllowList: string[];
}

const NOTHING: Provider = {
  name: '',
  icon: '',
  clientID: '',
  clientSecret: '',
  authorizationURL: '',
  accessTokenURL: '',
  accessTokenFormat: 'json',
  userInfoURL: '',
  redirectURL: '',
  logoutURL: '',
  userEmailKey: '',
  enableEmailFormat: false,
  userEmailFormat: '',
  userEmailReplace: '',
  scope: '',
  enableMailAllowList: false,
  mailAllowList: [],
};

/** What stays to be filled in is the id and the secret; HOST stands for a server of one's own. */
export const KNOWN: Readonly<Record<string, Partial<Provider>>> = {
  GitHub: {
    authorizationURL: 'https://github.com/login/oauth/authorize',
    accessTokenURL: 'https://github.com/login/oauth/access_token',
    userInfoURL: 'https://api.github.com/user/emails',
    userEmailKey: '$[?(@.primary==true)].email',
    scope: 'user:email',
  },
  Google: {
    authorizationURL: 'https://accounts.google.com/o/oauth2/v2/auth',
    accessTokenURL: 'https://oauth2.googleapis.com/token',
    accessTokenFormat: 'urlencoded',
    userInfoURL: 'https://openidconnect.googleapis.com/v1/userinfo',
    userEmailKey: 'email',
    scope: 'openid email',
  },
  'Linux Do': {
    authorizationURL: 'https://connect.linux.do/oauth2/authorize',
    accessTokenURL: 'https://connect.linux.do/oauth2/token',
    accessTokenFormat: 'urlencoded',
    userInfoURL: 'https://connect.linux.do/api/user',
    userEmailKey: 'username',
    enableEmailFormat: true,
    userEmailFormat: '^(.+)$',
    userEmailReplace: 'linux_do_$1@oauth.linux.do',
    scope: 'user',
  },
  Authentik: {
    authorizationURL: 'https://HOST/application/o/authorize/',
    accessTokenURL: 'https://HOST/application/o/token/',
    accessTokenFormat: 'urlencoded',
    userInfoURL: 'https://HOST/application/o/userinfo/',
    logoutURL: 'https://HOST/application/o/APPLICATION/end-session/',
    userEmailKey: 'email',
    scope: 'openid email profile',
  },
};

/** A new entry, after a known provider where there is one of that name. */
export function newProvider(name: string, origin: string): Provider {
  return { ...NOTHING, ...KNOWN[name], name: name in KNOWN ? name : '', redirectURL: `${origin}/user/oauth2/callback` };
}

/** What was stored, complete. */
export function readProviders(stored: unknown): Provider[] {
  if (!Array.isArray(stored)) return [];
  return stored.filter((one): one is Partial<Provider> => typeof one === 'object' && one !== null).map((one) => ({ ...NOTHING, ...one }));
}

const NEEDED = ['name', 'clientID', 'clientSecret', 'authorizationURL', 'accessTokenURL', 'userInfoURL', 'redirectURL', 'userEmailKey', 'scope'] as const;
const URLS = ['authorizationURL', 'accessTokenURL', 'userInfoURL', 'redirectURL', 'logoutURL'] as const;

export type ProviderFaults = Partial<Record<keyof Provider, TextKey>>;

export function faultsOf(provider: Provider): ProviderFaults {
  const faults: ProviderFaults = {};
  for (const key of URLS) {
    const fault = urlFault(provider[key]);
    if (fault) faults[key] = fault;
    else if (/\/\/HOST\/|APPLICATION/.test(provider[key])) faults[key] = 'oa.fault.capitals';
  }
  for (const key of NEEDED) if (provider[key].trim() === '') faults[key] = 'fault.empty';
  if (provider.enableEmailFormat) {
    const fault = patternFault(provider.userEmailFormat);
    if (fault) faults.userEmailFormat = fault;
  }
  if (provider.enableMailAllowList) {
    if (provider.mailAllowList.length === 0) faults.mailAllowList = 'fault.empty';
    else {
      const fault = domainsFault(provider.mailAllowList);
      if (fault) faults.mailAllowList = fault;
    }
  }
  return faults;
}
