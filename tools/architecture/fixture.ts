/**
 * A small repository that keeps every rule, and for each rule files that break it and nothing else. Held as text, so
 * that the other tools do not stumble over it.
 */
import type { Plan } from './plan.ts';

export const FIXTURE_PLAN: Plan = {
  rooms: {
    base: ['base'],
    core: ['base', 'core'],
    io: ['base', 'core', 'io'],
    app: ['base', 'core', 'io', 'app'],
    testing: ['base', 'core', 'testing'],
  },
  coreArrows: { alpha: [], beta: ['alpha'] },
  innerModules: ['src/core/alpha/inner'],
  packages: { base: [], core: ['zod'] },
  pureRooms: ['base', 'core'],
  impureNames: new Set(['Date', 'Math.random', 'process', 'setTimeout']),
  maxLines: 10,
  sizeExempt: [{ path: /\.test\.ts$/, reason: 'tests are tables of named cases' }],
  maxHeaderLines: 3,
  emptyWords: new Set(['Manager', 'Data']),
  nameExempt: [{ word: 'Data', path: /^src\/core\/alpha\//, reason: 'the name in the format' }],
};

type Files = Readonly<Record<string, string>>;

const file = (...lines: string[]) => ['/** Says what it is. */', ...lines, ''].join('\n');

export const SOUND: Files = {
  'src/base/text.ts': file('export const empty = "";'),
  'src/base/line.ts': file("import { empty } from './text.ts';", 'export const line = empty;'),
  'src/core/alpha/index.ts': "export { alpha, type FrameData } from './alpha.ts';\n",
  'src/core/alpha/alpha.ts': file(
    "import { z } from 'zod';",
    "import { empty } from '#base/text.ts';",
    // Labels, members, parameters and bindings are not references to the global names.
    'export const alpha = { Date: empty, process: (setTimeout: number) => z.number().parse(setTimeout) };',
    'export interface FrameData { readonly process: string; at(Date: number): void }',
    'export const random = (source: typeof alpha) => source.process(1);',
  ),
  'src/core/alpha/alpha.test.ts': `import { now } from '#io/clock/clock.ts';\n${'expect(now()).toBe(Date.now());\n'.repeat(12)}`,
  'src/core/alpha/inner/index.ts': "export * from './part.ts';\n",
  'src/core/alpha/inner/part.ts': file('export const part = 1;'),
  'src/core/beta/index.ts': "export * from './beta.ts';\n",
  'src/core/beta/beta.ts': file(
    "import { alpha } from '#core/alpha/index.ts';",
    'export const beta = alpha;',
  ),
  'src/io/clock/index.ts': "export { now } from './clock.ts';\n",
  'src/io/clock/clock.ts': file(
    "import { uptime } from 'node:os';",
    'export const now = () => uptime() + Date.now();',
  ),
  'src/app/cli/main.ts': file("import { now } from '#io/clock/index.ts';", 'now();'),
  'src/app/cli/inner.ts': file(
    "export { part } from '#core/alpha/inner/index.ts';",
    'export const here = 1;',
  ),
  'src/testing/sim.ts': file("import { beta } from '#core/beta/index.ts';", 'export const sim = beta;'),
  'vitest.config.ts': file('export default {};'),
};

interface Breach {
  readonly name: string;
  readonly files: Files;
  /** Where the faults are, as `path:line`. */
  readonly at: readonly string[];
}

/** Rule to what breaks it: the files are laid over the sound ones. */
export const BROKEN: Readonly<Record<string, readonly Breach[]>> = {
  room: [
    {
      name: 'core imports io',
      files: {
        'src/core/alpha/up.ts': file("import { now } from '#io/clock/index.ts';", 'export const up = now;'),
      },
      at: ['src/core/alpha/up.ts:2'],
    },
    {
      name: 'src imports testing, if only for a type',
      files: { 'src/app/cli/fake.ts': file("export type Sim = typeof import('#testing/sim.ts').sim;") },
      at: ['src/app/cli/fake.ts:2'],
    },
    {
      name: 'src imports what lies outside it',
      files: { 'src/app/cli/tool.ts': file("import '../../../tools/check.ts';") },
      at: ['src/app/cli/tool.ts:2'],
    },
    {
      name: 'a folder of src that is no room imports anything',
      files: {
        'src/misc/one/index.ts': file("import { empty } from '#base/text.ts';", 'export const one = empty;'),
      },
      at: ['src/misc/one/index.ts:2'],
    },
  ],
  'core-arrow': [
    {
      name: 'a core module imports one it has no arrow to',
      files: {
        'src/core/gamma/index.ts': file(
          "import { alpha } from '#core/alpha/index.ts';",
          'export const gamma = alpha;',
        ),
      },
      at: ['src/core/gamma/index.ts:2'],
    },
  ],
  package: [
    {
      name: 'core imports Node',
      files: {
        'src/core/alpha/node.ts': file("import { uptime } from 'node:os';", 'export const up = uptime;'),
      },
      at: ['src/core/alpha/node.ts:2'],
    },
    {
      name: 'core imports Node when called',
      files: { 'src/core/alpha/late.ts': file("export const late = () => import('node:os');") },
      at: ['src/core/alpha/late.ts:2'],
    },
    {
      name: 'base imports a package',
      files: { 'src/base/zod.ts': file("export { z } from 'zod';", 'export const here = 1;') },
      at: ['src/base/zod.ts:2'],
    },
  ],
  purity: [
    {
      name: 'core asks the clock',
      files: { 'src/core/alpha/time.ts': file('export const now = () => Date.now();') },
      at: ['src/core/alpha/time.ts:2'],
    },
    {
      name: 'core takes a default from the clock',
      files: { 'src/core/alpha/default.ts': file('export const at = ({ now = new Date() }) => now;') },
      at: ['src/core/alpha/default.ts:2'],
    },
    {
      name: 'core sets a timer and draws lots',
      files: {
        'src/core/alpha/lot.ts': file('setTimeout(() => {', '  Math.random();', '}, 1);', 'export {};'),
      },
      at: ['src/core/alpha/lot.ts:2', 'src/core/alpha/lot.ts:3'],
    },
    {
      name: 'base reads the environment by shorthand',
      files: { 'src/base/env.ts': file('export const env = { process };') },
      at: ['src/base/env.ts:2'],
    },
  ],
  entry: [
    {
      name: 'another module is entered by a side door',
      files: {
        'src/io/clock/side.ts': file(
          "import { alpha } from '#core/alpha/alpha.ts';",
          'export const side = alpha;',
        ),
      },
      at: ['src/io/clock/side.ts:2'],
    },
    {
      name: 'a folder inside a module has an entry that the plan does not list',
      files: {
        'src/core/alpha/other/index.ts': file('export const other = 1;'),
        'src/io/clock/other.ts': file(
          "import { other } from '#core/alpha/other/index.ts';",
          'export const one = other;',
        ),
      },
      at: ['src/io/clock/other.ts:2'],
    },
    {
      name: 'another module is imported by a relative path',
      files: {
        'src/core/beta/rel.ts': file(
          "import { alpha } from '../alpha/index.ts';",
          'export const rel = alpha;',
        ),
      },
      at: ['src/core/beta/rel.ts:2'],
    },
    {
      name: 'a file imports its own module by name',
      files: {
        'src/core/beta/own.ts': file(
          "import { beta } from '#core/beta/beta.ts';",
          'export const own = beta;',
        ),
      },
      at: ['src/core/beta/own.ts:2'],
    },
    {
      name: 'a tool enters by a side door',
      files: {
        'tools/peek.ts': file(
          "import { alpha } from '../src/core/alpha/alpha.ts';",
          'export const peek = alpha;',
        ),
      },
      at: ['tools/peek.ts:2'],
    },
  ],
  'test-import': [
    {
      name: 'a test imports another test',
      files: { 'test/kernel/two.test.ts': "import './one.test.ts';\n" },
      at: ['test/kernel/two.test.ts:1'],
    },
  ],
  'default-export': [
    {
      name: 'a file exports by default',
      files: { 'src/base/plain.ts': file('export default 1;') },
      at: ['src/base/plain.ts:2'],
    },
    {
      name: 'a file exports a name as default',
      files: { 'tools/alias.ts': file('const one = 1;', 'export { one as default };') },
      at: ['tools/alias.ts:3'],
    },
  ],
  cycle: [
    {
      name: 'two files import each other, one of them only a type',
      files: {
        'src/core/beta/left.ts': file("import { right } from './right.ts';", 'export const left = right;'),
        'src/core/beta/right.ts': file(
          "import type { left } from './left.ts';",
          'export const right = 1 as typeof left;',
        ),
      },
      at: ['src/core/beta/left.ts:2'],
    },
    {
      name: 'two modules import each other through different files',
      files: {
        'src/io/east/index.ts': "export * from './out.ts';\nexport * from './in.ts';\n",
        'src/io/east/out.ts': file("import { west } from '#io/west.ts';", 'export const out = west;'),
        'src/io/east/in.ts': file('export const inside = 1;'),
        'src/io/west.ts': file("import { inside } from '#io/east/index.ts';", 'export const west = inside;'),
      },
      at: ['src/io/east/index.ts:1'],
    },
  ],
  size: [
    {
      name: 'a file is longer than the limit',
      files: {
        'src/base/long.ts': file(...Array.from({ length: 10 }, (_, index) => `export const a${index} = 1;`)),
      },
      at: ['src/base/long.ts:11'],
    },
  ],
  header: [
    {
      name: 'a file does not say what it is',
      files: { 'src/base/bare.ts': 'export const bare = 1; // this comes too late\n' },
      at: ['src/base/bare.ts:1'],
    },
    {
      name: 'a file says too much',
      files: { 'src/base/novel.ts': '// one\n// two\n// three\n// four\nexport const novel = 1;\n' },
      at: ['src/base/novel.ts:1'],
    },
  ],
  name: [
    {
      name: 'an exported name carries an empty word',
      files: { 'src/base/pod.ts': file('export class PodManager {}', 'export const podData = 1;') },
      at: ['src/base/pod.ts:2', 'src/base/pod.ts:3'],
    },
    {
      name: 'a file name carries an empty word',
      files: { 'src/base/pod-data.ts': file('export const pod = 1;') },
      at: ['src/base/pod-data.ts:1'],
    },
  ],
};
