/** A kubeconfig for the server, so that kubectl reaches it with one flag. */
import { stringify } from 'yaml';
import { atomicWrite } from '#io/files/index.ts';

export interface KubeconfigFacts {
  readonly url: string;
  /** The certificate clients should trust, PEM. */
  readonly cert?: string;
  readonly token?: string;
}

const NAME = 'poplin';

/** The kubeconfig's text: one cluster, one user, one context. */
export function kubeconfigText({ url, cert, token }: KubeconfigFacts): string {
  return stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: NAME,
          cluster: {
            server: url,
            ...(cert !== undefined && { 'certificate-authority-data': Buffer.from(cert).toString('base64') }),
          },
        },
      ],
      users: [{ name: NAME, user: token === undefined ? {} : { token } }],
      contexts: [{ name: NAME, context: { cluster: NAME, user: NAME, namespace: 'default' } }],
      'current-context': NAME,
    },
    { lineWidth: 0 },
  );
}

/** Writes the kubeconfig for its owner alone, in one step. */
export async function writeKubeconfig(path: string, facts: KubeconfigFacts): Promise<void> {
  await atomicWrite(path, kubeconfigText(facts), { mode: 0o600 });
}
