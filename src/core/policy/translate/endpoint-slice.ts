/** discovery.k8s.io/v1 EndpointSlice: a part of a service's endpoints. All of them count, whether they are ready or not: so it is with Calico. */
import { canonicalIp } from '#base/ip/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import type { ServiceEndpoint } from '../engine/index.ts';
import { Fields, type Findings } from './document.ts';
import { PORT_PROTOCOLS } from './ports.ts';

export interface ServicePart {
  readonly service: string;
  readonly endpoints: readonly ServiceEndpoint[];
}

const SERVICE_LABEL = 'kubernetes.io/service-name';

/** Undefined for a slice of no service. */
export function servicePart(object: KubeObject, findings: Findings): ServicePart | undefined {
  const service = object.metadata.labels?.[SERVICE_LABEL];
  if (service === undefined || service === '') return undefined;
  const slice = new Fields(object, '', findings);
  const addresses = (slice.objects('endpoints') ?? [])
    .flatMap((each) => each.texts('addresses') ?? [])
    // Where the type of the slice is FQDN they are names.
    .flatMap((text) => canonicalIp(text) ?? []);
  const ports = (slice.objects('ports') ?? []).flatMap((fields) => {
    const port = fields.integer('port', 0, 65_535);
    const protocol = PORT_PROTOCOLS[fields.oneOf('protocol', ['TCP', 'UDP', 'SCTP']) ?? 'TCP'];
    return port === undefined ? [] : [{ protocol, port }];
  });
  return {
    service,
    endpoints: addresses.flatMap((address): ServiceEndpoint[] =>
      ports.length === 0 ? [{ address }] : ports.map((port) => ({ address, ...port })),
    ),
  };
}
