/** iptables, ip6tables and nft, for rules that others made with them: found in fixed folders, run without a shell, for a limited time. */
import { execFile } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { RulePlace, RuleProgram, RuleTool } from '#core/cni/index.ts';
import { chainRequest, tableRequest } from '#core/netlink/nftables/index.ts';
import { type Namespace, openNamespace, runIn } from '#io/namespace/index.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '#io/netlink/index.ts';

const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const TIMEOUT_MS = 15_000;
/** Nodes with thousands of services have long tables. */
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;

const OWN_NAMESPACE = '/proc/thread-self/ns/net';
/** The tables that the older iptables made in the namespace of whoever reads; absent without its kernel module. */
const LEGACY_TABLES: Readonly<Record<string, string>> = { ip: 'ip_tables_names', ip6: 'ip6_tables_names' };

const execute = promisify(execFile);

/** Runs in the caller's namespace, or in that of a file given by `netns`. */
export function createRuleTool(netns?: string): RuleTool {
  return {
    has: (program) => pathOf(program) !== undefined,
    mayHold: (place) => {
      using namespace = openNamespace(netns ?? OWN_NAMESPACE);
      return isInLegacyTable(place, namespace) || isInNfTables(place, namespace);
    },
    run: async (program, args) => {
      const path = pathOf(program);
      if (path === undefined) throw new Error(`${program} is not in ${FOLDERS.join(', ')}`);
      const command = netns === undefined ? [path] : ['nsenter', `--net=${netns}`, '--', path];
      try {
        const [file = path, ...before] = command;
        const { stdout } = await execute(file, [...before, ...args], {
          timeout: TIMEOUT_MS,
          killSignal: 'SIGKILL',
          maxBuffer: MAX_OUTPUT_BYTES,
          env: { PATH: FOLDERS.join(':'), LC_ALL: 'C' },
        });
        return stdout;
      } catch (error) {
        throw new Error(`${program} ${args.join(' ')}: ${reasonOf(error)}`, { cause: error });
      }
    },
  };
}

function pathOf(program: RuleProgram): string | undefined {
  return FOLDERS.map((folder) => `${folder}/${program}`).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function reasonOf(error: unknown): string {
  const { stderr, killed, message } = error as { stderr?: string; killed?: boolean; message: string };
  if (killed === true) return `ended, since it took more than ${TIMEOUT_MS / 1000} s or printed too much`;
  return stderr !== undefined && stderr.trim() !== '' ? stderr.trim() : message;
}

/** Which chains its tables have, only the program can tell. */
function isInLegacyTable({ family, table }: RulePlace, namespace: Namespace): boolean {
  const names = LEGACY_TABLES[family];
  if (names === undefined) return false;
  const path = `/proc/thread-self/net/${names}`;
  try {
    return runIn(namespace, () => readFileSync(path, 'utf8'))
      .split('\n')
      .includes(table);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

function isInNfTables({ family, table, chains }: RulePlace, namespace: Namespace): boolean {
  using socket = NetlinkSocket.open({ protocol: NETLINK_NETFILTER, namespace, isBrief: true });
  const requests = chains?.map((chain) => chainRequest(family, table, chain)) ?? [
    tableRequest(family, table),
  ];
  return requests.some((request) => {
    try {
      return socket.findSync(request, `nf_tables ${family} ${table}`) !== undefined;
    } catch {
      return true;
    }
  });
}
