/**
 * What a connection to a Kubernetes API server needs, however it was found (kubeconfig.ts, in-cluster.ts).
 */

/** Reads a text file; throws Node's error (code ENOENT, …) if it cannot. */
export type ReadFile = (path: string) => string;

export interface KubeConfig {
  /** `https://10.0.0.1:6443`, with a path where the API server stands behind one. */
  readonly server: string;
  /** PEM certificates that may sign the server's; the system's own if absent. */
  readonly certificateAuthority?: string;
  /** PEM; always together with clientKey. */
  readonly clientCertificate?: string;
  readonly clientKey?: string;
  /** Accept any server certificate: only where the kubeconfig says so. */
  readonly insecureSkipTlsVerify?: boolean;
  /** The name the server's certificate must bear, where it is not the server's host. */
  readonly tlsServerName?: string;
  /** Reads the bearer token as it is now; the store asks again at most once a minute, or when the server refuses it. */
  readonly readToken?: () => string;
  /** The context's namespace, if it names one. */
  readonly namespace?: string;
  /** Where this came from, for people: `kubeconfig /root/.kube/config, context "lab"`. */
  readonly source: string;
}

/** A kubeconfig or in-cluster environment that cannot be used; `problems` lists everything found wrong. */
export class KubeconfigError extends Error {
  override readonly name = 'KubeconfigError';
  readonly problems: readonly string[];
  constructor(source: string, problems: readonly string[], options?: ErrorOptions) {
    super(`${source}: ${problems.join('; ')}`, options);
    this.problems = problems;
  }
}
