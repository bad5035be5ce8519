/** The speakers that are measured, each as its users run it, with the same configuration: feeders are told nothing, takers all. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROUTERS = ['poplin', 'gobgp', 'bird'] as const;
export type Router = (typeof ROUTERS)[number];

export interface Peer {
  readonly asn: number;
  readonly address: string;
}

export interface Setup {
  readonly folder: string;
  readonly address: string;
  readonly asn: number;
  readonly feeders: readonly Peer[];
  readonly takers: readonly Peer[];
  /** The released program. */
  readonly program: string;
}

/** What starts the router in the foreground. */
export function commandOf(router: Router, setup: Setup): readonly string[] {
  mkdirSync(setup.folder, { recursive: true });
  const file = (name: string, text: string): string => {
    const path = join(setup.folder, name);
    writeFileSync(path, text);
    return path;
  };
  switch (router) {
    case 'poplin': {
      const yaml = file('speaker.yaml', poplinText(setup));
      const socket = join(setup.folder, 'bgp.sock');
      return [
        process.execPath,
        setup.program,
        'bgp',
        'run',
        '-f',
        yaml,
        '--socket',
        socket,
        '--log-level',
        'warn',
      ];
    }
    case 'gobgp':
      return [
        'gobgpd',
        '-f',
        file('gobgpd.toml', gobgpText(setup)),
        '--api-hosts',
        '127.0.0.1:50051',
        '--pprof-disable',
        '-l',
        'error',
      ];
    case 'bird':
      return ['bird', '-f', '-c', file('bird.conf', birdText(setup)), '-s', join(setup.folder, 'bird.ctl')];
  }
}

/** JSON is YAML. */
function poplinText({ asn, address, feeders, takers }: Setup): string {
  const neighbor = (kind: string) => (peer: Peer, index: number) => ({
    name: `${kind}-${index}`,
    address: peer.address,
    asn: peer.asn,
    passive: true,
    families: [4],
    holdTimeSec: 240,
    ...(kind === 'feeder' && { export: 'nothing' }),
  });
  return JSON.stringify({
    asn,
    routerId: address,
    listen: { addresses: [address] },
    filters: { nothing: { rules: [], otherwise: 'reject' } },
    neighbors: [...feeders.map(neighbor('feeder')), ...takers.map(neighbor('taker'))],
  });
}

function gobgpText({ asn, address, feeders, takers }: Setup): string {
  const neighbors = [...feeders, ...takers].map(
    (peer) => `[[neighbors]]
  [neighbors.config]
    neighbor-address = "${peer.address}"
    peer-as = ${peer.asn}
  [neighbors.timers.config]
    hold-time = 240
  [neighbors.transport.config]
    passive-mode = true
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv4-unicast"
`,
  );
  return `[global.config]
  as = ${asn}
  router-id = "${address}"
  local-address-list = ["${address}"]
[global.apply-policy.config]
  default-import-policy = "accept-route"
  default-export-policy = "accept-route"
  export-policy-list = ["feeders"]
[[defined-sets.neighbor-sets]]
  neighbor-set-name = "feeders"
  neighbor-info-list = [${feeders.map(({ address: each }) => `"${each}"`).join(', ')}]
[[policy-definitions]]
  name = "feeders"
  [[policy-definitions.statements]]
    name = "nothing"
    [policy-definitions.statements.conditions.match-neighbor-set]
      neighbor-set = "feeders"
      match-set-options = "any"
    [policy-definitions.statements.actions]
      route-disposition = "reject-route"
${neighbors.join('')}`;
}

function birdText({ asn, address, feeders, takers }: Setup): string {
  const protocol = (kind: string, exported: string) => (peer: Peer, index: number) =>
    `protocol bgp ${kind}${index} { local ${address} as ${asn}; neighbor ${peer.address} as ${peer.asn}; hold time 240; passive on; ipv4 { import all; export ${exported}; }; }\n`;
  return `log stderr { warning, error, fatal };
router id ${address};
protocol device {}
${feeders.map(protocol('feeder', 'none')).join('')}${takers.map(protocol('taker', 'all')).join('')}`;
}
