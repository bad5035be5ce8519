/** BMP stations that an annotation of the BGPConfiguration `default` names: who is told of this node's sessions. */
import type { StationConfig } from '#app/bgp/service/index.ts';
import { canonicalIp } from '#base/ip/index.ts';
import type { KnownObjects } from './known-objects.ts';

const KEY = 'poplin.dev/bmp';
const STATION_PORT = 11_019;
const STATISTICS_SEC = 60;

/** What is none of them is a problem. */
export function stationsOf(known: KnownObjects, problems: string[]): readonly StationConfig[] {
  const configuration = known.of('BGPConfiguration').find(({ metadata }) => metadata.name === 'default');
  const text = configuration?.metadata.annotations?.[KEY];
  if (text === undefined) return [];
  return text.split(',').flatMap((each) => {
    const station = parseStation(each.trim());
    if (station !== undefined) return [station];
    problems.push(
      `BGPConfiguration default metadata.annotations["${KEY}"]: "${each.trim()}" is not such as 10.0.0.9, 10.0.0.9:11019 or [fd00::9]:11019`,
    );
    return [];
  });
}

function parseStation(text: string): StationConfig | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const address = canonicalIp(bracketed ?? plain ?? text);
  const port = digits === undefined ? STATION_PORT : Number(digits);
  if (address === undefined || port < 1 || port > 65_535) return undefined;
  return { address, port, side: 'pre-policy', statisticsSec: STATISTICS_SEC };
}
