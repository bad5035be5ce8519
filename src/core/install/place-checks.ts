/** Files, and what other software left on the host. */
import type { Finding, HostFacts, InstallPlan, Remains } from './facts.ts';

const OURS = 'poplin';
/** The agent's files are small; what is full is the matter. */
const LITTLE_BYTES = 64 * 2 ** 20;

export function checkCniConfig({ cniFiles }: HostFacts, { confDir }: InstallPlan): Finding[] {
  const check = 'cni-config';
  const unreadable = (cniFiles ?? []).flatMap(({ name, problem }): Finding[] =>
    problem === undefined
      ? []
      : [
          {
            check,
            level: 'warning',
            found: `${confDir}/${name}: ${problem}`,
            remedy: `poplin cni validate ${confDir}/${name}`,
          },
        ],
  );
  const [first] = cniFiles ?? [];
  if (first === undefined)
    return [
      {
        check,
        level: 'ok',
        found: `${confDir} has no network yet`,
        remedy: 'poplin cni install, once the agent is ready',
      },
    ];
  const others = (cniFiles ?? []).map(({ name }) => name);
  if (first.types.includes(OURS))
    return [{ check, level: 'ok', found: `runtimes take ${first.name}, which is Poplin's` }, ...unreadable];
  const own = (cniFiles ?? []).find(({ types }) => types.includes(OURS));
  const found =
    own === undefined
      ? `runtimes take ${confDir}/${first.name} (${first.types.join(', ') || 'no plugin'}), which is not Poplin's`
      : `runtimes take ${confDir}/${first.name} before ${own.name}: the first of ${others.join(', ')} counts`;
  return [
    {
      check,
      level: own === undefined ? 'warning' : 'problem',
      found,
      remedy:
        own === undefined
          ? 'poplin cni install --replace, when pods are to be attached by Poplin; until then nothing'
          : `mv ${confDir}/${first.name} ${confDir}/${first.name}.off`,
    },
    ...unreadable,
  ];
}

const REMEDIES: Readonly<Record<Remains['of'], string>> = {
  flannel:
    'poplin cleanup --flannel-only, once the agent has taken over what it needs (docs/migrate-from-flannel.md)',
  Calico: 'calicoctl node, or delete its links and chains by hand, or reboot once it is uninstalled',
  Cilium: 'cilium-dbg post-uninstall-cleanup, or reboot once it is uninstalled',
  Weave: 'weave reset, or reboot once it is uninstalled',
  'kube-router': 'kube-router --cleanup-config, or reboot once it is uninstalled',
  Antrea: 'reboot once it is uninstalled',
};

export function checkRemains({ remains }: HostFacts): Finding[] {
  const check = 'remains';
  if (remains.length === 0) return [{ check, level: 'ok', found: 'nothing of another network' }];
  return [...new Set(remains.map((each) => each.of))].map((of) => ({
    check,
    level: 'warning',
    found: `${of} was here: ${remains
      .flatMap((each) => (each.of === of ? [each.what] : []))
      .toSorted()
      .join(', ')}`,
    remedy: REMEDIES[of],
  }));
}

export function checkFlanneld({ flannelProcesses }: HostFacts): Finding[] {
  const check = 'flanneld';
  if (flannelProcesses.length === 0) return [{ check, level: 'ok', found: 'does not run' }];
  return [
    {
      check,
      level: 'problem',
      found: `flanneld runs (pid ${flannelProcesses.join(', ')}): two daemons cannot keep one node`,
      remedy:
        'systemctl disable --now flanneld, or take its DaemonSet off this node (docs/migrate-from-flannel.md)',
    },
  ];
}

export function checkFolders({ folders }: HostFacts): Finding[] {
  const check = 'folders';
  const wrong = folders.flatMap(({ path, error, freeBytes }): Finding[] => {
    if (error !== undefined)
      return [
        {
          check,
          level: 'problem',
          found: `no file can be made in ${path}: ${error}`,
          remedy: `make it writable for root: mount -o remount,rw, or a mount of its own`,
        },
      ];
    if (freeBytes === undefined || freeBytes >= LITTLE_BYTES) return [];
    const megabytes = Math.floor(freeBytes / 2 ** 20);
    return [
      {
        check,
        level: 'warning',
        found: `${path} has ${megabytes} MB left`,
        remedy: `make room: df -h ${path}`,
      },
    ];
  });
  if (wrong.length > 0) return wrong;
  const paths = folders.map(({ path }) => path).join(', ');
  return [{ check, level: 'ok', found: paths === '' ? 'not looked at' : `${paths}: writable` }];
}
