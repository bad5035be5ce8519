/** A graph with a compiler behind it and what it wants of the kernel, and some that are whole: their tables lie in golden/. */
import { DesiredState, type KernelObject, keyOf } from '#core/kernel/index.ts';
import { type NftObject, printRuleset } from '#core/nft/index.ts';
import { PolicyGraph } from '../engine/index.ts';
import { networkPolicy, pod, policy, rule, select, TIERS } from '../engine/scene.fixture.ts';
import type { Member, Policy } from '../model.ts';
import { POLICY_PART, PolicyCompiler, type PolicyCompilerOptions } from './index.ts';

export class Scene {
  readonly graph = new PolicyGraph();
  readonly compiler: PolicyCompiler;
  readonly desired = new DesiredState();

  constructor(options: Partial<PolicyCompilerOptions> = {}) {
    this.compiler = new PolicyCompiler({ bridge: 'none', flows: false, ...options });
    for (const tier of TIERS) this.graph.upsertTier(tier);
    this.flush();
    this.desired.settle();
  }

  attach(
    path: string,
    number: number,
    more: { bridge?: string; state?: 'closed' | 'open'; linkNumber?: number } = {},
  ): void {
    const { bridge, state = 'closed', linkNumber } = more;
    this.compiler.setEndpoint(
      {
        key: `pod ${path}`,
        addresses: [`10.0.0.${number}`, `fd00::${number.toString(16)}`],
        link: `veth${number}`,
        ...(linkNumber !== undefined && { linkNumber }),
        ...(bridge !== undefined && { bridge, mac: '02:00:00:00:00:07' }),
      },
      state,
    );
    this.graph.setLocal(`pod ${path}`);
  }

  /** Keys of what changed, sorted. */
  flush(): string[] {
    this.compiler.apply(this.graph.takeDelta());
    this.desired.amend(POLICY_PART, this.compiler.takeAmendment());
    return [...this.desired.takeDirty()].toSorted();
  }

  get objects(): KernelObject[] {
    return [...this.desired.state.values()];
  }

  /** In the order of the names. */
  get tables(): NftObject[] {
    const nft = this.objects.filter((each): each is NftObject => each.kind.startsWith('nft-'));
    return nft.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }

  /** As nft lists it. */
  print(): string {
    return printRuleset(this.tables);
  }
}

const tcp = { protocol: 6 } as const;

export const GOLDENS: Readonly<Record<string, () => Scene>> = {
  'nothing-attached': () => new Scene(),
  'network-policies': () => {
    const scene = new Scene({ flows: true });
    const { graph } = scene;
    graph.upsertMember(
      pod('shop/web-1', 1, { app: 'web' }, { ports: [{ name: 'http', protocol: 6, port: 8080 }] }),
    );
    graph.upsertMember(pod('shop/front-1', 2, { app: 'front' }));
    graph.upsertPolicy(
      networkPolicy('shop/web', ['app=web'], {
        ingress: [
          rule({ selector: select('app=front') }, { ports: [{ name: 'http' }, { from: 443, to: 443 }] }, tcp),
          rule({
            nets: ['10.0.0.0/8', '10.1.0.0/16', 'fd00::/8', '172.16.0.0/12'],
            notNets: ['10.2.0.0/16'],
          }),
        ],
        egress: [],
      }),
    );
    scene.attach('shop/web-1', 1);
    scene.attach('shop/new', 7);
    scene.attach('shop/free', 8, { state: 'open' });
    scene.flush();
    return scene;
  },
  tiers: () => {
    const scene = new Scene();
    const { graph } = scene;
    graph.upsertMember(pod('shop/web-1', 1, { app: 'web' }));
    graph.upsertPolicy(
      policy({ kind: 'GlobalNetworkPolicy', name: 'passes' }, select('app=web'), {
        tier: 'admin',
        ingress: [
          rule({ nets: ['192.0.2.0/24', '2001:db8::/32'] }, {}, { action: 'pass' }),
          rule({}, {}, { action: 'log', protocol: 132 }),
          rule({}, { notPorts: [{ from: 53, to: 53 }] }, { action: 'deny', protocol: 17 }),
        ],
      }),
    );
    graph.upsertPolicy(
      policy({ kind: 'GlobalNetworkPolicy', name: 'shared' }, select('app'), {
        tier: 'admin',
        order: 900,
        ingress: [rule({}, {}, { ...tcp, action: 'deny' })],
      }),
    );
    graph.upsertPolicy(networkPolicy('shop/web', ['app=web'], { ingress: [rule({})] }));
    scene.attach('shop/web-1', 1);
    scene.flush();
    return scene;
  },
  names: () => {
    const scene = new Scene({
      nameServers: ['10.96.0.10/32', '10.96.0.0/24', '169.254.20.10/32', 'fd96::a/128'],
    });
    const { graph } = scene;
    graph.upsertMember(pod('shop/web-1', 1, { app: 'web' }));
    graph.upsertPolicy(
      networkPolicy('shop/web', ['app=web'], {
        egress: [
          rule({}, { domains: ['*.example.com', 'db.example.net'], ports: [{ from: 443, to: 443 }] }, tcp),
        ],
      }),
    );
    graph.upsertDomain('a.b.example.com', ['192.0.2.1', '2001:db8::1']);
    scene.attach('shop/web-1', 1);
    scene.flush();
    return scene;
  },
  'guarded-bridge': () => {
    const scene = new Scene({ bridge: 'netfilter' });
    scene.attach('shop/web-1', 1, { bridge: 'cni0' });
    scene.flush();
    return scene;
  },
  'host-endpoints': () => {
    const scene = new Scene();
    const { graph } = scene;
    const eth0: Member = {
      key: 'host node-a/eth0',
      kind: 'host-endpoint',
      name: 'eth0',
      labels: {},
      node: 'node-a',
      link: 'eth0',
      nets: ['172.16.0.1/32', 'fd16::1/128'],
      ports: [],
    };
    for (const member of [eth0, { ...eth0, key: 'host node-a/all', name: 'all', link: '*', nets: [] }]) {
      graph.upsertMember(member);
      graph.setLocal(member.key);
    }
    const host = (name: string, more: Partial<Policy>): Policy =>
      policy({ kind: 'GlobalNetworkPolicy', name }, select('self:kind=host-endpoint'), more);
    const plain = { doNotTrack: false, preDnat: false, applyOnForward: false };
    graph.upsertPolicy(
      host('web', { host: plain, ingress: [rule({}, { ports: [{ from: 80, to: 80 }] }, tcp)] }),
    );
    graph.upsertPolicy(
      host('blocked', {
        host: { ...plain, preDnat: true, applyOnForward: true },
        ingress: [rule({ nets: ['192.0.2.0/24'] }, {}, { action: 'deny' })],
      }),
    );
    graph.upsertPolicy(
      host('dns', {
        host: { ...plain, doNotTrack: true, applyOnForward: true },
        ingress: [rule({}, { ports: [{ from: 53, to: 53 }] }, { protocol: 17 })],
        egress: [rule({ ports: [{ from: 53, to: 53 }] }, {}, { protocol: 17 })],
      }),
    );
    graph.upsertPolicy(
      host('through', {
        host: { ...plain, applyOnForward: true },
        ingress: [rule({ nets: ['10.0.0.0/8', 'fd00::/8'] })],
      }),
    );
    scene.flush();
    return scene;
  },
  bridged: () => {
    const scene = new Scene({ bridge: 'conntrack' });
    scene.graph.upsertMember(pod('shop/web-1', 1, { app: 'web' }));
    scene.graph.upsertPolicy(
      networkPolicy('shop/web', ['app=web'], { ingress: [rule({ selector: select('app=front') })] }),
    );
    scene.attach('shop/web-1', 1, { bridge: 'cni0' });
    scene.flush();
    return scene;
  },
};
