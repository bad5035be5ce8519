/**
 * The tuning plugin (chained): sysctls of the container's namespace and settings of its interface. What a setting was before is kept in
 * a file of the reference plugin's form, and brought back by DEL.
 */
import { type Link, linkIn } from '#core/kernel/index.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import { folderProblem } from '../../spec/fields.ts';
import { type CniResult, EMPTY_RESULT } from '../../spec/result.ts';
import { requirePrevResult } from '../check.ts';
import type { AddPlan, DelPlan, FactsWanted, InterfacePlugin, PluginCall } from '../definition.ts';
import { type Backup, backupOf, backupPath, parseBackup } from './backup.ts';
import { ALLOWLIST, DATA_DIR, parseTuningConfig, requireAllowed, type TuningConfig } from './config.ts';
import { gatewayNeighbours, neighboursOf } from './neighbours.ts';

export const tuningPlugin: InterfacePlugin = {
  type: 'tuning',
  chained: true,
  wants,
  prepareAdd: (call) => {
    const config = parseTuningConfig(call);
    requireAllowed(config, call.facts.files.get(ALLOWLIST));
    return { ipam: { kind: 'none' }, plan: () => planAdd(call, config) };
  },
  planDel,
  check,
};

function wants(call: Omit<PluginCall, 'facts'>): FactsWanted {
  const { environment } = call;
  try {
    const config = parseTuningConfig(call);
    const files = [ALLOWLIST, backupPath(config.dataDir, environment)];
    return { files, podSysctls: environment.command === 'CHECK' ? [...config.sysctls.keys()] : [] };
  } catch {
    return {}; // prepareAdd says what is wrong
  }
}

function planAdd(call: PluginCall, config: TuningConfig): AddPlan {
  const { network, environment, facts } = call;
  const prev = requirePrevResult(network);
  const link = linkIn(facts.pod, environment.ifName);
  if (link === undefined) {
    throw new CniError(
      CNI_ERROR.internal,
      `no interface ${environment.ifName} in ${environment.netns}`,
      'tuning comes behind the plugin that makes it',
    );
  }
  const { sysctls, sysctlKeys: _keys, dataDir, ...settings } = config;
  const isChanged = Object.keys(settings).length > 0;
  const path = backupPath(dataDir, environment);
  const neighbours = neighboursOf(prev, facts.host, config.mac);
  const gateways = config.mac === undefined ? [] : gatewayNeighbours(prev, link.name, neighbours);
  return {
    result: withMac(prev, environment.ifName, config.mac),
    hostRemovals: neighbours.stale,
    sharedObjects: [],
    hostObjects: neighbours.moved,
    podObjects: [
      ...Array.from(sysctls, ([key, value]) => ({ kind: 'sysctl', path: key, value }) as const),
      ...(isChanged ? [{ kind: 'link', name: link.name, detail: link.detail, ...settings } as const] : []),
      ...gateways,
    ],
    // The first ADD knows what was there; one that is repeated does not.
    files: isChanged && !facts.files.has(path) ? [{ path, text: backupOf(link, config) }] : [],
    warnings: [],
  };
}

function planDel({ network, environment, facts }: PluginCall): DelPlan {
  const dataDir = readableDataDir({ network, environment });
  const path = backupPath(dataDir, environment);
  const text = facts.files.get(path);
  const link = linkIn(facts.pod, environment.ifName);
  const backup = text === undefined ? undefined : parseBackup(text);
  const prev = network.prevResult ?? EMPTY_RESULT;
  const neighbours = neighboursOf(prev, facts.host, undefined);
  const isRestored = link !== undefined && backup !== undefined;
  const isMoved = isRestored && backup.mac !== undefined;
  return {
    // The MAC address the interface is about to lose; the host asks for the other one.
    hostRemovals: isMoved ? neighbours.all.filter(({ mac }) => mac === link.mac) : [],
    podRemovals: [],
    podObjects: isRestored
      ? [restored(link, backup), ...(isMoved ? gatewayNeighbours(prev, link.name, neighbours) : [])]
      : [],
    files: text === undefined ? [] : [{ path, text: undefined }],
  };
}

function readableDataDir(call: Omit<PluginCall, 'facts'>): string {
  try {
    return parseTuningConfig(call).dataDir;
  } catch {
    const dataDir = call.network.json['dataDir'];
    const isUsable = typeof dataDir === 'string' && dataDir !== '' && folderProblem(dataDir) === undefined;
    return isUsable ? dataDir : DATA_DIR;
  }
}

function restored(link: Link, backup: Backup): Link {
  return { kind: 'link', name: link.name, detail: link.detail, ...backup };
}

function withMac(prev: CniResult, ifName: string, mac: string | undefined): CniResult {
  if (mac === undefined) return prev;
  const interfaces = prev.interfaces.map((each) =>
    each.name === ifName && each.sandbox !== undefined ? { ...each, mac } : each,
  );
  return { ...prev, interfaces };
}

function check(call: PluginCall): void {
  const config = parseTuningConfig(call);
  const { facts, environment } = call;
  const problems: string[] = [];
  for (const [path, value] of config.sysctls) {
    const found = facts.pod.get(`sysctl ${path}`);
    const have = found?.kind === 'sysctl' ? found.value : undefined;
    if (have !== value) problems.push(`sysctl ${path} is ${have ?? 'absent'}, not ${value}`);
  }
  const { sysctls: _sysctls, sysctlKeys: _keys, dataDir: _dataDir, ...settings } = config;
  const link = linkIn(facts.pod, environment.ifName);
  for (const [field, value] of Object.entries(settings) as [keyof Link, unknown][]) {
    if (link?.[field] !== value)
      problems.push(`${field} of ${environment.ifName} is ${String(link?.[field])}, not ${String(value)}`);
  }
  if (problems.length === 0) return;
  throw new CniError(
    CNI_ERROR.checkFailed,
    `container ${environment.containerId} is not tuned as configured`,
    problems.join('; '),
  );
}
