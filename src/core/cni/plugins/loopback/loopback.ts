/** The loopback plugin: sets `lo` up; the kernel then gives it 127.0.0.1 and ::1. A previous result is passed through. */
import { type Link, linkIn } from '#core/kernel/index.ts';
import type { CniResult } from '../../spec/result.ts';
import { type AddPlan, type InterfacePlugin, NOTHING_TO_REMOVE, type PluginCall } from '../definition.ts';

const LOOPBACK = 'lo';

export const loopbackPlugin: InterfacePlugin = {
  type: 'loopback',
  wants: () => ({ podLinks: [LOOPBACK] }),
  prepareAdd: (call) => ({ ipam: { kind: 'none' }, plan: () => planAdd(call) }),
  planDel: ({ facts }) =>
    linkIn(facts.pod, LOOPBACK)
      ? { ...NOTHING_TO_REMOVE, podObjects: [loopbackLink(facts.pod, false)] }
      : NOTHING_TO_REMOVE,
};

function planAdd({ network, environment, facts }: PluginCall): AddPlan {
  const own: CniResult = {
    interfaces: [{ name: LOOPBACK, mac: '00:00:00:00:00:00', sandbox: environment.netns }],
    ips: [
      { interface: 0, address: '127.0.0.1/8' },
      ...(facts.ipv6 ? [{ interface: 0, address: '::1/128' }] : []),
    ],
    routes: [],
  };
  return {
    result: network.prevResult ?? own,
    hostRemovals: [],
    sharedObjects: [],
    hostObjects: [],
    podObjects: [loopbackLink(facts.pod, true)],
    warnings: [],
  };
}

function loopbackLink(pod: PluginCall['facts']['pod'], up: boolean): Link {
  const detail = linkIn(pod, LOOPBACK)?.detail ?? { type: 'other', linkKind: 'physical' };
  return { kind: 'link', name: LOOPBACK, detail, up };
}
