/** What one object is to the engine. */
import type { ServiceEndpoint } from '../engine/index.ts';
import type { LabelMap, Member, Policy, Tier } from '../model.ts';

export type Fact =
  | { readonly is: 'policy'; readonly policy: Policy }
  | { readonly is: 'tier'; readonly tier: Tier }
  | { readonly is: 'member'; readonly member: Member }
  /** A pod that has no part in the network, or no more. */
  | { readonly is: 'no-member'; readonly key: string }
  /** It has the labels of the profiles it names besides its own; what two of them say differently, the first says. */
  | { readonly is: 'host-endpoint'; readonly member: Member; readonly profiles: readonly string[] }
  | { readonly is: 'profile'; readonly name: string; readonly policy: Policy; readonly labels: LabelMap }
  | { readonly is: 'namespace'; readonly name: string; readonly labels: LabelMap }
  | {
      readonly is: 'service-account';
      readonly namespace: string;
      readonly name: string;
      readonly labels: LabelMap;
    }
  /** A part of a service's endpoints. */
  | {
      readonly is: 'endpoints';
      readonly namespace: string;
      readonly service: string;
      readonly slice: string;
      readonly endpoints: readonly ServiceEndpoint[];
    };
