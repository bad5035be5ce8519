/** A topology file's shape, as zod checks it: what each key may hold by itself. What keys must be to each other is in topology-checks.ts. */
import { z } from 'zod';
import { type IpFamily, networkOf, parsePrefix } from '#base/ip/index.ts';

/** Member names become file names below long folders, and a unix socket's path holds 107 bytes. */
const NAME = /^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$/;

const LABEL_KEY = /^([a-z0-9]([a-z0-9.-]*[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/;

/** True for a text that can name a lab, a node or a pod. */
export function isLabName(text: string): boolean {
  return NAME.test(text);
}

const name = z
  .string()
  .regex(NAME, 'is not a name: 1 to 20 of a-z, 0-9 and -, beginning and ending with a letter or digit');
const prefix = (family: IpFamily, longest: number) =>
  z.string().refine(
    (text) => {
      const parts = parsePrefix(text);
      return parts?.family === family && parts.length <= longest && networkOf(text) === text;
    },
    { error: `is not an IPv${family} prefix of at most /${longest} with host bits zero` },
  );
const subnet = z.strictObject({ ipv4: prefix(4, 29).optional(), ipv6: prefix(6, 125).optional() });
/** How a pod is attached: `poplin` is a routed veth, `bridge` a port of the node's bridge cni0. */
const network = z.enum(['poplin', 'bridge']);
/** As an API server takes them: a value is a name, or nothing. */
const labels = z.record(
  z.string().regex(LABEL_KEY, 'is no key of a label'),
  z.string().regex(LABEL_VALUE, 'is no value of a label: at most 63 of letters, digits, -, _ and .'),
);
const node = z.strictObject({
  subnet: name.optional(),
  labels: labels.optional(),
  annotations: z.record(z.string().regex(LABEL_KEY, 'is no key of an annotation'), z.string()).optional(),
});
/** A router of others' in every subnet, with its whole configuration. */
const router = z.strictObject({ run: z.literal('bird'), config: z.string() });
const pod = z.strictObject({
  node: name,
  network: network.default('poplin'),
  namespace: name.default('default'),
  labels: labels.default({}),
});
/** An object of an API, or the file that has some. */
const object = z.union([
  z.string(),
  z.looseObject({
    apiVersion: z.string(),
    kind: z.string(),
    metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
  }),
]);

export const TOPOLOGY_SCHEMA = z.strictObject({
  name: name.default('lab'),
  network: z.looseObject({}).optional(),
  subnets: z.record(name, subnet).optional(),
  nodes: z.union([z.int().min(1).max(200), z.record(name, node.nullable())]).default(3),
  pods: z.union([z.int().min(0).max(100), z.record(name, pod)]).default(2),
  routers: z.record(name, router).default({}),
  policies: z.array(object).optional(),
  bgp: z.array(object).optional(),
});

export type TopologyDocument = z.output<typeof TOPOLOGY_SCHEMA>;
/** What a lab's API server is given: as it stands in the file, or the path of another one. */
export type ObjectDocument = z.output<typeof object>;
export type PodNetwork = z.output<typeof network>;
