/** `poplin cni add|check|del|gc|status|version`: what a container runtime does with a network, by hand. */
import { Command } from 'commander';
import {
  type AttachmentId,
  type AttachmentWish,
  CNI_VERSIONS,
  CniError,
  loadNetwork,
  type NetworkList,
  type NetworkRuntime,
  PLUGIN_TYPES,
  parseNetworkList,
} from '#core/cni/index.ts';
import { configFiles } from '#io/cni/runtime-files/index.ts';
import { PodKernel } from '#io/kernel/index.ts';
import { recordedByAgent } from './list.ts';
import { isNamespace } from './namespace-file.ts';
import {
  type AttachmentFlags,
  attachmentOf,
  type RuntimeFlags,
  runtimeOf,
  withAttachmentOptions,
  withRuntimeOptions,
} from './options.ts';
import { messageOf, note, print, reported, UsageError } from './output.ts';

const EXIT_TEXT = '\nExit status: 0 done, 1 a plugin or the configuration failed, 2 wrong use.';
const VARIABLES =
  "\ncnitool's variables stand in for options: NETCONFPATH, CNI_PATH, CNI_IFNAME, CNI_ARGS, CAP_ARGS.";

export function addCommand(): Command {
  return withAttachmentOptions(new Command('add'))
    .description('Attach a network namespace to a network, and print the result.')
    .argument('<network>', 'its name in the configuration')
    .argument('<netns>', "path of the namespace's file")
    .addHelpText(
      'after',
      `
Examples:
  ip netns add blue && poplin cni add pods /run/netns/blue
  poplin cni add pods /run/netns/blue --ifname net1 --args 'IgnoreUnknown=1;IP=10.1.0.9'
  poplin cni add web /run/netns/blue --cap-args '{"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]}'

An ADD that fails is cleaned up with DEL, unless the interface was there before it.${VARIABLES}${EXIT_TEXT}`,
    )
    .action((network: string, netns: string, flags: AttachmentFlags) =>
      reported('add', flags.json, () => add(network, netns, flags)),
    );
}

async function add(network: string, netns: string, flags: AttachmentFlags): Promise<void> {
  const runtime = runtimeOf(flags);
  const { list } = await load(flags, network);
  const wish = attachmentOf(flags, netns);
  const again = `poplin cni del ${network} ${wish.netns} --ifname ${wish.ifName} --container-id ${wish.containerId}`;
  if ((await runtime.record(network, wish)) !== undefined)
    throw new UsageError(
      `container ${wish.containerId} is attached to ${network} as ${wish.ifName} already: give another --ifname, or first run "${again}"`,
    );
  const isOurs = !hasInterface(wish);
  using stop = interruption();
  try {
    process.stdout.write(`${JSON.stringify(await runtime.add(list, wish, stop.signal), null, 2)}\n`);
  } catch (error) {
    if (isOurs) await cleanUp(runtime, list, wish, again);
    else note(`poplin cni add: ${wish.ifName} was there before: nothing was taken away`);
    throw error;
  }
}

async function cleanUp(
  runtime: NetworkRuntime,
  list: NetworkList,
  wish: AttachmentWish,
  again: string,
): Promise<void> {
  try {
    await runtime.del(list, wish);
    note('poplin cni add: failed; DEL has taken away what was made');
  } catch (error) {
    note(`poplin cni add: failed, and so did DEL: ${messageOf(error)}; repeat it with "${again}"`);
  }
}

/** True if the namespace has the interface; throws UsageError if there is no such namespace. */
function hasInterface({ netns, ifName }: AttachmentWish): boolean {
  try {
    using pod = PodKernel.open(netns);
    return pod.link(ifName) !== undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EINVAL')
      throw new UsageError(
        `no network namespace at ${netns}: make one with "ip netns add NAME" (/run/netns/NAME)`,
      );
    if (code === 'EPERM' || code === 'EACCES')
      throw new UsageError(`${netns}: only root may enter a network namespace`);
    throw error;
  }
}

export function delCommand(): Command {
  return withAttachmentOptions(new Command('del'))
    .description('Take a network namespace off a network. Repeating it does no harm.')
    .argument('<network>', 'its name in the configuration')
    .argument('<netns>', "path of the namespace's file, which may be gone")
    .addHelpText(
      'after',
      `
Examples:
  poplin cni del pods /run/netns/blue
  poplin cni del pods /run/netns/gone --container-id 4f2a

Arguments that are not given are taken from the record that ADD left, and so is the configuration if it is gone.${VARIABLES}${EXIT_TEXT}`,
    )
    .action((network: string, netns: string, flags: AttachmentFlags) =>
      reported('del', flags.json, async () => {
        const runtime = runtimeOf(flags);
        const wish = attachmentOf(flags, netns);
        using stop = interruption();
        await runtime.del(await loadOrRecorded(runtime, flags, network, wish), wish, stop.signal);
        const { containerId, ifName } = wish;
        print(
          flags.json,
          { command: 'del', network, containerId, ifName, ok: true },
          `${containerId} ${ifName}: off ${network}\n`,
        );
      }),
    );
}

/** The network's configuration, or if that is gone the one that ADD recorded. */
async function loadOrRecorded(
  runtime: NetworkRuntime,
  flags: RuntimeFlags,
  network: string,
  id: AttachmentId,
): Promise<NetworkList> {
  try {
    return (await load(flags, network)).list;
  } catch (error) {
    const record = await runtime.record(network, id);
    if (!(error instanceof CniError) || record === undefined || record.config === '') throw error;
    note(`poplin cni: ${error.message}; the configuration recorded by ADD is used`);
    return parseNetworkList(record.config, 'recorded configuration');
  }
}

export function checkCommand(): Command {
  return withAttachmentOptions(new Command('check'))
    .description('Ask the plugins whether an attachment is as ADD made it.')
    .argument('<network>', 'its name in the configuration')
    .argument('<netns>', "path of the namespace's file")
    .addHelpText('after', `\nExample:\n  poplin cni check pods /run/netns/blue\n${VARIABLES}${EXIT_TEXT}`)
    .action((network: string, netns: string, flags: AttachmentFlags) =>
      reported('check', flags.json, async () => {
        const runtime = runtimeOf(flags);
        const { list } = await load(flags, network);
        const wish = attachmentOf(flags, netns);
        using stop = interruption();
        await runtime.check(list, wish, stop.signal);
        const { containerId, ifName } = wish;
        const how = list.disableCheck ? 'not checked: the network disables it' : 'as ADD made it';
        print(
          flags.json,
          { command: 'check', network, containerId, ifName, ok: true, checked: !list.disableCheck },
          `${containerId} ${ifName} on ${network}: ${how}\n`,
        );
      }),
    );
}

export function gcCommand(): Command {
  return withRuntimeOptions(new Command('gc'))
    .description('Take away what containers left behind that are gone without DEL.')
    .argument('<network>', 'its name in the configuration')
    .argument('[netns]', 'ignored; cnitool demands it')
    .option('--valid <container/ifname...>', 'attachments to keep; else those whose namespace is still there')
    .option('--none-valid', 'keep no attachment')
    .option('--root-dir <dir>', "the agent's --root-dir", '/')
    .addHelpText(
      'after',
      `
Examples:
  poplin cni gc pods
  poplin cni gc pods --valid 4f2a/eth0 --valid 77b1/eth0

Without --valid, what the cache directory or the agent has a record of is kept, unless its namespace is gone. What foreign
plugins attached for a runtime with another cache directory is not known then: name it with --valid.${VARIABLES}${EXIT_TEXT}`,
    )
    .action((network: string, _netns: string | undefined, flags: GcFlags) =>
      reported('gc', flags.json, () => gc(network, flags)),
    );
}

interface GcFlags extends RuntimeFlags {
  readonly valid?: readonly string[];
  readonly noneValid?: boolean;
  readonly rootDir: string;
}

async function gc(network: string, flags: GcFlags): Promise<void> {
  const runtime = runtimeOf(flags);
  const { list } = await load(flags, network);
  if (list.disableGc) {
    const text = `${network}: not collected: the network disables it\n`;
    return print(
      flags.json,
      { command: 'gc', network, ok: true, disabled: true, valid: [], removed: [] },
      text,
    );
  }
  const valid = flags.noneValid
    ? []
    : (flags.valid?.map(parseAttachment) ?? (await liveAttachments(runtime, network, flags.rootDir)));
  using stop = interruption();
  const removed = await runtime.gc(list, valid, stop.signal);
  const lines = removed.map(({ containerId, ifName }) => `${containerId} ${ifName}: off ${network}\n`);
  print(
    flags.json,
    { command: 'gc', network, ok: true, disabled: false, valid, removed },
    `${lines.join('')}${network}: ${valid.length} kept, ${removed.length} removed\n`,
  );
}

/** What is recorded of a network and not known to be gone; by the agent too, for runtimes that keep their records elsewhere. */
async function liveAttachments(
  runtime: NetworkRuntime,
  network: string,
  rootDir: string,
): Promise<AttachmentId[]> {
  const recorded = (await runtime.attachments(network)).filter(({ netns }) => isNamespace(netns));
  const ours = recordedByAgent(rootDir).filter((row) => row.network === network && row.state !== 'gone');
  const ids = [
    ...recorded.map(({ containerId, ifName }) => ({ containerId, ifName })),
    ...ours.map((row) => ({ containerId: row.container, ifName: row.interface })),
  ];
  return [...new Map(ids.map((id) => [`${id.containerId}/${id.ifName}`, id])).values()];
}

function parseAttachment(text: string): AttachmentId {
  const [containerId, ifName, ...more] = text.split('/');
  if (containerId && ifName && more.length === 0) return { containerId, ifName };
  throw new UsageError(`--valid: "${text}" is not CONTAINER/IFNAME, such as 4f2a/eth0`);
}

export function netStatusCommand(): Command {
  return withRuntimeOptions(new Command('status'))
    .description("Ask a network's plugins whether they can serve ADD.")
    .argument('<network>', 'its name in the configuration')
    .argument('[netns]', 'ignored; cnitool demands it')
    .addHelpText('after', `\nExample:\n  poplin cni status pods\n${VARIABLES}${EXIT_TEXT}`)
    .action((network: string, _netns: string | undefined, flags: RuntimeFlags) =>
      reported('status', flags.json, async () => {
        const { list } = await load(flags, network);
        using stop = interruption();
        const isAsked = await runtimeOf(flags).status(list, stop.signal);
        const how = isAsked
          ? 'ready'
          : `not asked: it speaks ${list.cniVersion}, STATUS came with 1.1.0 (see "cniVersions")`;
        print(flags.json, { command: 'status', network, ok: true, asked: isAsked }, `${network}: ${how}\n`);
      }),
    );
}

export function versionCommand(): Command {
  return withRuntimeOptions(new Command('version'))
    .description('Tell which versions of the specification we speak, or the plugins of a network.')
    .argument('[network]', 'its name in the configuration; without one, our own versions')
    .addHelpText(
      'after',
      `\nExamples:\n  poplin cni version\n  poplin cni version pods\n\nExit status: 1 if a plugin does not speak the network's version.`,
    )
    .action((network: string | undefined, flags: RuntimeFlags) =>
      reported('version', flags.json, () => version(network, flags)),
    );
}

async function version(network: string | undefined, flags: RuntimeFlags): Promise<void> {
  if (network === undefined) {
    const text = `CNI ${CNI_VERSIONS.join(', ')}\nplugins ${PLUGIN_TYPES.join(', ')}\n`;
    return print(flags.json, { versions: CNI_VERSIONS, plugins: PLUGIN_TYPES }, text);
  }
  const { list } = await load(flags, network);
  using stop = interruption();
  const plugins = await runtimeOf(flags).versions(list, stop.signal);
  const lines = plugins.map(
    ({ type, versions, isUsable }) =>
      `${type}: ${versions.join(', ')}${isUsable ? '' : `: does not speak ${list.cniVersion}`}\n`,
  );
  print(
    flags.json,
    { network, cniVersion: list.cniVersion, plugins },
    `${network} speaks ${list.cniVersion}\n${lines.join('')}`,
  );
  if (plugins.some((plugin) => !plugin.isUsable)) process.exitCode = 1;
}

/** The network's configuration; what is wrong with other files is told on standard error. */
async function load(flags: RuntimeFlags, network: string): ReturnType<typeof loadNetwork> {
  const loaded = await loadNetwork(configFiles, flags.confDir, network);
  for (const warning of loaded.warnings) note(`poplin cni: passed over: ${warning}`);
  return loaded;
}

/** Aborts at the first SIGINT or SIGTERM; the second ends the process as usual. */
function interruption(): { readonly signal: AbortSignal } & Disposable {
  const stop = new AbortController();
  const onSignal = (name: string) => stop.abort(new CniError(999, `interrupted by ${name}`));
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, onSignal);
  return {
    signal: stop.signal,
    [Symbol.dispose]: () => {
      for (const name of ['SIGINT', 'SIGTERM'] as const) process.removeListener(name, onSignal);
    },
  };
}
