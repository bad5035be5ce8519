/** Checks of files: what a runtime reads, where Poplin writes, who may read its key. */
import { check, type Told, UNSEEN } from './row.ts';

const OURS = 'poplin';
/** Where `poplin cni install` writes, unless it is told otherwise. */
const OWN_FILE = '10-poplin.conflist';
const DEFAULT_CONF = '/etc/cni/net.d';

const cniConfig = check({
  looks: 'which file in `/etc/cni/net.d` a runtime takes: the first by name',
  outcomes: {
    none: { level: 'ok', found: '{folder} has no network yet; poplin cni install writes one' },
    ours: { level: 'ok', found: 'runtimes take {file}, which is Poplin’s' },
    others: {
      level: 'warning',
      found: 'runtimes take {folder}/{file} ({types}), and {own} would come behind it',
      remedy:
        'once pods are to be attached by Poplin, which puts the others aside\n  poplin cni install --replace{flag}',
    },
    behind: {
      level: 'warning',
      found: 'runtimes take {folder}/{file} ({types}); {own}, once installed, comes before it',
      remedy: 'once pods are to be attached by Poplin\n  poplin cni install{flag}',
    },
    first: {
      level: 'problem',
      found: 'runtimes take {folder}/{file} ({types}) before {own}, which is Poplin’s',
      remedy: '  mv {folder}/{file} {folder}/{file}.off',
    },
    unusable: {
      level: 'warning',
      found: '{folder}/{file}: {problem}',
      remedy: 'see what is wrong with\n  poplin cni validate {folder}/{file}',
    },
    unseen: UNSEEN,
  },
  judge: ({ cniFiles }, { confDir: folder }) => {
    if ('unseen' in cniFiles) return [['unseen', { why: cniFiles.unseen }]];
    const files = cniFiles.value;
    const unusable = files.flatMap(({ name, problem }): Told<'unusable'>[] =>
      problem === undefined ? [] : [['unusable', { folder, file: name, problem }]],
    );
    const first = files.find(({ problem }) => problem === undefined) ?? files[0];
    if (first === undefined) return [['none', { folder }]];
    const own = files.find(({ types }) => types.includes(OURS));
    if (own === first) return [['ours', { file: first.name }], ...unusable];
    const flag = folder === DEFAULT_CONF ? '' : ` --conf-dir ${folder}`;
    const types = first.types.join(', ') || 'no plugin';
    const values = { folder, file: first.name, types, flag, own: own?.name ?? OWN_FILE };
    const outcome = own !== undefined ? 'first' : first.name < OWN_FILE ? 'others' : 'behind';
    return [[outcome, values], ...unusable];
  },
});

/** The agent's files are small; what is full is the matter. */
const LITTLE_BYTES = 64 * 2 ** 20;
const FEW_FILES = 1000;

const folders = check({
  looks: 'where Poplin writes: can files be made there, and is there room',
  outcomes: {
    writable: { level: 'ok', found: '{paths}: writable' },
    refused: {
      level: 'problem',
      found: 'no file can be made in {path}: {error}',
      remedy: 'make it writable for root, or give it a mount of its own\n  findmnt --target {path}',
    },
    full: {
      level: 'warning',
      found: '{path} has room for {megabytes} MB and {files} files',
      remedy: 'make room: see\n  df -h {path}; df -i {path}',
    },
    unseen: UNSEEN,
  },
  judge: ({ folders: found }) => {
    if (found === undefined) return [['unseen', { why: 'what root may write, only root can try' }]];
    const told = found.flatMap(({ path, error, freeBytes, freeFiles }): Told<'refused' | 'full'>[] => {
      if (error !== undefined) return [['refused', { path, error }]];
      const isFull = (freeBytes ?? LITTLE_BYTES) < LITTLE_BYTES || (freeFiles ?? FEW_FILES) < FEW_FILES;
      const megabytes = Math.floor((freeBytes ?? 0) / 2 ** 20);
      return isFull ? [['full', { path, megabytes, files: freeFiles ?? 'many' }]] : [];
    });
    return told.length > 0 ? told : [['writable', { paths: found.map(({ path }) => path).join(', ') }]];
  },
});

const wireguardKey = check({
  looks: 'who may read the node’s WireGuard key',
  where: { text: 'backend `wireguard`', holds: ({ netConf }) => netConf.backend.type === 'wireguard' },
  outcomes: {
    kept: { level: 'ok', found: 'nobody but its owner, or there is none yet' },
    open: { level: 'warning', found: '{problem}', remedy: '{remedy}' },
    unseen: UNSEEN,
  },
  judge: ({ wireguardKey: key }) => {
    if ('unseen' in key) return [['unseen', { why: key.unseen }]];
    if (key.value === undefined) return [['kept']];
    const [problem = '', ...remedy] = key.value.split(': ');
    return [['open', { problem, remedy: remedy.join(': ') }]];
  },
});

export const PLACE_CHECKS = { 'cni-config': cniConfig, folders, 'wireguard-key': wireguardKey } as const;
