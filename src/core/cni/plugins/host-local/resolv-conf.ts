/** The DNS settings in a resolv.conf file, resolv.conf(5). Keywords we do not know are passed over. */
import { type CniDns, nonEmptyDns } from '../../spec/result.ts';

/** Undefined if the text sets nothing. */
export function parseResolvConf(text: string): CniDns | undefined {
  const nameservers: string[] = [];
  const search: string[] = [];
  const options: string[] = [];
  let domain = '';
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    const first = values[0];
    if (first === undefined) continue;
    if (keyword === 'nameserver') nameservers.push(first);
    else if (keyword === 'domain') domain = first;
    else if (keyword === 'search') search.push(...values);
    else if (keyword === 'options') options.push(...values);
  }
  return nonEmptyDns({ nameservers, domain, search, options });
}
