/** The `format` words of schemas that restrict text. Unknown formats restrict nothing, as in Kubernetes. */
import { familyOf, parseIp, parsePrefix } from '#base/ip/index.ts';
import { parseTimeMs } from '#base/rfc3339.ts';

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const QUANTITY = /^[+-]?(\d+(\.\d*)?|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$/;
const BASE64 = /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;

const isFamily = (text: string, family: 4 | 6): boolean =>
  parseIp(text) !== undefined && familyOf(text) === family;

const TIME = 'must be of type date-time (RFC 3339): "2026-01-02T03:04:05Z"';

const FORMATS: Readonly<Record<string, readonly [holds: (text: string) => boolean, what: string]>> = {
  'date-time': [(text) => parseTimeMs(text) !== undefined, TIME],
  'micro-time': [(text) => parseTimeMs(text) !== undefined, TIME],
  date: [(text) => DATE.test(text), 'must be of type date: "2026-01-02"'],
  byte: [(text) => BASE64.test(text.replace(/[\r\n]/g, '')), 'must be base64'],
  quantity: [
    (text) => QUANTITY.test(text),
    "must be a quantity such as 500m, 1.5 or 128Mi: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
  ],
  uuid: [(text) => UUID.test(text), 'must be a UUID'],
  ipv4: [(text) => isFamily(text, 4), 'must be an IPv4 address'],
  ipv6: [(text) => isFamily(text, 6), 'must be an IPv6 address'],
  cidr: [(text) => parsePrefix(text) !== undefined, 'must be a prefix such as 10.0.0.0/8 or fd00::/64'],
};

/** What is wrong with the text under this format, or undefined. */
export function formatProblem(format: string, text: string): string | undefined {
  const rule = Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined;
  return rule === undefined || rule[0](text) ? undefined : rule[1];
}
