/** The records of a sender domain, as the sending API tells them. */

interface Part {
  fulldomain: string;
}

export interface SenderDomain {
  domain: Part & { dkim_selector: string; dkim_verified: boolean; dkim_status: string; dkim_value: string; dkim_record?: string; rpath_selector: string; rpath_verified: boolean; rpath_status: string; rpath_value: string };
  trackers: readonly (Part & { cname_verified: boolean; cname_status: string; cname_value: string })[];
}

export interface SenderRecord {
  purpose: string;
  name: string;
  value: string;
  right: boolean;
  status: string;
  /** For whoever cannot have a CNAME there. */
  txt?: string | undefined;
}

export function recordsOf({ domain, trackers }: SenderDomain): SenderRecord[] {
  return [
    { purpose: 'DKIM', name: `${domain.dkim_selector}._domainkey.${domain.fulldomain}`, value: domain.dkim_value, right: domain.dkim_verified, status: domain.dkim_status, txt: domain.dkim_record },
    { purpose: 'Return-Path', name: `${domain.rpath_selector}.${domain.fulldomain}`, value: domain.rpath_value, right: domain.rpath_verified, status: domain.rpath_status },
    ...trackers.map((one) => ({ purpose: 'Tracking', name: one.fulldomain, value: one.cname_value, right: one.cname_verified, status: one.cname_status })),
  ];
}
