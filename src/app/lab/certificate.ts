/** The certificate and token of a lab's API server: made for one lab, valid for its router's addresses alone. */
import { randomBytes } from 'node:crypto';
import { generate } from 'selfsigned';

export interface LabCredentials {
  readonly cert: string;
  readonly key: string;
  readonly token: string;
}

const IP_ADDRESS = 7; // RFC 5280 section 4.2.1.6: the GeneralName choice iPAddress

export async function makeCredentials(addresses: readonly string[]): Promise<LabCredentials> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'poplin lab' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: addresses.map((ip) => ({ type: IP_ADDRESS, ip })) },
    ],
  });
  return { cert, key, token: randomBytes(24).toString('base64url') };
}

/** A kubeconfig, as JSON (which is YAML). */
export function makeKubeconfig(server: string, { cert, token }: LabCredentials): string {
  const name = 'lab';
  return JSON.stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        { name, cluster: { server, 'certificate-authority-data': Buffer.from(cert).toString('base64') } },
      ],
      users: [{ name, user: { token } }],
      contexts: [{ name, context: { cluster: name, user: name } }],
      'current-context': name,
    },
    undefined,
    2,
  );
}
